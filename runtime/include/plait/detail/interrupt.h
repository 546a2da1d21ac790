// Ctrl-C. Each run that wants it takes part from its beginning to its end. While any does, the
// first SIGINT is told to all of them and sets the default action again, so a second one ends the
// process at once. When the last has ended, SIGINT is raised once more: whoever started the program
// sees that it ended by it. A SIGINT with an action of the program's own, or with a watch, is left
// alone.
#pragma once

#include <atomic>
#include <memory>

#include "plait/detail/inbox.h"
#include "plait/detail/task.h"

namespace plait::detail {

class Interruption final : public Task {
 public:
  // When it is told, `run` runs on the loop that listens.
  Interruption(bool wanted, Run run) noexcept;
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  // The loop that listens is gone by now.
  ~Interruption();

  // From now on it is told through the inbox; at once if the signal has come already.
  void listen(std::shared_ptr<Inbox> inbox) noexcept;
  bool hasArrived() const noexcept;

  // All is unwound. If SIGINT has come it does not return: the last ends the process, the others
  // wait for that.
  void finish() noexcept;

  void post() noexcept;  // by the signal handler

 private:
  void leave() noexcept;

  bool takesPart_ = false;
  unsigned forkGeneration_;
  std::atomic<bool> posted_{false};
  std::shared_ptr<Inbox> inbox_;  // shared with the loop, which goes before this
};

}  // namespace plait::detail
