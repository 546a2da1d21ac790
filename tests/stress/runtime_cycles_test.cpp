// Runtimes made and destroyed over and over on several threads leave nothing behind.
#include <dirent.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "plait/call_later.h"
#include "plait/detail/await.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/loop_handle.h"
#include "plait/offload.h"
#include "plait/run.h"
#include "plait/signal.h"

using namespace plait;
using namespace std::chrono_literals;

namespace {

std::size_t entries(const char* folder) {
  DIR* const directory = ::opendir(folder);
  REQUIRE(directory != nullptr);
  std::size_t count = 0;
  while (const dirent* entry = ::readdir(directory)) count += entry->d_name[0] == '.' ? 0 : 1;
  ::closedir(directory);
  return count;
}

// In pages: mapped, and in memory.
std::array<std::size_t, 2> memory() {
  std::ifstream file("/proc/self/statm");
  std::array<std::size_t, 2> pages{};
  file >> pages[0] >> pages[1];
  return pages;
}

// A little of everything, some of it unfinished when main ends.
void live(ThreadPool& pool, std::atomic<int>& ran) {
  run([&] {
    Event event;
    const LoopHandle handle;
    const SignalHandle signal = onSignal(SIGUSR2, [] {});
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    auto reader = spawn([descriptor = ends[0]] {
      char byte = 0;
      detail::Op op(detail::OpKind::recv, descriptor);
      op.setBuffer(&byte, 1);
      detail::await(op, "recv");
    });
    callLater(1h, [] {});
    spawn([] { sleep(1h); });
    callSoon([] { sleep(1h); });
    pool.callInThread([handle, &event] { handle.callFromThread([&event] { event.set(); }); });
    event.wait();
    offload(pool, [] {});
    reader.kill();
    for (const int each : ends) ::close(each);
    ++ran;
  });
}

void cycle(ThreadPool& pool, std::atomic<int>& ran, int cycles) {
  constexpr int kThreads = 8;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, cycles] {
      for (int i = 0; i < cycles; ++i) live(pool, ran);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

TEST_CASE(
    "a thousand runs on eight threads leave no descriptor, thread or memory behind [THREAD-10]") {
  std::atomic<int> ran{0};
  std::thread([] {}).join();  // a sanitizer starts a thread of its own with the first
  const std::size_t threadsBefore = entries("/proc/self/task");
  {
    ThreadPool pool({.threadsMax = 4});
    cycle(pool, ran, 25);
    const std::size_t descriptors = entries("/proc/self/fd");
    const auto before = memory();

    cycle(pool, ran, 125);

    CHECK(ran == 8 * 150);
    CHECK(entries("/proc/self/fd") == descriptors);
    const auto after = memory();
    MESSAGE("pages mapped ", before[0], " -> ", after[0], ", resident ", before[1], " -> ",
            after[1]);
    // What an allocator keeps for itself, not what a thousand rings or stacks would take.
    constexpr std::size_t kPagesKept = 8192;
    CHECK(after[1] < before[1] + kPagesKept);
  }
  CHECK(entries("/proc/self/task") == threadsBefore);
}
