// What an EventualResult is without its type: an end that threads wait for.
//
// Who ends it, once: the Deferred of its function; a cancel that came before the function began;
// the loop's end, which ends all that are left with ReactorStopped before anything of the loop is
// taken apart.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <source_location>
#include <typeinfo>

#include "plait/detail/owed_answer.h"
#include "plait/failure.h"
#include "plait/loop_handle.h"
#include "plait/time.h"

namespace plait::detail {

class EventualCore : public OwedAnswer {
 public:
  EventualCore(const LoopHandle& loop, const std::source_location& at);
  // Any thread.
  bool isEnded() const noexcept { return word_.load(std::memory_order_acquire) == kEnded; }
  void waitForEnd(Duration timeout);
  void requestCancel();
  void markRead() noexcept { read_.store(true, std::memory_order_relaxed); }
  // The last handle has gone: a failure that nobody has read is reported, now or when it comes.
  void abandon() noexcept;

  // The loop's thread.
  virtual void fail(Failure failure) = 0;
  bool begin();  // false if it was cancelled before
  void refuse() noexcept override;
  bool isGiven() const noexcept override { return isEnded(); }
  void dropUnrun() noexcept;

 protected:
  ~EventualCore() override = default;
  virtual void cancelHere() = 0;

  std::shared_ptr<EventualCore> shared() {
    return std::static_pointer_cast<EventualCore>(shared_from_this());
  }
  bool isCancelAsked() const noexcept { return cancelAsked_.load(std::memory_order_acquire); }
  bool beginEnd() noexcept;
  void finishEnd(std::exception_ptr error) noexcept;

 private:
  static constexpr std::uint32_t kPending = 0;
  static constexpr std::uint32_t kEnded = 1;

  void reportUnread() noexcept;

  LoopHandle loop_;
  unsigned forkGeneration_;
  std::source_location at_;
  std::atomic<std::uint32_t> word_{kPending};
  std::atomic<bool> ending_{false};
  std::atomic<bool> cancelAsked_{false};
  std::atomic<bool> read_{false};
  std::atomic<int> unread_{0};  // of the two that report: the end and the last handle's
  std::exception_ptr error_;    // set before word_
};

// In the closure that starts the function: one that is dropped unrun says so.
class EventualStart final {
 public:
  explicit EventualStart(std::shared_ptr<EventualCore> core) noexcept : core_(std::move(core)) {}
  EventualStart(EventualStart&&) noexcept = default;
  EventualStart& operator=(EventualStart&&) = delete;
  ~EventualStart() {
    if (core_) core_->dropUnrun();
  }
  bool begin() { return std::exchange(core_, nullptr)->begin(); }

 private:
  std::shared_ptr<EventualCore> core_;
};

// What the handles of one result share, and the loop does not.
class EventualHandle final {
 public:
  explicit EventualHandle(std::shared_ptr<EventualCore> core) noexcept : core_(std::move(core)) {}
  EventualHandle(const EventualHandle&) = delete;
  EventualHandle& operator=(const EventualHandle&) = delete;
  ~EventualHandle() { core_->abandon(); }

 private:
  std::shared_ptr<EventualCore> core_;
};

struct StashedResult {
  std::shared_ptr<EventualHandle> handle;
  std::shared_ptr<EventualCore> state;
};
std::uint64_t stashResult(const std::type_info& type, std::shared_ptr<EventualHandle> handle,
                          std::shared_ptr<EventualCore> state);
StashedResult unstashResult(const std::type_info& type, std::uint64_t number);

}  // namespace plait::detail
