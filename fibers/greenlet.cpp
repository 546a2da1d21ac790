#include "plait/greenlet.h"

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "plait/detail/alarm.h"
#include "plait/detail/loop.h"
#include "scheduler.h"

namespace plait {
namespace detail {
namespace {

struct Joiner final : DoneNode {
  explicit Joiner(const Fiber& fiber)
      : DoneNode(&ended), waiter({"join", &fiber, [](const void* joined) {
                                    return static_cast<const Fiber*>(joined)->describe();
                                  }}) {}
  static void ended(DoneNode& node, Fiber&) noexcept {
    static_cast<void>(static_cast<Joiner&>(node).waiter.wake());
  }
  Waiter<void> waiter;
};

void refuseSelf(const Fiber& fiber) {
  if (Fiber::currentOrNull() != &fiber) return;
  throw std::logic_error(fiber.describe() + " waits for its own end");
}

}  // namespace

void Fiber::join() {
  if (isFinished() && currentOrNull() == nullptr) return;
  checkpoint();
  // Whoever gives way at the checkpoint may come back to a fiber that has ended.
  if (isFinished()) return;
  refuseSelf(*this);
  Joiner joiner(*this);
  addDone(joiner);
  joiner.waiter.park([&joiner] {
    joiner.unlink();
    return OnCancel::leave;
  });
}

bool Fiber::join(Duration timeout) {
  if (timeout == kForever || isFinished()) {
    join();
    return true;
  }
  checkpoint();
  if (isFinished()) return true;
  refuseSelf(*this);
  Joiner joiner(*this);
  addDone(joiner);
  const Alarm alarm(timeout, [&joiner] {
    joiner.unlink();
    joiner.waiter.wake();
  });
  joiner.waiter.park([&joiner] {
    joiner.unlink();
    return OnCancel::leave;
  });
  return isFinished();
}

}  // namespace detail

using detail::Fiber;

// Collects fibers as they end, for whoever waits for several.
class detail::EndCollector final {
 public:
  explicit EndCollector(const std::vector<AnyGreenlet>& greenlets) : nodes_(greenlets.size()) {
    // Those that have ended already come first, in the order given.
    for (std::size_t i = 0; i < greenlets.size(); ++i) {
      nodes_[i].collector = this;
      nodes_[i].greenlet = greenlets[i];
      if (greenlets[i].isReady()) ended_.push_back(greenlets[i]);
      if (!greenlets[i].isReady()) greenlets[i].fiber().addDone(nodes_[i]);
    }
  }
  ~EndCollector() {
    for (Node& node : nodes_) node.unlink();
  }

  // Parks until something has ended that was not seen before; false if `timeUp` came first.
  bool waitForMore(const bool& timeUp) {
    detail::checkpoint();
    while (seen_ == ended_.size() && !timeUp) {
      detail::Waiter<void> waiter({"joinAll"});
      waiter_ = &waiter;
      waiter.park([this] {
        waiter_ = nullptr;
        return detail::OnCancel::leave;
      });
      waiter_ = nullptr;
    }
    if (seen_ == ended_.size()) return false;
    ++seen_;
    return true;
  }

  void wake() noexcept {
    if (waiter_ != nullptr) waiter_->wake();
  }

  const AnyGreenlet& last() const { return ended_[seen_ - 1]; }
  std::vector<AnyGreenlet> take() && {
    ended_.resize(seen_);
    return std::move(ended_);
  }

 private:
  struct Node final : detail::DoneNode {
    Node() : DoneNode(&ended) {}
    static void ended(DoneNode& node, Fiber&) noexcept {
      auto& self = static_cast<Node&>(node);
      self.collector->ended_.push_back(self.greenlet);
      self.collector->wake();
    }
    EndCollector* collector = nullptr;
    AnyGreenlet greenlet;
  };

  std::vector<Node> nodes_;
  std::vector<AnyGreenlet> ended_;
  std::size_t seen_ = 0;
  detail::Waiter<void>* waiter_ = nullptr;
};

namespace {

using detail::EndCollector;

template <class F>
bool collect(EndCollector& collector, std::size_t count, Duration timeout, F&& onEnd) {
  bool timeUp = false;
  const detail::Alarm alarm(timeout, [&timeUp, &collector] {
    timeUp = true;
    collector.wake();
  });
  for (std::size_t i = 0; i < count; ++i) {
    if (!collector.waitForMore(timeUp)) return false;
    onEnd(collector.last());
  }
  return true;
}

// A fiber that kills itself is struck at once; inside a shield, later: it cannot wait for that.
bool isSelfStruck(const Fiber& fiber) {
  if (Fiber::currentOrNull() != &fiber) return false;
  detail::checkpoint();
  return true;
}

}  // namespace

void AnyGreenlet::kill() const {
  fiber_->requestKill();
  if (!isSelfStruck(*fiber_)) fiber_->join();
}

bool AnyGreenlet::kill(Duration timeout) const {
  fiber_->requestKill();
  return !isSelfStruck(*fiber_) && fiber_->join(timeout);
}

void AnyGreenlet::kill(std::exception_ptr error) const {
  fiber_->strikeWith(std::move(error));
  if (!isSelfStruck(*fiber_)) fiber_->join();
}

AnyGreenlet current() { return AnyGreenlet(detail::FiberPointer<>(Fiber::current("current()"))); }

void yield() {
  if (detail::currentFiber == nullptr) Fiber::current("yield()");
  if (detail::currentFiber->hasPending()) [[unlikely]] {
    detail::currentFiber->throwPending();
    detail::currentFiber->requireMayPark("yield");
  }
  detail::Scheduler& scheduler = *detail::Scheduler::current();
  scheduler.prepareToPark();
  scheduler.yield();
  detail::currentFiber->throwPending();
}

void sleep(Duration wait) {
  if (wait <= Duration::zero()) return yield();
  detail::checkpoint();
  detail::Waiter<void> waiter({"sleep"});
  const detail::Alarm alarm(wait, [&waiter] { waiter.wake(); });
  waiter.park([] { return detail::OnCancel::leave; });
}

std::vector<AnyGreenlet> joinAll(const std::vector<AnyGreenlet>& greenlets, Duration timeout,
                                 std::size_t count) {
  EndCollector collector(greenlets);
  collect(collector, std::min(count, greenlets.size()), timeout, [](const AnyGreenlet&) {});
  return std::move(collector).take();
}

void joinAllOrThrow(const std::vector<AnyGreenlet>& greenlets, Duration timeout) {
  EndCollector collector(greenlets);
  collect(collector, greenlets.size(), timeout, [](const AnyGreenlet& ended) {
    if (ended.fiber().error()) std::rethrow_exception(ended.exception());
  });
}

void killAll(const std::vector<AnyGreenlet>& greenlets, Duration timeout) {
  for (const AnyGreenlet& greenlet : greenlets) greenlet.requestKill();
  EndCollector collector(greenlets);
  if (collect(collector, greenlets.size(), timeout, [](const AnyGreenlet&) {})) return;
  throw TimeoutError("killAll: not all greenlets have ended in time");
}

// --- iwait ---

EndedGreenlets::EndedGreenlets(const std::vector<AnyGreenlet>& greenlets, Duration timeout)
    : collector_(std::make_unique<EndCollector>(greenlets)),
      left_(greenlets.size()),
      deadline_(timeout == kForever ? kNever : after(now(), timeout)) {}
EndedGreenlets::EndedGreenlets(EndedGreenlets&&) noexcept = default;
EndedGreenlets::~EndedGreenlets() = default;

const AnyGreenlet& EndedGreenlets::Iterator::operator*() const {
  return range_->collector_->last();
}

EndedGreenlets::Iterator& EndedGreenlets::Iterator::operator++() {
  EndedGreenlets& range = *range_;
  const Duration wait = range.deadline_ == kNever ? kForever : range.deadline_ - now();
  if (range.left_ == 0 || !collect(*range.collector_, 1, wait, [](const AnyGreenlet&) {})) {
    range_ = nullptr;
    return *this;
  }
  --range.left_;
  return *this;
}

EndedGreenlets iwait(const std::vector<AnyGreenlet>& greenlets, Duration timeout) {
  return EndedGreenlets(greenlets, timeout);
}

}  // namespace plait
