// The kernel backend of tests: operations on a virtual network under a virtual clock.
// Everything that happens is an event with a place in time; a turn runs the events that are due,
// and when there are none, and the loop may sleep, the clock jumps to the next. Where a kernel has
// a choice (when, in which order, how much, who wins) the dice decide, so a seed names one run.
//
// An operation is queued by submit(), tried at the next turn in the order of submission, and tried
// again after each change of its descriptor. Its result is fixed when a try succeeds and is told by
// a later event: in between a cancel comes too late, as on io_uring.
#pragma once

#include <atomic>
#include <unordered_map>

#include "plait/detail/kernel.h"
#include "sim_network.h"
#include "sim_schedule.h"

namespace plait::detail::sim {

struct Flight {
  enum class Stage : std::uint8_t { queued, waiting, finished };

  Op* op;
  std::uint64_t number;  // tells it from a later flight of the same Op
  Pointer target;        // null for a nop, a close and a bad descriptor
  Direction direction;
  Stage stage = Stage::queued;
  std::size_t done = 0;  // bytes moved so far
};

}  // namespace plait::detail::sim

namespace plait::detail {

class SimKernel final : public Kernel {
 public:
  // How long a tcp connect goes unanswered before it gives up, as Linux with six retries.
  static constexpr Duration kConnectTimeout = std::chrono::seconds(127);

  explicit SimKernel(const SimOptions& options, SimFault fault = {});
  ~SimKernel() override;

  void submit(Op& op) noexcept override;
  void cancel(Op& op) noexcept override;
  void cancelDescriptor(int descriptor) noexcept override;
  std::int32_t call(Op& op) noexcept override;
  void turn(TimePoint deadline) override;
  void announceSleep() noexcept override;
  void wake() noexcept override;
  TimePoint now() const noexcept override;
  std::size_t inFlight() const noexcept override { return flights_.size(); }
  const KernelInfo& info() const noexcept override { return info_; }
  const KernelCounters& counters() const noexcept override { return counters_; }
  void abandonAfterFork() noexcept override { abandoned_ = true; }

  std::size_t openDescriptors() const noexcept { return network_.openDescriptors(); }
  // Descriptors closed under an operation in flight; more than 0 only without abortOnCloseInFlight.
  std::size_t violations() const noexcept { return violations_; }

 private:
  using Flight = sim::Flight;
  struct Submission {
    Op* op;  // null: all of `descriptor`
    std::uint64_t flight;
    bool isCancel;
    int descriptor = -1;
  };

  static constexpr std::uint32_t kDue = 1;
  static constexpr std::uint32_t kAsleep = 0;
  static constexpr std::uint32_t kAwake = 1;

  void takeSubmissions();
  void start(Flight& flight);
  // Tries it unless one before it waits; keeps it waiting if it must.
  void tryOrWait(Flight& flight);
  bool attempt(Flight& flight);  // true if that was the end of it
  void retry(sim::Description& target);
  void askForCancel(Flight& flight);
  void endEarly(Flight& flight, std::int32_t result);
  void finish(Flight& flight, std::int32_t result, bool more);
  void tell(const sim::Event& event);
  std::int32_t close(int descriptor);

  bool runDue();  // true if a completion was told
  void scheduleRetries();
  void ring() const noexcept;  // tells hasWork() what is due
  TimePoint nextEvent();       // kNever if there is none
  Flight* flightOf(const Op* op, std::uint64_t number) noexcept;

  const SimOptions options_;
  const SimFault fault_;
  sim::Dice dice_;
  sim::Network network_;
  mutable sim::Schedule schedule_;  // mutable: reading the clock may move it
  mutable std::uint32_t due_ = 0;
  std::uint64_t flightNext_ = 0;
  std::vector<Submission> submissions_;
  std::unordered_map<const Op*, Flight> flights_;
  std::size_t violations_ = 0;
  bool abandoned_ = false;
  KernelInfo info_;
  KernelCounters counters_;
  std::atomic<std::uint32_t> awake_{kAwake};
};

}  // namespace plait::detail
