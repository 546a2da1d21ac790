#include "plait/group.h"

#include "plait/race.h"
#include "plait/report.h"

namespace plait {

struct Group::Member final : detail::DoneNode {
  Member(Group& g, AnyGreenlet a) : DoneNode(&ended), group(g), greenlet(std::move(a)) {}
  ~Member() { unlink(); }
  static void ended(DoneNode& node, detail::Fiber&) noexcept {
    auto& self = static_cast<Member&>(node);
    self.group.leave(self);
  }
  Group& group;
  AnyGreenlet greenlet;
};

Group::Group() = default;
Group::~Group() = default;

void Group::add(const AnyGreenlet& greenlet) {
  if (greenlet.isReady()) return;
  auto& place = members_[&greenlet.fiber()];
  if (place) return;
  place = std::make_unique<Member>(*this, greenlet);
  greenlet.fiber().addDone(*place);
  if (killers_ > 0) greenlet.requestKill();
}

std::exception_ptr Group::takeError() noexcept {
  const AnyGreenlet failed = std::exchange(firstFailed_, AnyGreenlet());
  return failed ? failed.exception() : nullptr;
}

void Group::discard(const AnyGreenlet& greenlet) {
  members_.erase(&greenlet.fiber());
  if (isEmpty()) empty_.set();
}

void Group::leave(Member& member) noexcept {
  const AnyGreenlet greenlet = member.greenlet;
  const bool failed = greenlet.fiber().error() && !greenlet.isKilled();
  members_.erase(&greenlet.fiber());
  if (failed && collectors_ > 0 && !firstFailed_) {
    firstFailed_ = greenlet;
    onError(greenlet);
  }
  if (isEmpty()) empty_.set();
}

bool Group::join(Duration timeout) {
  detail::checkpoint();
  if (isEmpty()) return true;
  empty_.clear();
  // Not Event::wait(): nobody may empty and fill the group between the two lines.
  return detail::waitForSignal(empty_.waiters(), {"Group::join", this, nullptr}, timeout);
}

namespace {

// Something is on while a scope lasts.
template <class Switch>
struct While {
  explicit While(Switch s) : set(s) { set(true); }
  While(const While&) = delete;
  While& operator=(const While&) = delete;
  ~While() { set(false); }
  Switch set;
};

}  // namespace

void Group::joinOrThrow() {
  {
    const While collecting([this](bool on) { collectErrors(on); });
    join();
  }
  if (const std::exception_ptr error = takeError()) std::rethrow_exception(error);
}

void Group::requestKill() noexcept {
  for (const auto& [fiber, member] : members_) fiber->requestKill();
}

bool Group::kill(Duration timeout) {
  const While killing([this](bool on) { killNewcomers(on); });
  requestKill();
  return join(timeout);
}

std::vector<AnyGreenlet> Group::greenlets() const {
  std::vector<AnyGreenlet> all;
  all.reserve(members_.size());
  for (const auto& [fiber, member] : members_) all.push_back(member->greenlet);
  return all;
}

std::size_t Pool::waitAvailable(Duration timeout) {
  if (!slots_->acquire(timeout)) return 0;
  // Looked at before release() hands the slot to the next who waits.
  const std::size_t free = slots_->available() + 1;
  slots_->release();
  return free;
}

TaskGroup::TaskGroup() { collectErrors(true); }

TaskGroup::~TaskGroup() {
  if (const std::exception_ptr error = end()) reportError("a TaskGroup left without join()", error);
}

void TaskGroup::onError(const AnyGreenlet& failed) noexcept {
  failed.fiber().markObserved();
  killNewcomers(true);
  requestKill();
  if (body_ != nullptr) body_->fiber_.strike(body_->blow_);
}

TaskGroup::Body::Body(TaskGroup& group)
    : group_(group), fiber_(detail::Fiber::current("a TaskGroup")), blow_(group) {
  blow_.beginScope(fiber_);
  group_.body_ = this;
}

TaskGroup::Body::~Body() {
  group_.body_ = nullptr;
  blow_.unlink();
}

void TaskGroup::Body::Blow::raise(detail::Strike& strike) {
  throw TaskGroupFailed(static_cast<Blow&>(strike).group);
}

std::exception_ptr TaskGroup::end() {
  const CancelShield shield;
  kill();
  return takeFirst();
}

std::exception_ptr TaskGroup::takeFirst() noexcept {
  // Whoever takes the error need not be struck for it any more.
  if (body_ != nullptr) body_->blow_.unlink();
  return takeError();
}

void TaskGroup::fail(std::exception_ptr error) {
  if (hasError()) error = takeFirst();
  const std::exception_ptr later = end();
  if (later) reportError("a TaskGroup that had failed before", later);
  std::rethrow_exception(error);
}

void TaskGroup::join() {
  try {
    // One that is spawned in the turn in which the group became empty belongs to it too.
    do Group::join();
    while (!isEmpty());
  } catch (const TaskGroupFailed& failed) {
    const CancelShield shield;
    kill();
    if (!failed.isFrom(*this)) throw;
  } catch (...) {
    // Killed or timed out: the greenlets may refer to this frame, so they end first.
    const CancelShield shield;
    kill();
    throw;
  }
  if (const std::exception_ptr error = takeFirst()) std::rethrow_exception(error);
}

}  // namespace plait
