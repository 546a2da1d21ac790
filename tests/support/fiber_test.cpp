#include "fiber_test.h"

#include <dirent.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <map>
#include <mutex>
#include <utility>

#include "plait/cancellation.h"
#include "plait/detail/loop.h"
#include "plait/error.h"
#include "plait/statistics.h"
#include "sim_kernel.h"

namespace plait::test {
namespace {

constexpr int kSettleTurns = 16;
constexpr int kTurnsPerReport = 1000;
constexpr std::uint64_t kDefaultSeed = 1;

// What was reported, from whatever thread.
class Reports final {
 public:
  void add(const ErrorReport& report) {
    const std::lock_guard lock(mutex_);
    reports_.push_back(report);
  }
  std::size_t size() {
    const std::lock_guard lock(mutex_);
    return reports_.size();
  }
  std::vector<ErrorReport> takeFrom(std::size_t from) {
    const std::lock_guard lock(mutex_);
    std::vector<ErrorReport> taken;
    if (from >= reports_.size()) return taken;
    taken.assign(reports_.begin() + static_cast<std::ptrdiff_t>(from), reports_.end());
    reports_.resize(from);
    return taken;
  }

 private:
  std::mutex mutex_;
  std::vector<ErrorReport> reports_;
};

Reports& reports() {
  static Reports all;
  return all;
}

std::string text(const ErrorReport& report) {
  return report.context + ": " + describe(report.error);
}

// Every sink of the test, those of loops on other threads included.
class SinkScope final {
 public:
  SinkScope() : before_(setErrorSink([](const ErrorReport& report) { reports().add(report); })) {
    reports().takeFrom(0);
  }
  ~SinkScope() { setErrorSink(std::move(before_)); }

 private:
  ErrorSink before_;
};

std::map<int, std::string> openDescriptors() {
  std::map<int, std::string> open;
  DIR* const directory = ::opendir("/proc/self/fd");
  REQUIRE(directory != nullptr);
  while (const dirent* entry = ::readdir(directory)) {
    const int number = std::atoi(entry->d_name);
    if (entry->d_name[0] == '.' || number == ::dirfd(directory)) continue;
    char target[256];
    const auto length = ::readlinkat(::dirfd(directory), entry->d_name, target, sizeof target);
    open[number] = length < 0 ? "?" : std::string(target, static_cast<std::size_t>(length));
  }
  ::closedir(directory);
  return open;
}

void checkNothingLeft() {
  settle();
  const LoopStatistics now = loopStatistics();
  const std::size_t fibersLeft = now.fibersReady + now.fibersParked;
  CHECK_MESSAGE(fibersLeft == 0, fibersLeft, " fibers outlived the test's body");
  CHECK_MESSAGE(now.inFlight == 0, now.inFlight, " operations are still in flight");

  detail::Kernel& kernel = detail::Loop::current()->kernel();
  if (const auto* sim = dynamic_cast<detail::SimKernel*>(&kernel); sim && fibersLeft == 0) {
    CHECK_MESSAGE(sim->openDescriptors() == 0, sim->openDescriptors(), " descriptors are open");
    CHECK_MESSAGE(sim->violations() == 0, "a descriptor was closed under its operation");
  }
}

// A failed REQUIRE on another fiber has been counted when it was thrown.
bool isFailedRequire(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const doctest::detail::TestFailureException&) {
    return true;
  } catch (...) {
    return false;
  }
}

void checkNothingReported() {
  for (const ErrorReport& report : reports().takeFrom(0)) {
    if (!isFailedRequire(report.error)) FAIL_CHECK("unexpected error report: ", text(report));
  }
}

}  // namespace

void runFiberTest(const RunOptions& options, const std::function<void()>& body,
                  std::source_location at) {
  INFO("PLAIT_SEED=", seed());
  const std::map<int, std::string> before = openDescriptors();
  {
    const SinkScope sink;
    std::exception_ptr failure;
    try {
      run(
          options,
          [&body] {
            body();
            checkNothingLeft();
          },
          at);
    } catch (...) {
      failure = std::current_exception();
    }
    checkNothingReported();
    if (failure) std::rethrow_exception(failure);
  }
  for (const auto& [number, target] : openDescriptors()) {
    const auto old = before.find(number);
    if (old != before.end() && old->second == target) continue;
    FAIL_CHECK("descriptor ", number, " (", target, ") was left open");
  }
}

std::vector<std::string> kernels() {
  const char* const forced = std::getenv("PLAIT_KERNEL");
  if (forced != nullptr && *forced != '\0') return {forced};
  return {"uring", "sim"};
}

std::uint64_t seed() {
  const char* const given = std::getenv("PLAIT_SEED");
  return given == nullptr ? kDefaultSeed : std::strtoull(given, nullptr, 0);
}

ExpectedErrors::ExpectedErrors() : from_(reports().size()) {}

// What was not taken stays in reports(), and fails the test at its end.
ExpectedErrors::~ExpectedErrors() = default;

std::vector<ErrorReport> ExpectedErrors::takeReports(std::size_t count) {
  for (int turn = 0; turn < kTurnsPerReport && reports().size() < from_ + count; ++turn) yield();
  return reports().takeFrom(from_);
}

std::vector<std::string> ExpectedErrors::take(std::size_t count) {
  std::vector<std::string> texts;
  for (const ErrorReport& report : takeReports(count)) texts.push_back(text(report));
  return texts;
}

void settle() {
  for (int turn = 0; turn < kSettleTurns; ++turn) yield();
}

}  // namespace plait::test
