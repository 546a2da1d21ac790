#include "plait/timeout.h"

#include "plait/detail/alarm.h"
#include "scheduler.h"

namespace plait {
namespace {

std::string inWords(Duration wait) {
  const double milliseconds = static_cast<double>(wait.count()) / 1e6;
  std::string text = std::to_string(milliseconds);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text + " ms";
}

}  // namespace

std::string TimeoutExpired::message() const {
  return "timed out after " + inWords(after_) + " (at " + at_.file_name() + ":" +
         std::to_string(at_.line()) + ")";
}

Timeout::Timeout(Duration wait, std::source_location at) : Timeout(wait, nullptr, at) {}

Timeout::Timeout(Duration wait, std::exception_ptr error, std::source_location at)
    : fiber_(detail::Fiber::current("Timeout")),
      id_(detail::Scheduler::current()->nextId()),
      wait_(wait),
      at_(at),
      error_(std::move(error)) {
  blow_.beginScope(fiber_);
  if (wait != kForever) detail::armOnCurrentLoop(bell_, wait);
}

Timeout::~Timeout() { cancel(); }

void Timeout::cancel() noexcept {
  if (bell_.isArmed()) detail::disarmOnCurrentLoop(bell_);
  blow_.unlink();
}

void Timeout::restart(Duration wait) {
  cancel();
  expired_ = false;
  wait_ = wait;
  id_ = detail::Scheduler::current()->nextId();
  if (wait != kForever) detail::armOnCurrentLoop(bell_, wait);
}

void Timeout::Bell::ring(detail::Timer& timer) {
  Timeout& self = static_cast<Bell&>(timer).timeout;
  self.expired_ = true;
  self.fiber_.strike(self.blow_);
}

void Timeout::Blow::raise(detail::Strike& strike) {
  const Timeout& self = static_cast<Blow&>(strike).timeout;
  if (self.error_) std::rethrow_exception(self.error_);
  throw TimeoutExpired(self.id_, self.wait_, self.at_);
}

void detail::armOnCurrentLoop(Timer& timer, Duration wait) {
  Loop::require("a timeout").arm(timer, wait);
}

void detail::disarmOnCurrentLoop(Timer& timer) noexcept { Loop::current()->disarm(timer); }

}  // namespace plait
