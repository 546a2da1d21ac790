// What plait's own steps cost: switches, spawns, hand-overs, timers, threads, and a million fibers.
#include <atomic>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "micro/report.h"
#include "plait/call_later.h"
#include "plait/event.h"
#include "plait/loop_handle.h"
#include "plait/offload.h"
#include "plait/queue.h"
#include "plait/run.h"

using namespace plait;
using namespace std::chrono_literals;

namespace {

void yields(const char* name, long fibers, long count) {
  report(name, nanosecondsEach(count, [fibers](long total) {
           std::vector<Greenlet<void>> all;
           for (long i = 0; i < fibers; ++i) {
             all.push_back(spawn([each = total / fibers] {
               for (long j = 0; j < each; ++j) yield();
             }));
           }
           joinAll(all);
         }));
}

void spawns() {
  report("spawn_join", nanosecondsEach(1'000'000, [](long count) {
           for (long i = 0; i < count; ++i) spawn([] {}).join();
         }));
  report("spawn_join_batch", nanosecondsEach(1'000'000, [](long count) {
           std::vector<Greenlet<void>> batch;
           for (long i = 0; i < count; i += 1000) {
             for (int j = 0; j < 1000; ++j) batch.push_back(spawn([] {}));
             for (auto& each : batch) each.join();
             batch.clear();
           }
         }));
}

void handOvers(const char* name, std::size_t capacity) {
  report(name, nanosecondsEach(2'000'000, [capacity](long count) {
           Queue<long> queue(capacity);
           auto putter = spawn([&queue, count] {
             for (long i = 0; i < count; ++i) queue.put(i);
           });
           for (long i = 0; i < count; ++i) queue.get();
           putter.join();
         }));
}

void threads() {
  report("offload_roundtrip", nanosecondsEach(50'000, [](long count) {
           for (long i = 0; i < count; ++i) offload([] {});
         }));
  // Both ends awake: the other thread posts as fast as it can, the loop never runs out of work.
  report("call_from_thread_busy", nanosecondsEach(1'000'000, [](long count) {
           long arrived = 0;
           Event all;
           std::thread poster([handle = LoopHandle(), count, &arrived, &all] {
             for (long i = 0; i < count; ++i) {
               handle.callFromThread([&arrived, &all, count] {
                 if (++arrived == count) all.set();
               });
             }
           });
           while (!all.isSet()) yield();
           poster.join();
         }));
  // Both ends asleep: a ping and its pong between two loops; half of it is one way.
  struct Peer {
    LoopHandle handle;
    Event end;
  };
  std::atomic<Peer*> peer{nullptr};
  std::thread thread([&peer] {
    run([&peer] {
      Peer mine;
      peer.store(&mine);
      peer.notify_one();
      mine.end.wait();
    });
  });
  peer.wait(nullptr);
  report("call_from_thread_asleep", nanosecondsEach(20'000, [&peer](long count) {
           Event done;
           const LoopHandle home;
           const LoopHandle away = peer.load()->handle;
           std::function<void()> ping = [&] {
             if ((count -= 2) <= 0) return done.set();
             away.callFromThread([&] { home.callFromThread([&ping] { ping(); }); });
           };
           ping();
           done.wait();
         }));
  peer.load()->handle.callFromThread([&peer] { peer.load()->end.set(); });
  thread.join();
}

void timers() {
  constexpr long kTimers = 1'000'000;
  std::vector<DelayedCall> calls;
  calls.reserve(kTimers);
  const auto begin = std::chrono::steady_clock::now();
  for (long i = 0; i < kTimers; ++i) calls.push_back(callLater(1h + i * 1ms, [] {}));
  const auto middle = std::chrono::steady_clock::now();
  for (DelayedCall& call : calls) call.cancel();
  const auto end = std::chrono::steady_clock::now();
  const auto each = [](auto took) {
    return std::chrono::duration<double, std::nano>(took).count() / kTimers;
  };
  report("timers_million_insert", each(middle - begin));
  report("timers_million_cancel", each(end - middle));
}

long residentKilobytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stol(line.substr(6));
  }
  return 0;
}

long mapLines() {
  std::ifstream maps("/proc/self/maps");
  long lines = 0;
  for (std::string line; std::getline(maps, line);) ++lines;
  return lines;
}

// The fibers stay in no vector: what is counted is what the runtime itself keeps for each.
void millionParked() {
  constexpr long kFibers = 1'000'000;
  Event wake;
  long woken = 0;
  Event all;
  const long before = residentKilobytes();
  const auto begin = std::chrono::steady_clock::now();
  for (long i = 0; i < kFibers; ++i) {
    spawn([&wake, &woken, &all] {
      wake.wait();
      if (++woken == kFibers) all.set();
    });
    if (i % 1000 == 999) yield();
  }
  yield();
  const auto parked = std::chrono::steady_clock::now();
  const double bytes = static_cast<double>(residentKilobytes() - before) * 1024 / kFibers;
  const long lines = mapLines();
  const auto waking = std::chrono::steady_clock::now();
  wake.set();
  all.wait();
  const auto end = std::chrono::steady_clock::now();
  const auto seconds = [](auto took) { return std::chrono::duration<double>(took).count(); };
  std::printf("{\"name\": \"parked_million_create\", \"seconds\": %.2f}\n",
              seconds(parked - begin));
  std::printf("{\"name\": \"parked_million_wake\", \"seconds\": %.2f}\n", seconds(end - waking));
  std::printf("{\"name\": \"parked_million_bytes\", \"bytes\": %.0f}\n", bytes);
  std::printf("{\"name\": \"parked_million_maps\", \"lines\": %ld}\n", lines);
}

}  // namespace

int main() {
  return run([] {
    yields("yield_2", 2, 4'000'000);
    yields("yield_1000", 1000, 4'000'000);
    spawns();
    handOvers("queue_handover", 0);
    handOvers("queue_handover_buffered", 128);
    timers();
    threads();
    millionParked();
  });
}
