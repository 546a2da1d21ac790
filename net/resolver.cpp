#include "plait/resolver.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "host_name.h"
#include "plait/detail/fiber.h"
#include "plait/detail/lookup.h"
#include "plait/detail/process.h"
#include "plait/detail/raw.h"
#include "plait/detail/waiter.h"
#include "plait/error.h"
#include "plait/loop_handle.h"
#include "plait/thread_pool.h"

// One table for the process, behind a lock: the answers that are known, and the questions under way
// with those who wait for them, fibers of any loop.
//
// Who owns what, until when: a Question belongs to the table and to its job on the pool, never to a
// fiber's frame. A Wait belongs to its fiber and, until the answer, to its Question. It points to
// the fiber's Waiter, which only the loop's thread may touch, and holds a LoopHandle, so that the
// loop counts on the answer. A fiber that leaves clears the pointer and takes its Wait out of the
// Question. The worker takes all Waits out under the lock and posts each to its loop: a post that
// finds the fiber gone does nothing, one that finds the loop gone is destroyed.

namespace plait::net {
namespace detail {
namespace {

using plait::detail::Fiber;
using plait::detail::OnCancel;
using plait::detail::Waiter;
namespace process = plait::detail::process;
namespace raw = plait::detail::raw;

// Shared by the table and by all who waited for it; never changed.
using Answer = std::shared_ptr<const LookupResult>;

struct Wait {
  explicit Wait(Waiter<Answer>& w) : waiter(&w) {}
  LoopHandle loop;
  Waiter<Answer>* waiter;  // null once the fiber has been woken or has left
};

struct Question {
  std::string host;
  Family family;
  // Shared with the fibers, and with the callbacks that wake them.
  std::vector<std::shared_ptr<Wait>> waits;

  std::string key() const { return host + " " + std::to_string(static_cast<int>(family)); }
};

struct Known {
  Answer answer;
  TimePoint until;
};

struct Table {
  raw::Lock lock;
  // Shared with the jobs on the pool and the fibers that wait.
  std::unordered_map<std::string, std::shared_ptr<Question>> asked;
  std::unordered_map<std::string, Known> known;
  const unsigned generation = process::forkGeneration();
  Table* parents = nullptr;
};

// ---- what is replaceable

LookupResult askSystem(const std::string& host, Family family) {
  addrinfo hints{};
  hints.ai_family = family == Family::ipv4   ? AF_INET
                    : family == Family::ipv6 ? AF_INET6
                                             : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;  // or each address comes once per type
  addrinfo* list = nullptr;
  LookupResult result;
  result.code = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  result.systemError = errno;
  if (result.code != 0) return result;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
    if (each->ai_addrlen > Address::kLengthMax) continue;
    Address address;
    std::copy_n(reinterpret_cast<const std::byte*>(each->ai_addr), each->ai_addrlen,
                static_cast<std::byte*>(address.data()));
    address.length() = each->ai_addrlen;
    const auto& all = result.addresses;
    if (std::find(all.begin(), all.end(), address) == all.end()) {
      result.addresses.push_back(address);
    }
  }
  return result;
}

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
                                            .queueMax = kLookupsWaitingMax,
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
bool forget(Table& table, const std::shared_ptr<Question>& question) {
  const auto found = table.asked.find(question->key());
  if (found == table.asked.end() || found->second != question) return false;
  table.asked.erase(found);
  return true;
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
  } catch (...) {
    result.code = EAI_MEMORY;
  }
  if (result.code == 0 && result.addresses.empty()) result.code = EAI_NODATA;
  return result;
}

void work(const std::shared_ptr<Question>& question) noexcept {
  Table& mine = table();
  {
    const raw::Locked locked(mine.lock);
    if (question->waits.empty()) {  // all have left before it began
      forget(mine, question);
      return;
    }
  }
  const auto answer = std::make_shared<const LookupResult>(ask(*question));
  std::vector<std::shared_ptr<Wait>> waits;
  {
    const raw::Locked locked(mine.lock);
    if (forget(mine, question)) remember(mine, question->key(), answer);
    waits.swap(question->waits);
  }
  for (const auto& wait : waits) wake(wait, answer);
}

// ---- on a fiber

// The lock is held, so that nobody joins a question that could not be asked.
void start(Table& table, const std::shared_ptr<Question>& question) {
  table.asked.emplace(question->key(), question);
  try {
    pool().callInThread([question] { work(question); });
  } catch (const LimitError&) {
    forget(table, question);
    throw LimitError("cannot resolve '" + question->host +
                     "': " + std::to_string(kLookupsWaitingMax) +
                     " other names wait already, the name servers are slow or dead; bound how many "
                     "are asked for at once");
  } catch (...) {
    forget(table, question);
    throw;
  }
}

void leave(Wait& wait, Question& question) noexcept {
  wait.waiter = nullptr;
  const raw::Locked locked(table().lock);
  std::erase_if(question.waits, [&wait](const auto& each) { return each.get() == &wait; });
}

std::string describeHost(const void* host) { return *static_cast<const std::string*>(host); }

Answer find(const std::string& host, Family family) {
  Fiber::currentOrNull()->requireMayPark();
  Waiter<Answer> waiter({"resolve", &host, &describeHost});
  const auto wait = std::make_shared<Wait>(waiter);
  auto question = std::make_shared<Question>(Question{toLower(host), family, {}});
  {
    Table& mine = table();
    const raw::Locked locked(mine.lock);
    if (Answer known = findKnown(mine, question->key())) return known;
    if (const auto same = mine.asked.find(question->key()); same != mine.asked.end()) {
      question = same->second;
    } else {
      start(mine, question);
    }
    question->waits.push_back(wait);
  }
  return waiter.park([&wait, &question] {
    leave(*wait, *question);
    return OnCancel::leave;
  });
}

std::string reasonOf(const LookupResult& result) {
  switch (result.code) {
    case EAI_NONAME:
    case EAI_NODATA:
      return "there is no such name, or it has no address; check its spelling, /etc/hosts and the "
             "search list in /etc/resolv.conf";
    case EAI_ADDRFAMILY:
      return "it has no address of the family asked for";
    case EAI_AGAIN:
      return "the name servers do not answer; try again later, or check the network and "
             "/etc/resolv.conf";
    case EAI_FAIL:
      return "the name servers refuse to answer; check /etc/resolv.conf";
    case EAI_SYSTEM:
      return "the system's resolver failed: " + std::system_category().message(result.systemError);
    default:
      return resolveCategory().message(result.code);
  }
}

[[noreturn]] void fail(std::string_view host, int code, const std::string& reason) {
  throw ResolveError(std::error_code(code, resolveCategory()),
                     "cannot resolve '" + std::string(host) + "': " + reason);
}

bool isWanted(const Address& address, Family family) noexcept {
  return family == Family::none || address.family() == family;
}

std::vector<Address> addressesOf(std::string_view host, Family family) {
  Address numeric;
  if (Address::tryIp(host, 0, numeric)) {
    if (isWanted(numeric, family)) return {numeric};
    fail(host, EAI_ADDRFAMILY, "it is an address of another family than was asked for");
  }
  if (isLocalhost(host)) {
    std::vector<Address> both{Address::loopback(0), Address::loopback(0, Family::ipv6)};
    std::erase_if(both, [family](const Address& each) { return !isWanted(each, family); });
    return both;
  }
  if (const auto fault = findHostNameFault(host)) fail(host, EAI_NONAME, fault->why);
  const Answer answer = find(std::string(host), family);
  if (answer->code != 0) fail(host, answer->code, reasonOf(*answer));
  return answer->addresses;
}

}  // namespace

void setLookup(Lookup lookup, std::function<TimePoint()> clock) {
  auto next = std::make_unique<System>();
  next->ask = lookup ? std::move(lookup) : &askSystem;
  next->clock = clock ? std::move(clock) : &raw::monotonicNow;
  Table& mine = table();
  const raw::Locked locked(mine.lock);
  next->before = system.load(std::memory_order_relaxed);
  system.store(next.release(), std::memory_order_release);
  mine.asked.clear();
  mine.known.clear();
}

}  // namespace detail

std::vector<Address> resolve(std::string_view host, std::uint16_t port,
                             const ResolveOptions& options) {
  plait::detail::checkpoint();
  std::vector<Address> addresses = detail::addressesOf(host, options.family);
  for (Address& each : addresses) each = each.withPort(port);
  return addresses;
}

}  // namespace plait::net
