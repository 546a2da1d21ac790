#include "plait/detail/fiber.h"

#include <cstring>
#include <stdexcept>
#include <typeinfo>

#include "fiber_extras.h"
#include "plait/error.h"
#include "plait/greenlet_exit.h"
#include "plait/report.h"
#include "plait/timeout.h"
#include "scheduler.h"

namespace plait::detail {
namespace {

// The head of __cxa_exception, fixed by the Itanium C++ ABI, as far as it is read here.
struct CaughtException {
  const std::type_info* type;
  void (*destructor)(void*);
  void (*unexpected)();
  void (*terminate)();
  const CaughtException* next;
};

}  // namespace

Fiber::Fiber(const SpawnOptions& options, const std::source_location& at)
    : Task(&Fiber::resume), spawnedAt_(at), stackBytes_(options.stackBytes) {
  FiberMachine::construct(*this);
  if (!options.name.empty()) setName(options.name);
}

Fiber::~Fiber() = default;

void Fiber::destroy() noexcept {
  const bool neverTaken = error_ && !observed_ && !killed_;
  if (neverTaken && currentFiber != nullptr && currentFiber->state_ != State::running) {
    // Between two fibers: a sink may want to know who runs, so a callback tells it.
    scheduler_->loop().callSoon([context = describe(), error = error_]() mutable {
      reportError(std::move(context), error);
    });
  } else if (neverTaken) {
    reportError(describe(), error_);
  }
  delete this;
}

FiberExtras& Fiber::extras() {
  if (!extras_) extras_ = std::make_unique<FiberExtras>();
  return *extras_;
}

std::string Fiber::name() const {
  if (extras_ && !extras_->name.empty()) return extras_->name;
  if (isCallback_) return describe();
  return "greenlet-" + std::to_string(id_);
}

void Fiber::setName(std::string name) { extras().name = std::move(name); }

std::string Fiber::describe() const {
  const std::string place =
      std::string(spawnedAt_.file_name()) + ":" + std::to_string(spawnedAt_.line());
  if (isCallback_) return "callback at " + place;
  return "greenlet '" + name() + "' (spawned at " + place + ")";
}

std::string Fiber::describeWait() const {
  if (state_ != State::parked || waiter_ == nullptr) return {};
  const WaitReason& reason = waiter_->reason();
  std::string text = reason.verb;
  if (reason.describe != nullptr) {
    text += ' ';
    text += reason.describe(reason.object);
  }
  return text;
}

std::size_t describeForSignal(const Fiber& fiber, char* into, std::size_t bytes) noexcept {
  // In a signal handler on a broken stack: no allocation, and a name that is there already.
  std::size_t used = 0;
  const auto add = [&](const char* text) {
    const std::size_t length = std::min(std::strlen(text), bytes - used);
    std::memcpy(into + used, text, length);
    used += length;
  };
  const auto addNumber = [&](std::uint64_t value) {
    char digits[24];
    char* digit = digits + sizeof digits;
    *--digit = '\0';
    do *--digit = static_cast<char>('0' + value % 10);
    while ((value /= 10) != 0);
    add(digit);
  };
  if (const std::source_location* const callback = Scheduler::callbackOn(fiber)) {
    add("callback at ");
    add(callback->file_name());
    add(":");
    addNumber(callback->line());
    return used;
  }
  const FiberExtras* const extras = const_cast<Fiber&>(fiber).extrasOrNull();
  add("fiber '");
  if (extras != nullptr && !extras->name.empty()) {
    add(extras->name.c_str());
  } else {
    add("greenlet-");
    addNumber(fiber.id());
  }
  add("' (spawned at ");
  add(fiber.spawnedAt().file_name());
  add(":");
  addNumber(fiber.spawnedAt().line());
  add(")");
  return used;
}

Fiber& Fiber::current(const char* what) {
  Fiber* const fiber = currentOrNull();
  if (fiber == nullptr) {
    throw std::logic_error(std::string(what) +
                           " can only be called inside plait::run(), on the loop's thread");
  }
  fiber->scheduler_->giveIdentity();
  return *fiber;
}

void Fiber::start() {
  Loop::require("spawn()");
  Scheduler::current()->add(*this);
}

void StartTimer::start(Timer& timer) {
  Scheduler::current()->makeReady(static_cast<StartTimer&>(timer).fiber);
}

void Fiber::startLater(Duration wait) {
  Loop& loop = Loop::require("spawnLater()");
  Scheduler::current()->addLater(*this);
  if (killRequested_ || !strikes_.isEmpty()) {
    // The run is closing, or an observer wants so: it ends now, without having run.
    scheduler_->makeReady(*this);
    return;
  }
  extras().startTimer = std::make_unique<StartTimer>(*this);
  loop.arm(*extras().startTimer, wait);
}

void Fiber::runBody() noexcept {
  if (extras_) extras_->startTimer.reset();
  try {
    // A fiber killed before its start never runs.
    throwPending();
    body();
  } catch (const GreenletExit&) {
    killed_ = true;
    error_ = std::make_exception_ptr(GreenletKilled(describe() + " was killed"));
  } catch (const TimeoutExpired& expired) {
    error_ = std::make_exception_ptr(TimeoutError(expired.message()));
  } catch (...) {
    error_ = std::current_exception();
  }
  // Destructors of the function, its captures and the locals may block: they run on this fiber,
  // shielded.
  ++shieldDepth;
  dropFunction();
  dropLocals();
  if (references_ == 1) dropValue();
  --shieldDepth;
}

void Fiber::dropLocals() noexcept {
  if (!extras_) return;
  // A destructor may make new locals.
  while (!extras_->locals.empty()) {
    const LocalSlot slot = extras_->locals.back();
    extras_->locals.pop_back();
    slot.destroy(slot.value);
  }
}

// --- kill and strikes ---

void Strike::beginScope(const Fiber& running) noexcept {
  shieldDepth = running.shieldDepth;
  insideHandler = running.handlesKill();
  unwindDepth = Scheduler::current()->exceptionsNow().uncaught;
}

unsigned Fiber::unwindDepth() const noexcept {
  return state_ == State::running ? scheduler_->exceptionsNow().uncaught
                                  : FiberMachine::of(*this).exceptions.uncaught;
}

bool Fiber::killMayStrike() const noexcept {
  return shieldDepth == 0 && unwindDepth() == 0 && !isHandlingKill();
}

// Blocking inside the handler of a kill is how C++ spells "finally": what else would strike waits
// until it is over. Handlers may be nested, so the whole chain of caught exceptions is looked at.
bool Fiber::isHandlingKill() const noexcept {
  const void* const caught = state_ == State::running ? scheduler_->exceptionsNow().caught
                                                      : FiberMachine::of(*this).exceptions.caught;
  for (auto* each = static_cast<const CaughtException*>(caught); each != nullptr;
       each = each->next) {
    if (*each->type == typeid(GreenletExit)) return true;
  }
  return false;
}

void Fiber::countDropped() noexcept {
  // A fiber that was abandoned or forgotten outlives its scheduler.
  if (scheduler_ != nullptr && scheduler_ == Scheduler::current()) scheduler_->countDroppedHandle();
}

Strike* Fiber::nextStrike() const noexcept {
  if (strikes_.isEmpty()) return nullptr;
  return strikes_.find([this](const Strike& strike) {
    return shieldDepth <= strike.shieldDepth && unwindDepth() <= strike.unwindDepth &&
           (strike.insideHandler || !isHandlingKill());
  });
}

bool Fiber::somethingMayStrike() const noexcept {
  return (killRequested_ && killMayStrike()) || nextStrike() != nullptr;
}

void Fiber::throwPendingNow() {
  if (scheduler_->isForked()) {
    throw Error(std::errc::owner_dead,
                "this process is a forked child and the loop is its parent's: call "
                "plait::afterForkInChild() first, or exec");
  }
  if (killRequested_ && killMayStrike()) {
    // A loop that swallows kills must not keep the thread to itself.
    if (++killStrikes_ > 1) {
      scheduler_->countSwallowedKill();
      if (noSwitchDepth == 0) scheduler_->holdUp(*this, killStrikes_);
    }
    throw GreenletExit();
  }
  if (Strike* const strike = nextStrike()) {
    strike->unlink();
    strike->raise();
  }
  pending_ = killRequested_ || !strikes_.isEmpty() || noSwitchDepth > 0;
}

void Fiber::deliver() noexcept {
  if (state_ != State::parked || waiter_ == nullptr) return;
  WaiterCore& waiter = *waiter_;
  if (waiter.state_ != WaiterCore::State::parked || waiter.cancelAsked_) return;
  if (!somethingMayStrike()) return;
  waiter.cancelAsked_ = true;
  if (waiter.onCancel_(waiter.context_) == OnCancel::stay) return;
  waiter.state_ = WaiterCore::State::left;
  scheduler_->makeReady(*this);
}

void Fiber::requestKill() noexcept {
  if (isFinished() || killRequested_) return;
  killRequested_ = pending_ = true;
  if (extras_) extras_->stop.request_stop();
  if (state_ == State::created) {
    startNow();
    return;
  }
  deliver();
}

std::stop_token Fiber::stopToken() {
  std::stop_source& stop = extras().stop;
  if (!stop.stop_possible()) {
    stop = std::stop_source();
    if (killRequested_ || killed_) stop.request_stop();
  }
  return stop.get_token();
}

// Spawned for later and struck before: it begins at once, to end without having run.
void Fiber::startNow() noexcept {
  // Not yet in line, told to a spawn observer: whoever spawns it looks.
  if (!extras_ || !extras_->startTimer) return;
  scheduler_->loop().disarm(*extras_->startTimer);
  scheduler_->makeReady(*this);
}

void Fiber::strike(Strike& strike) noexcept {
  if (isFinished()) return;
  strikes_.append(strike);
  pending_ = true;
  deliver();
}

void Fiber::strikeWith(std::exception_ptr error) {
  if (isFinished()) return;
  auto& owned = extras().strikes;
  std::erase_if(owned, [](const auto& each) { return !each->isLinked(); });  // they have struck
  owned.push_back(std::make_unique<ExceptionStrike>(std::move(error)));
  strike(*owned.back());
  if (state_ == State::created) {
    startNow();
  }
}

void Fiber::requireMayPark(const char* call) const {
  if (noSwitchDepth == 0) return;
  throw std::logic_error(describe() + " would park in " + call + " inside the NoSwitchScope at " +
                         noSwitchPlace->file_name() + ":" + std::to_string(noSwitchPlace->line()));
}

}  // namespace plait::detail
