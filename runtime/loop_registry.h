// The loops of this process, oldest first: whom a free callFromThread() means, and which threads are
// plait's own.
#pragma once

#include <memory>

namespace plait::detail {
class Inbox;
}

namespace plait::detail::registry {

void add(std::shared_ptr<Inbox> inbox);
void remove(const Inbox& inbox) noexcept;
std::shared_ptr<Inbox> first();  // null if no loop runs

// Threads that run a loop or are a pool's worker.
void addThread(int count) noexcept;
int threads() noexcept;

}  // namespace plait::detail::registry
