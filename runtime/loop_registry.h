// The loops of this process, oldest first: whom a free callFromThread() means, and which threads
// are plait's own.
#pragma once

#include <memory>

namespace plait::detail {
class Home;
class Inbox;
}  // namespace plait::detail

namespace plait::detail::registry {

void add(std::shared_ptr<Inbox> inbox);
void remove(const Inbox& inbox) noexcept;
std::shared_ptr<Inbox> first();               // null if no loop runs
std::shared_ptr<Inbox> of(const Home& home);  // null if none runs on that thread

// Threads that run a loop or are a pool's worker.
void addThisThread();
void removeThisThread() noexcept;
int threads() noexcept;

// In a forked child, where none of the parent's threads is.
void restartAfterFork() noexcept;

}  // namespace plait::detail::registry
