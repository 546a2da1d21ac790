#include "board.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "http_date.h"
#include "plait/detail/waiter.h"
#include "plait/error.h"

namespace plait::http::detail {

using namespace std::chrono_literals;

std::exception_ptr DeadlineExpired::asError() const {
  return std::make_exception_ptr(TimeoutError(reason()));
}

Watch::Watch(Board& board) : board_(board), fiber_(current()) {
  // Nobody has looked at the clock while there was nobody to be watched.
  if (board_.isEmpty()) board_.readClock();
  place_ = board_.watches_.size();
  board_.watches_.push_back(this);
}

Watch::~Watch() {
  board_.watches_[place_] = board_.watches_.back();
  board_.watches_[place_]->place_ = place_;
  board_.watches_.pop_back();
}

void Watch::strike() {
  deadline_ = kNever;
  isStruck_ = true;
  fiber_.requestKill(std::make_exception_ptr(DeadlineExpired(phase_)));
}

void Watch::settleNow() {
  isStruck_ = false;
  try {
    plait::detail::checkpoint();
  } catch (const DeadlineExpired&) {
    // The call has done its work after all.
  }
}

Watch::Scope::Scope(Watch& watch, Phase phase, Duration wait) noexcept
    : watch_(watch), phase_(watch.phase_), deadline_(watch.deadline_) {
  watch_.phase_ = phase;
  watch_.deadline_ = after(watch_.board_.time(), wait);
}

namespace {

// Often enough for the shortest deadline.
Duration lookEveryFor(const ServerOptions& options) {
  const Duration shortest =
      std::min({options.idleTimeout, options.headerTimeout, options.bodyTimeout,
                options.handlerTimeout, options.writeTimeout});
  return std::clamp<Duration>(shortest / 4, 10ms, 1s);
}

}  // namespace

Board::Board(App a, ServerOptions o)
    : app(std::move(a)), options(std::move(o)), lookEvery_(lookEveryFor(options)) {
  readClock();
}

void Board::readClock() {
  time_ = now();
  const auto second = inSeconds(std::chrono::system_clock::now());
  if (second == dateSecond_) return;
  dateSecond_ = second;
  dateLine_ = "Date: " + formatDate(second) + "\r\n";
}

void Board::look() {
  readClock();
  for (Watch* const each : watches_) {
    if (!each->isOver(time_)) continue;
    ++statistics.expired;
    each->strike();
  }
}

void Board::strikeIdle() {
  for (Watch* const each : watches_) {
    if (each->phase() == Phase::idle) each->strike();
  }
}

}  // namespace plait::http::detail
