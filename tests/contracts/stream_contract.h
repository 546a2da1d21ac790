// What every Stream promises, as tests that run over every implementation. A test program links the
// stream_contract_*.cpp files, which hold the cases, and says what they run over:
//
//   const StreamMaker memory({.name = "memory", .kernel = "uring", .make = [] { ... }});
//
// Each case is a doctest case and each maker a SUBCASE of it: `-sc="tcp*"` runs those of tcp only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "fiber_test.h"
#include "plait/stream.h"

namespace plait::test {

// Two connected ends.
struct StreamPair {
  std::unique_ptr<net::Stream> a;
  std::unique_ptr<net::Stream> b;
};

template <class S>
StreamPair streamPair(std::pair<S, S> ends) {
  return {std::make_unique<S>(std::move(ends.first)), std::make_unique<S>(std::move(ends.second))};
}

struct StreamKind {
  std::string name;    // "tcp on sim"
  std::string kernel;  // what the cases run on
  std::function<StreamPair()> make;
  // Ends `a` so that the peer sees a reset; empty where there is no such thing.
  std::function<void(StreamPair&)> reset = {};
  // Of the sim kernel. Where transfers are short and late, cases about single turns are left out.
  SimOptions sim = SimOptions::calm();
  // write(2) on a pipe cannot be kept from it; run() ignores the signal.
  bool raisesPipeSignal = false;
  bool isHostile() const { return sim.shortTransfers; }
};

// Adds a kind for as long as the program runs: for globals.
class StreamMaker final {
 public:
  explicit StreamMaker(StreamKind kind);
};

// Runs the body over a fresh pair of each kind, as a FIBER_TEST.
void forEachStream(const std::function<void(StreamPair&, const StreamKind&)>& body,
                   std::source_location at = std::source_location::current());

// `bytes` of text without a period, so that what is lost, doubled or moved shows.
std::string pattern(std::size_t bytes, std::uint64_t from = 0);

std::string readExactly(net::Stream& stream, std::size_t bytes);  // less if the stream ends
std::string readAll(net::Stream& stream, std::size_t piece = 65'536);
std::string readOnce(net::Stream& stream, std::size_t most = 65'536);

// Calls f and expects a plait::net error of type E; returns its message.
template <class E, class F>
std::string messageOf(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  }
  FAIL_CHECK("nothing was thrown");
  return {};
}

// More than any kind holds on its way, so that a writer of so much parks until somebody reads.
inline constexpr std::size_t kBigBytes = 16 << 20;

}  // namespace plait::test

#define STREAM_CASE(sentence) STREAM_CASE_AS(DOCTEST_ANONYMOUS(streamCase_), sentence)
#define STREAM_CASE_AS(function, sentence)                                                      \
  static void function(::plait::test::StreamPair& pair, const ::plait::test::StreamKind& kind); \
  TEST_CASE(sentence) { ::plait::test::forEachStream(&function); }                              \
  static void function([[maybe_unused]] ::plait::test::StreamPair& pair,                        \
                       [[maybe_unused]] const ::plait::test::StreamKind& kind)
