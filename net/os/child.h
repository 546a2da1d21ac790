// A child from its start until it has been reaped, and what becomes of those that nobody holds any
// more.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "child_plan.h"
#include "plait/process.h"

namespace plait::os::detail {

// Shared by its handle, by those who wait for it and by the background: whoever sees its end first
// reaps it.
class Child final {
 public:
  explicit Child(std::string command) : command_(std::move(command)) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  void begin(const StartedChild& started) noexcept;

  // Returns when it is over: it has been reaped, by us or by somebody else. May switch. Throws
  // nothing but what strikes the fiber.
  void waitUntilOver();
  // Whether it is over. Never switches.
  bool tryReap() noexcept;
  // Of one that is over. Throws: IoError if somebody else took the status.
  ExitStatus status() const;

  // False if it is over. Throws: IoError.
  bool send(int number);
  bool sendToGroup(int number);
  bool kill() noexcept;  // false also if that is not allowed
  // SIGKILL, and waits; blocks the thread. For where there is no loop any more.
  void killAndReap() noexcept;
  // Started by this process, not by the one that forked it.
  bool isMine() const noexcept;

  int id() const noexcept { return id_; }
  std::string describe() const;  // "process 1234 (sleep 10)"

 private:
  long reap(int options) noexcept;
  bool recoverStatus() noexcept;
  bool checkSent(long result, int number) const;

  std::string command_;
  int id_ = -1;
  int descriptor_ = -1;
  unsigned forkGeneration_ = 0;
  std::optional<ExitStatus> status_;
  int lost_ = 0;  // errno: its status will never be known
  // Somebody else is just taking its status; the pidfd hangs up when that is done.
  bool beingTaken_ = false;
};

// From now on it is reaped in the background while the loop runs. One that was `killed` is reaped
// at the latest when the run ends. Never switches.
void leaveToBackground(std::shared_ptr<Child> child, bool killed) noexcept;

// Kills the child and waits for it, shielded, unless it is over when this goes. May switch. One
// that we may not kill (it runs as another user) is left to the background.
class KillUnlessOver final {
 public:
  explicit KillUnlessOver(std::shared_ptr<Child> child) noexcept : child_(std::move(child)) {}
  KillUnlessOver(const KillUnlessOver&) = delete;
  KillUnlessOver& operator=(const KillUnlessOver&) = delete;
  ~KillUnlessOver();

 private:
  std::shared_ptr<Child> child_;
};

}  // namespace plait::os::detail
