#include "lookup_table.h"

#include <netdb.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "host_name.h"
#include "plait/detail/fiber.h"
#include "plait/detail/loop.h"
#include "plait/detail/process.h"
#include "plait/detail/raw.h"
#include "plait/detail/waiter.h"
#include "plait/error.h"
#include "plait/loop_handle.h"
#include "plait/resolver.h"
#include "plait/thread_pool.h"
#include "system_lookup.h"

// One table for the process, behind a lock: the answers that are known, and the questions under way
// with those who wait for them, fibers of any loop.
//
// Who asks: a question waits in the table; up to kLookupThreadsMax workers, jobs of the pool, take
// one after the other until none is left. One that all have left before a worker took it is gone.
//
// Who owns what, until when: a Question belongs to the table or its worker, never to a fiber's
// frame. A Wait belongs to its fiber and, until the answer, to its Question. It points to the
// fiber's Waiter, which only the loop's thread may touch, and holds a LoopHandle, so that the loop
// counts on the answer. A fiber that leaves clears the pointer and takes its Wait out of the
// Question. The worker takes all Waits out under the lock and posts each to its loop: a post that
// finds the fiber gone does nothing, one that finds the loop gone is destroyed.

namespace plait::net::detail {
namespace {

using plait::detail::Fiber;
using plait::detail::OnCancel;
using plait::detail::Waiter;
namespace process = plait::detail::process;
namespace raw = plait::detail::raw;

struct Wait {
  explicit Wait(Waiter<Answer>& w) : waiter(&w) {}
  LoopHandle loop;
  Waiter<Answer>* waiter;  // null once the fiber has been woken or has left
};

struct Question {
  std::string key() const { return host + " " + std::to_string(static_cast<int>(family)); }

  std::string host;  // in lower case
  Family family;
  // Shared with the fibers, and with the callbacks that wake them.
  std::vector<std::shared_ptr<Wait>> waits;
};

struct Known {
  Answer answer;
  TimePoint until;
};

struct Table {
  raw::Lock lock;
  // Shared with the workers and the fibers that wait. `queue`: those that no worker has taken.
  std::unordered_map<std::string, std::shared_ptr<Question>> open;
  std::deque<std::shared_ptr<Question>> queue;
  std::size_t workers = 0;
  std::unordered_map<std::string, Known> known;
  const unsigned generation = process::forkGeneration();
  Table* parents = nullptr;
};

struct System {
  Lookup ask;
  std::function<TimePoint()> clock;
  const System* before;  // lookups under way may use it still
};

constinit std::atomic<const System*> system{nullptr};

const System& currentSystem() {
  static const auto* const real = new System{&askSystem, &raw::monotonicNow, nullptr};
  const System* const replaced = system.load(std::memory_order_acquire);
  return replaced != nullptr ? *replaced : *real;
}

// ---- the table; neither it nor the pool is ever destroyed, for the threads outlive main()

constinit std::atomic<Table*> tableOfProcess{nullptr};

Table& table() {
  Table* seen = tableOfProcess.load(std::memory_order_acquire);
  if (seen != nullptr && seen->generation == process::forkGeneration()) return *seen;
  // The first; or a forked child, where a parent's thread may hold the lock and none will answer.
  auto fresh = std::make_unique<Table>();
  fresh->parents = seen;
  if (!tableOfProcess.compare_exchange_strong(seen, fresh.get(), std::memory_order_acq_rel)) {
    return *seen;
  }
  return *fresh.release();
}

ThreadPool& pool() {
  static auto* const pool = new ThreadPool({.threadsMax = kLookupThreadsMax,
                                            .threadsAtOnce = kLookupThreadsMax,
                                            .name = "plait-resolver"});
  return *pool;
}

// The lock is held in all of these.

Answer findKnown(const Table& table, const std::string& key) {
  const auto found = table.known.find(key);
  const bool isFresh = found != table.known.end() && currentSystem().clock() < found->second.until;
  return isFresh ? found->second.answer : nullptr;
}

bool isAboutTheName(int code) noexcept {
  return code == EAI_NONAME || code == EAI_NODATA || code == EAI_ADDRFAMILY || code == EAI_AGAIN ||
         code == EAI_FAIL;
}

void remember(Table& table, const std::string& key, const Answer& answer) {
  if (answer->code != 0 && !isAboutTheName(answer->code)) return;
  const TimePoint now = currentSystem().clock();
  auto& known = table.known;
  if (known.size() >= kLookupsKeptMax) {
    std::erase_if(known, [now](const auto& each) { return each.second.until <= now; });
  }
  if (known.size() >= kLookupsKeptMax) {
    known.erase(std::min_element(known.begin(), known.end(), [](const auto& a, const auto& b) {
      return a.second.until < b.second.until;
    }));
  }
  known[key] = {answer, after(now, answer->code == 0 ? kLookupKeptFor : kLookupFailureKeptFor)};
}

// False if setLookup() came between: its answer is of no use to others.
bool close(Table& table, const std::shared_ptr<Question>& question) noexcept {
  const auto found = table.open.find(question->key());
  if (found == table.open.end() || found->second != question) return false;
  table.open.erase(found);
  return true;
}

void withdraw(Table& table, const std::shared_ptr<Question>& question) noexcept {
  if (std::erase(table.queue, question) > 0) close(table, question);
}

std::shared_ptr<Question> takeNext(Table& table) noexcept {
  if (table.queue.empty()) return nullptr;
  auto question = std::move(table.queue.front());
  table.queue.pop_front();
  return question;
}

// ---- on a thread of the pool

void wake(const std::shared_ptr<Wait>& wait, const Answer& answer) {
  try {
    wait->loop.callFromThread([wait, answer] {
      if (auto* const waiter = std::exchange(wait->waiter, nullptr)) waiter->wake(Answer(answer));
    });
  } catch (const ReactorStopped&) {
    // Its fiber has been unwound with its loop.
  }
}

LookupResult ask(const Question& question) noexcept {
  LookupResult result;
  try {
    result = currentSystem().ask(question.host, question.family);
  } catch (const std::bad_alloc&) {
    result.code = EAI_MEMORY;
  }
  if (result.code == 0 && result.addresses.empty()) result.code = EAI_NODATA;
  return result;
}

void answer(Table& table, const std::shared_ptr<Question>& question) noexcept {
  const auto answer = std::make_shared<const LookupResult>(ask(*question));
  std::vector<std::shared_ptr<Wait>> waits;
  {
    const raw::Locked locked(table.lock);
    if (close(table, question)) remember(table, question->key(), answer);
    waits.swap(question->waits);
  }
  for (const auto& wait : waits) wake(wait, answer);
}

void work(Table& table) noexcept {
  for (;;) {
    std::shared_ptr<Question> question;
    {
      const raw::Locked locked(table.lock);
      question = takeNext(table);
      if (!question) --table.workers;
    }
    if (!question) return;
    answer(table, question);
  }
}

// ---- on a fiber

// The lock is held, so that nobody joins a question that cannot be asked.
void start(Table& table, const std::shared_ptr<Question>& question) {
  if (table.queue.size() >= kLookupsWaitingMax) {
    throw LimitError("cannot resolve '" + question->host +
                     "': " + std::to_string(kLookupsWaitingMax) +
                     " other names wait already, the name servers are slow or dead; bound how many "
                     "are asked for at once");
  }
  if (table.workers < kLookupThreadsMax) {
    pool().callInThread([&table] { work(table); });
    ++table.workers;
  }
  table.open.emplace(question->key(), question);
  table.queue.push_back(question);
}

void leave(Wait& wait, const std::shared_ptr<Question>& question) noexcept {
  wait.waiter = nullptr;
  Table& mine = table();
  const raw::Locked locked(mine.lock);
  std::erase_if(question->waits, [&wait](const auto& each) { return each.get() == &wait; });
  if (question->waits.empty()) withdraw(mine, question);
}

std::string describeHost(const void* host) { return *static_cast<const std::string*>(host); }

}  // namespace

Answer findAnswer(const std::string& host, Family family) {
  Fiber::currentOrNull()->requireMayPark("resolve");
  Waiter<Answer> waiter({"resolve", &host, &describeHost});
  const auto wait = std::make_shared<Wait>(waiter);
  auto question = std::make_shared<Question>(Question{toLower(host), family, {}});
  {
    Table& mine = table();
    const raw::Locked locked(mine.lock);
    if (Answer known = findKnown(mine, question->key())) return known;
    if (const auto same = mine.open.find(question->key()); same != mine.open.end()) {
      question = same->second;
    } else {
      start(mine, question);
    }
    question->waits.push_back(wait);
  }
  return waiter.park([&wait, &question] {
    if (plait::detail::Loop::current()->isForked()) return OnCancel::stay;
    leave(*wait, question);
    return OnCancel::leave;
  });
}

void setLookup(Lookup lookup, std::function<TimePoint()> clock) {
  auto next = std::make_unique<System>();
  next->ask = lookup ? std::move(lookup) : &askSystem;
  next->clock = clock ? std::move(clock) : &raw::monotonicNow;
  Table& mine = table();
  const raw::Locked locked(mine.lock);
  next->before = system.load(std::memory_order_relaxed);
  system.store(next.release(), std::memory_order_release);
  mine.open.clear();
  mine.known.clear();
}

}  // namespace plait::net::detail
