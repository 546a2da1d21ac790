// What the connections of one server share, and how they are kept to their deadlines: each says in
// its Watch what it waits for and until when; one fiber looks at all of them, so a request costs no
// timer and no look at the clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "plait/cancellation.h"
#include "plait/greenlet.h"
#include "plait/http_app.h"
#include "plait/http_server.h"
#include "plait/time.h"

namespace plait::http::detail {

// What a connection is at. `free`: whatever the user's code does, for as long as it likes.
enum class Phase : std::uint8_t { free, idle, head, handler, body, write, linger };

// On its way through a connection's fiber when its deadline has passed. Handlers see it, too.
class DeadlineExpired final : public Cancellation {
 public:
  explicit DeadlineExpired(Phase phase) noexcept : phase_(phase) {}
  const char* reason() const noexcept override { return "the HTTP server's deadline has passed"; }
  std::exception_ptr asError() const override;
  Phase phase() const noexcept { return phase_; }

 private:
  Phase phase_;
};

class Board;

// One connection on the board; lives on its fiber.
class Watch final {
 public:
  explicit Watch(Board& board);
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch();

  Board& board() const noexcept { return board_; }
  Phase phase() const noexcept { return phase_; }
  bool isOver(TimePoint now) const noexcept { return deadline_ <= now; }
  // Throws DeadlineExpired in the fiber. Never switches.
  void strike();
  // The handler has begun to answer: from now on it may take its time.
  void leaveHandler() noexcept {
    if (phase_ != Phase::handler) return;
    phase_ = Phase::free;
    deadline_ = kNever;
  }
  // At a phase's end: forgets a strike that came too late for the call it was meant for, so that it
  // does not hit what follows. May switch. Throws: what else cancels the fiber.
  void settle() {
    if (isStruck_) settleNow();
  }

  // A phase, until its end; the one before goes on then.
  class Scope final {
   public:
    Scope(Watch& watch, Phase phase, Duration wait) noexcept;
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() {
      watch_.phase_ = phase_;
      watch_.deadline_ = deadline_;
    }

   private:
    Watch& watch_;
    const Phase phase_;
    const TimePoint deadline_;
  };

 private:
  friend class Board;
  void settleNow();

  Board& board_;
  AnyGreenlet fiber_;
  std::size_t place_ = 0;  // among the board's watches
  Phase phase_ = Phase::free;
  bool isStruck_ = false;
  TimePoint deadline_ = kNever;
};

class Board final {
 public:
  Board(App a, ServerOptions o);

  // The time as of the last look; at most lookEvery() old while there are connections.
  TimePoint time() const noexcept { return time_; }
  const std::string& dateLine() const noexcept { return dateLine_; }  // "Date: ...\r\n"
  Duration lookEvery() const noexcept { return lookEvery_; }
  // Looks at the clock and strikes whose time is over. Never switches.
  void look();
  // Strikes those that wait for a request. Never switches.
  void strikeIdle();
  bool isEmpty() const noexcept { return watches_.empty(); }
  std::size_t size() const noexcept { return watches_.size(); }

  const App app;
  const ServerOptions options;
  ServerStatistics statistics;
  bool isStopping = false;

 private:
  friend class Watch;

  void readClock();

  std::vector<Watch*> watches_;
  TimePoint time_{};
  Duration lookEvery_;
  std::chrono::sys_seconds dateSecond_{};
  std::string dateLine_;
};

}  // namespace plait::http::detail
