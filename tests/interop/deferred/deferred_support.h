// What tests of Deferreds without fibers need: a loop that the test drives itself, and the errors
// that were reported.
#pragma once

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "plait/detail/kernel.h"
#include "plait/detail/loop.h"
#include "plait/report.h"
#include "plait/sim.h"

namespace plait::test {

// A loop on this thread, on the sim kernel and its virtual clock, or on uring where other threads
// take part. No fibers: whatever would park throws.
class LoopScope final {
 public:
  explicit LoopScope(const char* kernel = "sim")
      : loop_(std::string(kernel) == "sim" ? detail::makeSimKernel(SimOptions::calm())
                                           : detail::makeUringKernel(64)) {}

  // Drives the loop until `isDone()`; a test that waits for what never comes hangs and is ended by
  // its time limit.
  template <class F>
  void runUntil(F&& isDone) {
    while (!isDone()) loop_.step();
  }
  // Lets everything run that is ready, and what that makes ready, for some turns.
  void settle() {
    for (int turn = 0; turn < 16; ++turn) {
      bool isOver = false;
      loop_.callSoon([&isOver] { isOver = true; });
      runUntil([&isOver] { return isOver; });
    }
  }
  detail::Loop& loop() noexcept { return loop_; }

 private:
  detail::Loop loop_;
};

// Takes what is reported on this thread while it lives, each "context: type: message". What is left
// in it at its end fails the test.
class ReportedErrors final {
 public:
  ReportedErrors()
      : before_(setErrorSink([this](const ErrorReport& report) {
          texts_.push_back(report.context + ": " + describe(report.error));
        })) {}
  ReportedErrors(const ReportedErrors&) = delete;
  ReportedErrors& operator=(const ReportedErrors&) = delete;
  ~ReportedErrors() {
    setErrorSink(std::move(before_));
    for (const std::string& text : texts_) FAIL_CHECK("unexpected error report: ", text);
  }

  std::vector<std::string> take() { return std::exchange(texts_, {}); }

 private:
  ErrorSink before_;
  std::vector<std::string> texts_;
};

}  // namespace plait::test
