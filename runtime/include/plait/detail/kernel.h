// What a Loop needs from below: operations, time, and a wait that other threads can end. Two
// implementations: uring (the default) and sim (its own descriptors, network and virtual clock).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "plait/detail/op.h"
#include "plait/kernel_info.h"
#include "plait/time.h"

namespace plait {
struct SimOptions;
}

namespace plait::detail {

struct KernelCounters {
  std::uint64_t enters = 0;     // calls into the kernel that submit or reap
  std::uint64_t submitted = 0;  // SQEs
  std::uint64_t completed = 0;  // CQEs
};

// Everything but wake() belongs to the loop's thread.
class Kernel {
 public:
  virtual ~Kernel() = default;

  // Starts `op`; its `complete` is called in a later turn(), once, or for acceptMany until !more.
  // An op that the kernel refuses completes with the error, never here.
  virtual void submit(Op& op) noexcept = 0;

  // Asks for the end of an op in flight. Its own completion still comes, -ECANCELED or a result.
  virtual void cancel(Op& op) noexcept = 0;

  // As cancel(), for every op in flight on this descriptor.
  virtual void cancelDescriptor(int descriptor) noexcept = 0;

  // Runs an op of the kinds that never wait; returns its result, negative errno on failure.
  virtual std::int32_t call(Op& op) noexcept = 0;

  // True if a turn would find something to submit or to reap without waiting. Asked at every turn,
  // so not virtual: the implementation says where to look.
  bool hasWork() const noexcept {
    return submitted_ ||
           __atomic_load_n(doorbell_.completionsTail, __ATOMIC_ACQUIRE) !=
               *doorbell_.completionsHead ||
           (__atomic_load_n(doorbell_.flags, __ATOMIC_RELAXED) & doorbell_.flagsThatCall) != 0;
  }

  // Submits, waits until the first completion, wake() or `deadline`, and calls completions.
  // A deadline of TimePoint::min() does not wait.
  virtual void turn(TimePoint deadline) = 0;

  // Before a turn that may wait: from here on a wake() ends it. The loop looks into its inbox
  // between the two.
  virtual void announceSleep() noexcept = 0;

  // Ends a wait that was announced, at once or as soon as it starts. Any thread; signal handlers.
  virtual void wake() noexcept = 0;

  virtual TimePoint now() const noexcept = 0;

  // Ops in flight, the kernel's own (wake) not counted.
  virtual std::size_t inFlight() const noexcept = 0;

  virtual const KernelInfo& info() const noexcept = 0;
  virtual const KernelCounters& counters() const noexcept = 0;

  // Fibers were abandoned, and their operations with them: their memory stays, nobody waits for
  // them.
  void abandonOperations() noexcept { operationsAbandoned_ = true; }

  // In a forked child: forget the parent's ring without touching it.
  virtual void abandonAfterFork() noexcept = 0;

 protected:
  // Words that the kernel, or the simulation of one, writes.
  struct Doorbell {
    const std::uint32_t* completionsHead;
    const std::uint32_t* completionsTail;
    const std::uint32_t* flags;
    std::uint32_t flagsThatCall;
  };
  Doorbell doorbell_{};
  bool operationsAbandoned_ = false;
  bool submitted_ = false;  // something waits to be handed over
};

// Throws: IoError naming the refused setup step and the way out.
std::unique_ptr<Kernel> makeUringKernel(std::size_t queueEntries);

// A scripted fault: asked once for every op, before it has any effect. Returns 0, or the errno that
// the op fails with; for an acceptMany, when it is armed.
using SimFault = std::function<int(const Op&)>;

std::unique_ptr<Kernel> makeSimKernel(const SimOptions& options, SimFault fault = {});

}  // namespace plait::detail
