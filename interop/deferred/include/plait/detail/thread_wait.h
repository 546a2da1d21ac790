// One value on its way to a thread that sleeps for it. The giver is told of by its end, too: a
// ThreadAnswer that goes without having given says that none will come.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "plait/detail/owed_answer.h"
#include "plait/detail/raw.h"
#include "plait/error.h"

namespace plait::detail {

// Throws: std::logic_error on a thread that runs a loop.
void requireNoLoop(const char* what);

template <class T>
class ThreadWait final : public OwedAnswer {
 public:
  // Blocks the thread. Throws: ReactorStopped, saying `why`, if no value will come.
  T get(const char* why) {
    while (word_.load(std::memory_order_acquire) == kWaiting) raw::futexWait(word_, kWaiting);
    if (!value_) throw ReactorStopped(why);
    return std::move(*value_);
  }

  void refuse() noexcept override {
    if (!std::exchange(decided_, true)) end();
  }
  bool isGiven() const noexcept override { return decided_; }
  void give(T value) {
    if (std::exchange(decided_, true)) return;
    value_.emplace(std::move(value));
    end();
  }

 private:
  static constexpr std::uint32_t kWaiting = 0;
  static constexpr std::uint32_t kOver = 1;

  void end() noexcept {
    word_.store(kOver, std::memory_order_release);
    raw::futexWake(word_, 1);
  }

  bool decided_ = false;  // the giver's side
  std::optional<T> value_;
  std::atomic<std::uint32_t> word_{kWaiting};
};

template <class T>
class ThreadAnswer final {
 public:
  explicit ThreadAnswer(std::shared_ptr<ThreadWait<T>> wait) noexcept : wait_(std::move(wait)) {}
  ThreadAnswer(ThreadAnswer&&) noexcept = default;
  ThreadAnswer& operator=(ThreadAnswer&&) = delete;
  ~ThreadAnswer() {
    if (wait_) wait_->refuse();
  }
  // On the loop, before anything else: from then on its end is told.
  void begin() { wait_->oweHere(); }
  void give(T value) { std::exchange(wait_, nullptr)->give(std::move(value)); }

 private:
  std::shared_ptr<ThreadWait<T>> wait_;  // the sleeper may have gone, as with a limit of time
};

}  // namespace plait::detail
