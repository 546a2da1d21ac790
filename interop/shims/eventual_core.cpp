#include "plait/detail/eventual_core.h"

#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include "plait/detail/process.h"
#include "plait/detail/raw.h"
#include "plait/detail/thread_wait.h"
#include "plait/detail/type_name.h"
#include "plait/error.h"
#include "plait/report.h"

namespace plait::detail {
namespace {

constexpr int kEveryone = 0x7fffffff;

raw::Lock stashLock;
[[maybe_unused]] const bool kStashHeld = process::holdAcrossFork(stashLock);

struct Stash {
  struct Entry {
    const std::type_info* type;
    StashedResult result;
  };
  std::uint64_t last = 0;
  std::map<std::uint64_t, Entry> entries;
};
Stash& stash() {
  static auto* made = new Stash;  // threads may ask while the process exits
  return *made;
}

}  // namespace

EventualCore::EventualCore(const LoopHandle& loop, const std::source_location& at)
    : loop_(loop), forkGeneration_(process::forkGeneration()), at_(at) {}

void EventualCore::waitForEnd(Duration timeout) {
  if (!isEnded()) {
    if (forkGeneration_ != process::forkGeneration()) {
      throw ReactorStopped("EventualResult::wait: the loop is in the parent of this process");
    }
    requireNoLoop("EventualResult::wait()");
    const TimePoint deadline = timeout == kForever ? kNever : after(raw::monotonicNow(), timeout);
    while (!isEnded()) {
      if (raw::monotonicNow() >= deadline) {
        throw TimeoutError("EventualResult::wait: no result yet; it may be waited for again");
      }
      raw::futexWait(word_, kPending, deadline);
    }
  }
  markRead();
}

void EventualCore::requestCancel() {
  cancelAsked_.store(true, std::memory_order_release);
  try {
    loop_.callFromThread([self = shared()] { self->cancelHere(); });
  } catch (const ReactorStopped&) {
    // Then it has ended.
  }
}

bool EventualCore::begin() {
  if (isCancelAsked()) {
    fail(Failure(CancelledError("the function was cancelled before it began")));
    return false;
  }
  oweHere();
  return !isEnded();
}

void EventualCore::refuse() noexcept {
  fail(Failure(ReactorStopped("the loop ended before the function's result was there")));
}

void EventualCore::dropUnrun() noexcept {
  fail(Failure(ReactorStopped("the loop ended before it began with the function")));
}

bool EventualCore::beginEnd() noexcept { return !ending_.exchange(true); }

void EventualCore::finishEnd(std::exception_ptr error) noexcept {
  error_ = std::move(error);
  word_.store(kEnded, std::memory_order_release);
  raw::futexWake(word_, kEveryone);
  reportUnread();
}

void EventualCore::abandon() noexcept { reportUnread(); }

// Called at the end and when the last handle goes: the second of the two knows enough.
void EventualCore::reportUnread() noexcept {
  if (unread_.fetch_add(1, std::memory_order_acq_rel) == 0) return;
  if (!error_ || read_.load(std::memory_order_relaxed)) return;
  reportError(std::string("EventualResult of the call at ") + at_.file_name() + ":" +
                  std::to_string(at_.line()) + ", which nobody has read,",
              error_);
}

std::uint64_t stashResult(const std::type_info& type, std::shared_ptr<EventualHandle> handle,
                          std::shared_ptr<EventualCore> state) {
  Stash& all = stash();
  const raw::Locked locked(stashLock);
  const std::uint64_t number = ++all.last;
  all.entries.emplace(number, Stash::Entry{&type, {std::move(handle), std::move(state)}});
  return number;
}

StashedResult unstashResult(const std::type_info& type, std::uint64_t number) {
  Stash& all = stash();
  const raw::Locked locked(stashLock);
  const auto place = all.entries.find(number);
  if (place == all.entries.end()) {
    throw std::out_of_range("retrieveResult: nothing is stashed under " + std::to_string(number));
  }
  if (*place->second.type != type) {
    throw std::logic_error("retrieveResult: under " + std::to_string(number) +
                           " is an EventualResult<" + typeName(*place->second.type) + ">");
  }
  StashedResult result = std::move(place->second.result);
  all.entries.erase(place);
  return result;
}

}  // namespace plait::detail
