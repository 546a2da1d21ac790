#include "plait/run_threads.h"

#include <atomic>
#include <cstdint>
#include <exception>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include "plait/detail/interrupt.h"
#include "plait/detail/loop.h"
#include "plait/detail/raw.h"

namespace plait {
namespace detail {

class ThreadTeam final {
 public:
  ThreadTeam(std::size_t count, std::function<void(TeamMember&)> main, const RunOptions& options)
      : main_(std::move(main)),
        options_(options),
        interruption_(options.endOnInterrupt, nullptr),
        seats_(count),
        missing_(static_cast<std::uint32_t>(count)) {}

  void runAll() {
    std::vector<std::thread> threads;
    try {
      for (std::size_t i = 1; i < seats_.size(); ++i) {
        threads.emplace_back([this, i] { runOne(i); });
      }
    } catch (const std::system_error&) {
      // None of the mains begins: those loops that exist see the error when all have arrived.
      fail(std::current_exception());
      cannotBegin_.store(true);
      for (std::size_t i = threads.size(); i < seats_.size(); ++i) arrive();
    }
    if (!cannotBegin_) runOne(0);
    for (std::thread& thread : threads) thread.join();
    if (error_ && interruption_.hasArrived()) reportError("runThreads()", error_);
    interruption_.finish();
    if (error_) std::rethrow_exception(error_);
  }

  std::size_t count() const noexcept { return seats_.size(); }

  LoopHandle loop(std::size_t index) {
    const raw::Locked guard(lock_);
    if (!seats_.at(index).handle) throw ReactorStopped("that loop of the team never ran");
    return *seats_[index].handle;
  }

  void stop(bool kill) {
    const raw::Locked guard(lock_);
    for (Seat& seat : seats_) {
      if (!seat.handle || seat.handle->isStopped()) continue;
      try {
        seat.handle->callFromThread([&seat, kill] {
          if (seat.member != nullptr) seat.member->stopRequested().set();
          if (kill && seat.main) seat.main->requestKill();
        });
      } catch (const ReactorStopped&) {
        // It ended meanwhile, which is what was asked.
      }
    }
  }

 private:
  static constexpr int kEveryone = 0x7fffffff;

  struct Seat {
    std::optional<LoopHandle> handle;
    TeamMember* member = nullptr;  // the loop's thread only, as is `main`
    std::optional<AnyGreenlet> main;
  };

  void runOne(std::size_t index) {
    bool arrived = false;
    try {
      runMember([this, index, &arrived] {
        TeamMember member(*this, index);
        sit(index, member);
        arrived = true;
        arrive();
        struct Leave {
          ThreadTeam& team;
          std::size_t seat;
          ~Leave() { team.leave(seat); }
        };
        const Leave leave{*this, index};
        awaitOthers();
        if (!cannotBegin_) main_(member);
      });
    } catch (const GreenletKilled&) {
      // Another main has failed; its error is the one that counts.
    } catch (...) {
      fail(std::current_exception());
    }
    if (!arrived) arrive();
  }

  // run(), but Ctrl-C ends the process only when all threads have been joined.
  template <class F>
  void runMember(F main) {
    auto fiber = makeGreenlet(std::move(main), {"main", 0}, std::source_location::current());
    runMain(*fiber, options_, true);
  }

  void sit(std::size_t index, TeamMember& member) {
    const raw::Locked guard(lock_);
    seats_[index].handle.emplace();
    seats_[index].member = &member;
    seats_[index].main = current();
  }

  void leave(std::size_t index) noexcept {
    seats_[index].member = nullptr;
    seats_[index].main.reset();
    const raw::Locked guard(lock_);
    seats_[index].handle.reset();
  }

  void arrive() noexcept {
    if (missing_.fetch_sub(1, std::memory_order_acq_rel) == 1) raw::futexWake(missing_, kEveryone);
  }

  // All loops shall exist before the first main begins: until then this thread has nothing else to
  // do.
  void awaitOthers() noexcept {
    while (const std::uint32_t left = missing_.load(std::memory_order_acquire)) {
      raw::futexWait(missing_, left);
    }
  }

  void fail(std::exception_ptr error) noexcept {
    {
      const raw::Locked guard(lock_);
      if (!error_) error_ = std::move(error);
    }
    stop(true);
  }

  std::function<void(TeamMember&)> main_;
  const RunOptions& options_;
  Interruption interruption_;
  raw::Lock lock_;
  std::vector<Seat> seats_;
  std::exception_ptr error_;
  std::atomic<bool> cannotBegin_{false};  // a thread was refused
  std::atomic<std::uint32_t> missing_;    // loops that do not exist yet
};

}  // namespace detail

std::size_t TeamMember::count() const noexcept { return team_.count(); }
LoopHandle TeamMember::loop(std::size_t index) const { return team_.loop(index); }
void TeamMember::stop() const { team_.stop(false); }

void runThreads(std::size_t count, std::function<void(TeamMember&)> main,
                const RunOptions& options) {
  if (count == 0) throw std::logic_error("runThreads needs at least one thread");
  if (detail::Loop::current() != nullptr) {
    throw std::logic_error("runThreads cannot be called inside a run");
  }
  detail::ThreadTeam(count, std::move(main), options).runAll();
}

}  // namespace plait
