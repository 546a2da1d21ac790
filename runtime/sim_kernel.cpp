#include "sim_kernel.h"

#include <algorithm>
#include <cerrno>

#include "plait/detail/raw.h"
#include "sim_file.h"

namespace plait {

SimOptions SimOptions::hostile(std::uint64_t seed) {
  SimOptions options;
  options.seed = seed;
  options.shortTransfers = true;
  options.reorder = true;
  options.delays = true;
  options.cancelLossRate = 0.5;
  options.multishotEndRate = 0.1;
  options.clockStep = std::chrono::microseconds(1);
  return options;
}

}  // namespace plait

namespace plait::detail {
namespace {

using sim::Direction;
using sim::What;

Direction directionOf(OpKind kind) noexcept {
  switch (kind) {
    case OpKind::read:
    case OpKind::readPieces:
    case OpKind::recv:
    case OpKind::recvMessage:
    case OpKind::accept:
    case OpKind::acceptMany:
      return Direction::in;
    case OpKind::write:
    case OpKind::writePieces:
    case OpKind::send:
    case OpKind::sendMessage:
    case OpKind::connect:
      return Direction::out;
    default:
      return Direction::none;
  }
}

sim::Lane* laneOf(const sim::Flight& flight) noexcept {
  if (!flight.target || flight.direction == Direction::none) return nullptr;
  return &flight.target->lanes[static_cast<std::size_t>(flight.direction)];
}

}  // namespace

SimKernel::SimKernel(const SimOptions& options, SimFault fault)
    : options_(options),
      fault_(std::move(fault)),
      dice_(options.seed),
      network_(options_, dice_),
      schedule_(options_, dice_) {
  // Nothing is ever in a completion queue: what is due is told by the flag.
  doorbell_ = {&due_, &due_, &due_, kDue};
  info_.name = "sim";
  info_.reason = "asked for, with seed " + std::to_string(options.seed);
  if (options.shortTransfers) info_.features.emplace_back("short_transfers");
  if (options.reorder) info_.features.emplace_back("reorder");
  if (options.delays) info_.features.emplace_back("delays");
}

SimKernel::~SimKernel() { PLAIT_ASSERT(abandoned_ || operationsAbandoned_ || flights_.empty()); }

void SimKernel::submit(Op& op) noexcept {
  PLAIT_ASSERT(!op.inFlight);
  op.inFlight = true;
  op.cancelRequested = false;
  ++counters_.submitted;
  Flight flight{&op, ++flightNext_, nullptr, directionOf(op.kind)};
  if (op.kind != OpKind::nop && op.kind != OpKind::close) {
    flight.target = network_.find(op.descriptor);
    if (flight.target) ++flight.target->users;
  }
  submissions_.push_back({&op, flight.number, false});
  submitted_ = true;
  flights_.emplace(&op, std::move(flight));
}

void SimKernel::cancel(Op& op) noexcept {
  PLAIT_ASSERT(op.inFlight);
  if (op.cancelRequested) return;
  op.cancelRequested = true;
  ++counters_.submitted;
  submissions_.push_back({&op, flights_.at(&op).number, true});
  submitted_ = true;
}

void SimKernel::cancelDescriptor(int descriptor) noexcept {
  ++counters_.submitted;
  submissions_.push_back({nullptr, 0, true, descriptor});
  submitted_ = true;
}

std::int32_t SimKernel::call(Op& op) noexcept {
  if (fault_) {
    if (const int error = fault_(op)) return -error;
  }
  if (!network_.find(op.descriptor) && sim::isForFile(op)) return sim::callFile(op, nullptr);
  const std::int32_t result = op.kind == OpKind::close ? close(op.descriptor) : network_.call(op);
  scheduleRetries();
  ring();
  return result;
}

void SimKernel::turn(TimePoint deadline) {
  ++counters_.enters;
  takeSubmissions();
  bool told = runDue();
  // An announced sleep that nobody has ended: let time pass up to the next completion.
  while (!told && schedule_.now() < deadline && awake_.load(std::memory_order_seq_cst) == kAsleep) {
    const TimePoint next = std::min(nextEvent(), deadline);
    if (next == kNever) {
      // Only another thread can help. A signal ends the wait too, as it ends a real kernel's.
      raw::futexWait(awake_, kAsleep);
      break;
    }
    schedule_.advance(next);
    told = runDue();
  }
  awake_.store(kAwake, std::memory_order_relaxed);
  ring();
}

void SimKernel::announceSleep() noexcept { awake_.store(kAsleep, std::memory_order_seq_cst); }

void SimKernel::wake() noexcept {
  if (awake_.exchange(kAwake, std::memory_order_seq_cst) == kAsleep) raw::futexWake(awake_, 1);
}

TimePoint SimKernel::now() const noexcept {
  const TimePoint result = schedule_.now();
  schedule_.advance(after(result, options_.clockStep));
  ring();
  return result;
}

void SimKernel::takeSubmissions() {
  submitted_ = false;
  for (const Submission& each : std::exchange(submissions_, {})) {
    if (each.op == nullptr) {
      const sim::Pointer target = network_.find(each.descriptor);
      if (!target) continue;
      for (Flight* const flight : target->waiting) askForCancel(*flight);
      continue;
    }
    Flight* const flight = flightOf(each.op, each.flight);
    if (flight == nullptr) continue;
    if (each.isCancel) {
      askForCancel(*flight);
    } else {
      start(*flight);
    }
  }
}

void SimKernel::start(Flight& flight) {
  const Op& op = *flight.op;
  if (fault_) {
    if (const int error = fault_(op)) return finish(flight, -error, false);
  }
  if (op.kind == OpKind::nop) return finish(flight, 0, false);
  if (!flight.target && sim::isForFile(op)) {
    return finish(flight, sim::callFile(op, options_.shortTransfers ? &dice_ : nullptr), false);
  }
  if (op.kind == OpKind::close) return finish(flight, close(op.descriptor), false);
  if (!flight.target) return finish(flight, -EBADF, false);
  tryOrWait(flight);
  const bool mayGiveUp = op.kind == OpKind::connect && flight.target->isTcp();
  if (!mayGiveUp || flight.stage != Flight::Stage::waiting) return;
  schedule_.add({.what = What::giveUp, .op = flight.op, .flight = flight.number},
                {after(schedule_.now(), kConnectTimeout), 0});
}

void SimKernel::tryOrWait(Flight& flight) {
  auto& waiting = flight.target->waiting;
  const bool overtakes = flight.direction != Direction::none &&
                         std::any_of(waiting.begin(), waiting.end(), [&](const Flight* each) {
                           return each->direction == flight.direction;
                         });
  if (!overtakes && attempt(flight)) return;
  flight.stage = Flight::Stage::waiting;
  waiting.push_back(&flight);
}

bool SimKernel::attempt(Flight& flight) {
  const bool many = flight.op->kind == OpKind::acceptMany;
  for (;;) {
    const sim::Outcome result = network_.attempt(*flight.op, *flight.target, flight.done);
    scheduleRetries();
    if (!result) return false;
    const bool more = many && *result >= 0 && !dice_.hit(options_.multishotEndRate);
    finish(flight, *result, more);
    if (!more) return true;
  }
}

void SimKernel::retry(sim::Description& target) {
  target.touched = false;
  bool blocked[2] = {false, false};
  const auto waiting = target.waiting;
  for (Flight* const flight : waiting) {
    const auto direction = static_cast<std::size_t>(flight->direction);
    if (flight->direction != Direction::none && blocked[direction]) continue;
    if (attempt(*flight)) {
      std::erase(target.waiting, flight);
    } else if (flight->direction != Direction::none) {
      blocked[direction] = true;
    }
  }
}

void SimKernel::askForCancel(Flight& flight) {
  if (flight.stage != Flight::Stage::waiting) return;
  schedule_.add({.what = What::cancel, .op = flight.op, .flight = flight.number},
                schedule_.placeSoon());
}

void SimKernel::endEarly(Flight& flight, std::int32_t result) {
  if (flight.stage != Flight::Stage::waiting) return;
  const bool loses = result == -ECANCELED && dice_.hit(options_.cancelLossRate);
  const bool ended = loses && attempt(flight);
  std::erase(flight.target->waiting, &flight);
  // What was moved is told, or it would be lost.
  if (!ended) {
    finish(flight, flight.done > 0 ? static_cast<std::int32_t>(flight.done) : result, false);
  }
  // Who stood behind it in its direction may be first now.
  network_.touch(flight.target.get());
  scheduleRetries();
}

void SimKernel::finish(Flight& flight, std::int32_t result, bool more) {
  if (!more) flight.stage = Flight::Stage::finished;
  sim::Place place = schedule_.placeSoon();
  if (sim::Lane* const lane = laneOf(flight)) {
    if (lane->pending > 0) place = std::max(place, lane->last);
    ++lane->pending;
    lane->last = place;
  }
  schedule_.add({.what = What::tell,
                 .op = flight.op,
                 .flight = flight.number,
                 .result = result,
                 .more = more},
                place);
}

void SimKernel::tell(const sim::Event& event) {
  Op& op = *event.op;
  Flight& flight = *flightOf(&op, event.flight);
  PLAIT_ASSERT(op.inFlight);
  ++counters_.completed;
  if (sim::Lane* const lane = laneOf(flight)) --lane->pending;
  if (!event.more) {
    const sim::Pointer target = std::move(flight.target);
    flights_.erase(&op);
    op.inFlight = false;
    if (target && --target->users == 0 && target->closed) network_.release(*target);
    scheduleRetries();
  }
  op.complete(op, event.result, event.more);
}

std::int32_t SimKernel::close(int descriptor) {
  const sim::Pointer target = network_.find(descriptor);
  if (!target) return -EBADF;
  const bool mayCloseInFlight = !options_.abortOnCloseInFlight;
  PLAIT_ASSERT(mayCloseInFlight || target->users == 0);
  network_.forget(descriptor);
  if (target->users == 0) {
    network_.release(*target);
  } else {
    ++violations_;  // tell() releases it
  }
  return 0;
}

bool SimKernel::runDue() {
  bool told = false;
  sim::Event event;
  while (schedule_.takeDue(event)) {
    if (event.what == What::tell) {
      told = true;
      tell(event);
      continue;
    }
    if (event.what == What::retry) {
      retry(*event.target);
      continue;
    }
    Flight* const flight = flightOf(event.op, event.flight);
    if (flight == nullptr) continue;
    endEarly(*flight, event.what == What::cancel ? -ECANCELED : -ETIMEDOUT);
  }
  return told;
}

TimePoint SimKernel::nextEvent() {
  // The clock must not jump to the end of a patience that nobody needs any more.
  const sim::Event* next = schedule_.next();
  for (; next != nullptr && next->what == What::giveUp; next = schedule_.next()) {
    const Flight* const flight = flightOf(next->op, next->flight);
    if (flight != nullptr && flight->stage == Flight::Stage::waiting) break;
    schedule_.drop();
  }
  return next == nullptr ? kNever : next->place.first;
}

void SimKernel::ring() const noexcept { due_ = schedule_.hasDue() ? kDue : 0; }

void SimKernel::scheduleRetries() {
  for (sim::Pointer& each : network_.takeTouched()) {
    schedule_.add({.what = What::retry, .target = std::move(each)}, schedule_.placeSoon());
  }
}

SimKernel::Flight* SimKernel::flightOf(const Op* op, std::uint64_t number) noexcept {
  const auto found = flights_.find(op);
  return found != flights_.end() && found->second.number == number ? &found->second : nullptr;
}

std::unique_ptr<Kernel> makeSimKernel(const SimOptions& options, SimFault fault) {
  return std::make_unique<SimKernel>(options, std::move(fault));
}

}  // namespace plait::detail
