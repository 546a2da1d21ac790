// What a Process is behind its movable handle.
#pragma once

#include <memory>

#include "child.h"
#include "plait/pipe.h"
#include "plait/process.h"

namespace plait::os::detail {

class ProcessState final {
 public:
  explicit ProcessState(const ProcessOptions& options)
      : grace(options.terminateGrace), leadsGroup(options.newGroup || options.newSession) {}
  ProcessState(const ProcessState&) = delete;
  ProcessState& operator=(const ProcessState&) = delete;
  // Of a child that runs and is not detached: it is killed, and left to the background.
  ~ProcessState();

  std::shared_ptr<Child> child;
  PipeStream input;
  PipeStream output;
  PipeStream error;
  const Duration grace;
  const bool leadsGroup;
  bool detached = false;
};

// Starts it with its pipes. May switch. Throws: as Process::start().
std::unique_ptr<ProcessState> startProcess(std::vector<std::string> arguments,
                                           const ProcessOptions& options);

Process::Output communicate(ProcessState& state, std::string_view input, std::size_t limit);

}  // namespace plait::os::detail
