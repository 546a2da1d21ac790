#include "loop_registry.h"

#include <algorithm>
#include <vector>

#include "plait/detail/inbox.h"
#include "plait/detail/process.h"
#include "plait/detail/raw.h"

namespace plait::detail::registry {
namespace {

raw::Lock lock;
[[maybe_unused]] const bool kHeld = process::holdAcrossFork(lock);

std::vector<std::shared_ptr<Inbox>>& inboxes() {
  // Never destroyed: other threads may ask for the first loop while the process exits.
  static auto* list = new std::vector<std::shared_ptr<Inbox>>;
  return *list;
}

// Of threads that run a loop or are a pool's, one entry for each of the two.
std::vector<int>& ownThreads() {
  static auto* list = new std::vector<int>;
  return *list;
}

void forget(int thread) noexcept {
  std::vector<int>& all = ownThreads();
  const auto place = std::find(all.begin(), all.end(), thread);
  if (place != all.end()) all.erase(place);
}

}  // namespace

void add(std::shared_ptr<Inbox> inbox) {
  const raw::Locked locked(lock);
  inboxes().push_back(std::move(inbox));
  ownThreads().push_back(raw::threadId());
}

void remove(const Inbox& inbox) noexcept {
  const raw::Locked locked(lock);
  std::erase_if(inboxes(), [&inbox](const auto& each) { return each.get() == &inbox; });
  forget(raw::threadId());
}

std::shared_ptr<Inbox> first() {
  const raw::Locked locked(lock);
  return inboxes().empty() ? nullptr : inboxes().front();
}

std::shared_ptr<Inbox> of(const Home& home) {
  const raw::Locked locked(lock);
  for (const auto& each : inboxes()) {
    if (each->home == home) return each;
  }
  return nullptr;
}

void addThisThread() {
  const raw::Locked locked(lock);
  ownThreads().push_back(raw::threadId());
}

void removeThisThread() noexcept {
  const raw::Locked locked(lock);
  forget(raw::threadId());
}

int threads() noexcept {
  const raw::Locked locked(lock);
  int count = 0;
  const std::vector<int>& all = ownThreads();
  for (auto each = all.begin(); each != all.end(); ++each) {
    if (std::find(all.begin(), each, *each) == each) ++count;
  }
  return count;
}

void restartAfterFork() noexcept { ownThreads().clear(); }

}  // namespace plait::detail::registry
