#include "plait/wait_for_all.h"

namespace plait::detail {

MixedWait::MixedWait(std::size_t count, WaitFor what, void** slots)
    : Members(count),
      what_(what),
      slots_(slots),
      errors_(count),
      missing_(count),
      over_([](const Deferred<void>&) {}),
      ended_([](const Deferred<void>&) { return CancelAnswer::later; }) {}

void MixedWait::count(std::size_t index, bool isValue) {
  --missing_;
  const bool decides =
      missing_ == 0 || what_ == WaitFor::firstEnd || isValue == (what_ == WaitFor::firstValue);
  if (decisive_ == kNone && decides) {
    decisive_ = index;
    if (!over_.isCalled()) over_.callback();
  }
  if (missing_ == 0) ended_.callback();
}

std::size_t MixedWait::wait(const std::source_location& at) {
  const auto end = [this, &at] {
    // Those that are left may use the caller's frame: nothing goes on before they have ended.
    const CancelShield shield;
    cancelAll();
    waitForDeferred(ended_, kForever, OnWaitEnd::cancelAndWait, at);
  };
  try {
    waitForDeferred(over_, kForever, OnWaitEnd::cancelAndWait, at);
  } catch (...) {
    end();
    throw;
  }
  end();
  return decisive_;
}

std::vector<Failure> MixedWait::failures() const {
  std::vector<Failure> all;
  for (const std::exception_ptr& each : errors_) {
    if (each) all.emplace_back(each);
  }
  return all;
}

}  // namespace plait::detail
