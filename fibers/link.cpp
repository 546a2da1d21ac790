// Links: callbacks for a fiber's end. A link is a DoneNode until then, so links and joiners are
// told in the order in which they came; then it is a Task of its own, so one that blocks or throws
// holds up no other. Until it runs it can be unlinked.

#include "fiber_extras.h"
#include "plait/detail/loop.h"
#include "plait/greenlet.h"
#include "scheduler.h"

namespace plait::detail {

class LinkNode final : public DoneNode, public Task {
 public:
  LinkNode(AnyGreenlet::Link f, LinkWhen w, const std::source_location& place, std::uint64_t number)
      : DoneNode(&onEnd), Task(&runLink), function(std::move(f)), when(w), at(place), id(number) {}

  // The fiber has ended: its Task goes into the queue, and keeps the fiber's block alive.
  void enqueue(Fiber& ended) noexcept {
    const bool failed = ended.error() != nullptr;
    if (when != LinkWhen::always && (when == LinkWhen::exception) != failed) function.reset();
    fiber = FiberPointer<>(ended);
    Loop::current()->enqueue(*this);
  }

  AnyGreenlet::Link function;
  LinkWhen when;
  std::source_location at;
  std::uint64_t id;
  FiberPointer<> fiber;

 private:
  static void onEnd(DoneNode& node, Fiber& ended) noexcept {
    static_cast<LinkNode&>(node).enqueue(ended);
  }

  static void runLink(Task& task) {
    const std::unique_ptr<LinkNode> self(&static_cast<LinkNode&>(task));
    std::erase(self->fiber->extras().links, self.get());
    if (!self->function) return;  // unlinked meanwhile, or not wanted for this end
    if (self->when == LinkWhen::exception) self->fiber->markObserved();
    UniqueFunction<void()> call = [&self] { self->function(AnyGreenlet(self->fiber)); };
    runCallback(*Loop::current(), call, self->at);
  }
};

std::uint64_t Fiber::addLink(UniqueFunction<void(AnyGreenlet)> f, LinkWhen when,
                             const std::source_location& at) {
  Loop::require("link()");
  auto& links = extras().links;
  auto* const node = new LinkNode(std::move(f), when, at, Scheduler::current()->nextId());
  links.push_back(node);
  if (isFinished()) {
    node->enqueue(*this);
  } else {
    addDone(*node);
  }
  return node->id;
}

void Fiber::removeLink(std::uint64_t id) noexcept {
  if (!extras_) return;
  auto& links = extras_->links;
  for (LinkNode* const node : links) {
    if (node->id != id) continue;
    node->function.reset();
    // One that is in the loop's queue already goes when its turn comes.
    if (!node->isLinked()) return;
    node->unlink();
    std::erase(links, node);
    delete node;
    return;
  }
}

}  // namespace plait::detail
