// What the socket tests share. FIBER_TEST_EACH is a FIBER_TEST that runs on every kernel, each in a
// SUBCASE: `-sc=sim` runs it on the sim kernel only.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <exception>
#include <functional>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>

#include "fiber_test.h"
#include "plait/report.h"
#include "plait/stream.h"

namespace plait::test {

inline void runOnEachKernel(const std::function<void()>& body,
                            std::source_location at = std::source_location::current()) {
  for (const std::string& kernel : kernels()) {
    DOCTEST_SUBCASE(kernel.c_str()) {
      try {
        runFiberTest(onKernel(kernel), body, at);
      } catch (const doctest::detail::TestFailureException&) {
        // A REQUIRE, which has been counted. Out of a SUBCASE it would hide the subcase's name.
      } catch (...) {
        FAIL_CHECK(describe(std::current_exception()));
      }
    }
  }
}

// Calls f and returns the E that it throws; none, and a failed check, if it throws nothing.
template <class E, class F>
std::optional<E> thrownBy(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error;
  } catch (const std::exception& other) {
    FAIL_CHECK("thrown was another error: ", other.what());
    return std::nullopt;
  }
  FAIL_CHECK("nothing was thrown");
  return std::nullopt;
}

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}

// One read; empty at the end of the stream.
inline std::string readPiece(net::Stream& stream, std::size_t most = 65'536) {
  std::string text(most, '\0');
  text.resize(stream.readSome(std::as_writable_bytes(std::span(text.data(), text.size()))));
  return text;
}

inline std::string readToEnd(net::Stream& stream) {
  std::string text;
  for (;;) {
    const std::string more = readPiece(stream);
    if (more.empty()) return text;
    text += more;
  }
}

inline std::string readCount(net::Stream& stream, std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) {
    const std::string more = readPiece(stream, bytes - text.size());
    if (more.empty()) break;
    text += more;
  }
  return text;
}

// While it lives, the process can open `room` descriptors and no more.
class DescriptorLimit final {
 public:
  explicit DescriptorLimit(unsigned room) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit lower = before_;
    lower.rlim_cur = firstFree(room);
    ::setrlimit(RLIMIT_NOFILE, &lower);
  }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;
  ~DescriptorLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  // The number that comes after the next `room` free ones.
  static rlim_t firstFree(unsigned room) {
    const int number = ::dup(STDERR_FILENO);
    const rlim_t result = room == 0 ? static_cast<rlim_t>(number) : firstFree(room - 1);
    ::close(number);
    return result;
  }

  rlimit before_{};
};

}  // namespace plait::test

#define FIBER_TEST_EACH(name) FIBER_TEST_EACH_AS(DOCTEST_ANONYMOUS(eachKernel_), name)
#define FIBER_TEST_EACH_AS(function, name)                       \
  static void function();                                        \
  TEST_CASE(name) { ::plait::test::runOnEachKernel(&function); } \
  static void function()
