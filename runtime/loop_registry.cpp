#include "loop_registry.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "plait/detail/inbox.h"
#include "plait/detail/raw.h"

namespace plait::detail::registry {
namespace {

raw::Lock lock;
std::atomic<int> ownThreads{0};

std::vector<std::shared_ptr<Inbox>>& inboxes() {
  // Never destroyed: other threads may ask for the first loop while the process exits.
  static auto* list = new std::vector<std::shared_ptr<Inbox>>;
  return *list;
}

}  // namespace

void add(std::shared_ptr<Inbox> inbox) {
  const raw::Locked locked(lock);
  inboxes().push_back(std::move(inbox));
  addThread(1);
}

void remove(const Inbox& inbox) noexcept {
  const raw::Locked locked(lock);
  std::erase_if(inboxes(), [&inbox](const auto& each) { return each.get() == &inbox; });
  addThread(-1);
}

std::shared_ptr<Inbox> first() {
  const raw::Locked locked(lock);
  return inboxes().empty() ? nullptr : inboxes().front();
}

void addThread(int count) noexcept { ownThreads.fetch_add(count, std::memory_order_relaxed); }
int threads() noexcept { return ownThreads.load(std::memory_order_relaxed); }

}  // namespace plait::detail::registry
