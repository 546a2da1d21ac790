#include "plait/resolver.h"

#include <netdb.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <fstream>
#include <latch>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "forking.h"
#include "plait/detail/lookup.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/group.h"
#include "plait/no_switch_scope.h"
#include "plait/offload.h"
#include "plait/run.h"
#include "plait/timeout.h"

using namespace plait;
using namespace std::chrono_literals;
using net::Address;
using net::Family;
using net::resolve;
using net::detail::LookupResult;
using net::detail::setLookup;

namespace {

// In place of the system's resolver: a gate that holds back all answers while it is closed.
class FakeNames final {
 public:
  FakeNames() {
    setLookup([state = state_](const std::string& host,
                               Family family) { return state->answer(host, family); },
              [state = state_] {
                const std::lock_guard lock(state->mutex);
                return state->time;
              });
  }
  ~FakeNames() {
    open();
    setLookup({});
  }

  void add(const std::string& host, std::vector<Address> addresses) {
    const std::lock_guard lock(state_->mutex);
    state_->results[host] = {0, 0, std::move(addresses)};
  }
  void fail(const std::string& host, int code, int systemError = 0) {
    const std::lock_guard lock(state_->mutex);
    state_->results[host] = {code, systemError, {}};
  }
  void close() { setOpen(false); }
  void open() { setOpen(true); }
  void passTime(Duration time) {
    const std::lock_guard lock(state_->mutex);
    state_->time += time;
  }

  int asked() const {
    const std::lock_guard lock(state_->mutex);
    return state_->asked;
  }
  std::set<std::string> threads() const {
    const std::lock_guard lock(state_->mutex);
    return state_->threads;
  }
  // Blocks this thread, and its loop, until the pool has taken so many lookups.
  void waitAsked(int count) const {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [this, count] { return state_->asked >= count; });
  }

 private:
  struct State {
    LookupResult answer(const std::string& host, Family family) {
      std::unique_lock lock(mutex);
      char name[16] = "";
      ::pthread_getname_np(::pthread_self(), name, sizeof name);
      threads.insert(name);
      ++asked;
      changed.notify_all();
      changed.wait(lock, [this] { return isOpen; });
      const auto found = results.find(host);
      LookupResult result =
          found == results.end() ? LookupResult{EAI_NONAME, 0, {}} : found->second;
      std::erase_if(result.addresses, [family](const Address& each) {
        return family != Family::none && each.family() != family;
      });
      return result;
    }

    std::mutex mutex;
    std::condition_variable changed;
    bool isOpen = true;
    int asked = 0;
    TimePoint time{1000s};
    std::map<std::string, LookupResult> results;
    std::set<std::string> threads;
  };

  void setOpen(bool open) {
    const std::lock_guard lock(state_->mutex);
    state_->isOpen = open;
    state_->changed.notify_all();
  }

  std::shared_ptr<State> state_ = std::make_shared<State>();  // lookups may outlive the test
};

const Address kOne = Address::ip("192.0.2.1", 0);
const Address kTwo = Address::ip("192.0.2.2", 0);
const Address kSix = Address::ip("2001:db8::1", 0);

RunOptions onSim() {
  RunOptions options;
  options.kernel = "sim";
  return options;
}

Error errorOf(const std::string& host, Family family = Family::none) {
  try {
    resolve(host, 80, {family});
  } catch (const Error& error) {
    return error;
  }
  return Error(std::errc(), "no error");
}

// Blocks this thread until the other one sleeps in the kernel.
void waitAsleep(long thread) {
  for (char state = 'R'; state != 'S'; std::this_thread::yield()) {
    std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
    std::string text;
    std::getline(file, text);
    const std::size_t behindName = text.rfind(')');
    REQUIRE(behindName != text.npos);
    state = text.at(behindName + 2);
  }
}

// A name that /etc/hosts gives an address and that is not localhost's; empty if there is none.
std::string nameInHosts() {
  std::ifstream file("/etc/hosts");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string address, name;
    Address ignored;
    if (words >> address >> name && name != "localhost" && Address::tryIp(address, 0, ignored)) {
      return name;
    }
  }
  return {};
}

}  // namespace

TEST_CASE("a name becomes its addresses, with the port, in the system's order") {
  FakeNames names;
  names.add("web.example", {kSix, kTwo, kOne});

  run([] {
    CHECK(resolve("web.example", 80) ==
          std::vector{kSix.withPort(80), kTwo.withPort(80), kOne.withPort(80)});
    CHECK(resolve("web.example", 81, {Family::ipv4}) ==
          std::vector{kTwo.withPort(81), kOne.withPort(81)});
    CHECK(resolve("web.example", 82, {Family::ipv6}) == std::vector{kSix.withPort(82)});
  });
}

TEST_CASE("numeric addresses and localhost ask nobody [IO-23]") {
  for (const char* kernel : {"", "sim"}) {
    FakeNames names;
    RunOptions options;
    options.kernel = kernel;

    run(options, [] {
      CHECK(resolve("192.0.2.1", 80) == std::vector{kOne.withPort(80)});
      CHECK(resolve("2001:db8::1", 80) == std::vector{kSix.withPort(80)});
      for (const char* name : {"localhost", "LocalHost.", "a.localhost"}) {
        CAPTURE(name);
        CHECK(resolve(name, 80) ==
              std::vector{Address::loopback(80), Address::loopback(80, Family::ipv6)});
      }
      CHECK(resolve("localhost", 80, {Family::ipv6}) ==
            std::vector{Address::loopback(80, Family::ipv6)});
    });

    CHECK(names.asked() == 0);
  }
}

TEST_CASE("the system's own resolver reads /etc/hosts") {
  const std::string name = nameInHosts();
  if (name.empty()) {
    MESSAGE("no name in /etc/hosts to ask for");
    return;
  }
  setLookup({});

  for (const char* kernel : {"", "sim"}) {
    RunOptions options;
    options.kernel = kernel;
    run(options, [&name] {
      const std::vector<Address> addresses = resolve(name, 80);

      REQUIRE_FALSE(addresses.empty());
      CHECK(addresses.front().port() == 80);
      CHECK_FALSE(addresses.front().host().empty());
    });
  }
}

TEST_CASE("a dead name server delays neither numeric addresses nor offload [IO-23]") {
  FakeNames names;
  names.close();

  run([&names] {
    Group waiting;
    for (int i = 0; i < 8; ++i) {
      waiting.spawn([i] { resolve("host" + std::to_string(i) + ".example", 80); });
    }
    yield();
    names.waitAsked(static_cast<int>(net::kLookupThreadsMax));

    CHECK(resolve("192.0.2.1", 80) == std::vector{kOne.withPort(80)});
    CHECK(offload([] { return 7; }) == 7);
    CHECK(names.asked() == static_cast<int>(net::kLookupThreadsMax));
    CHECK(names.threads() == std::set<std::string>{"plait-resolver"});
    waiting.kill();
  });
}

TEST_CASE("equal lookups at the same time are made once [IO-24]") {
  FakeNames names;
  names.add("web.example", {kOne});
  names.close();

  run([&names] {
    std::vector<Greenlet<std::vector<Address>>> waiting;
    for (std::uint16_t port = 1; port <= 10; ++port) {
      waiting.push_back(
          spawn([port] { return resolve(port % 2 == 0 ? "web.example" : "Web.Example", port); }));
    }
    yield();
    names.open();

    for (std::uint16_t port = 1; port <= 10; ++port) {
      CHECK(waiting[port - 1u].get() == std::vector{kOne.withPort(port)});
    }
    CHECK(names.asked() == 1);
  });
}

TEST_CASE("a killed waiter leaves at once, and the others still get the answer [IO-24]") {
  FakeNames names;
  names.add("web.example", {kOne});
  names.close();

  run([&names] {
    auto killed = spawn([] { resolve("web.example", 80); });
    auto patient = spawn([] { return resolve("web.example", 80); });
    yield();
    names.waitAsked(1);

    killed.kill();
    CHECK(killed.isKilled());
    CHECK_FALSE(patient.isReady());
    names.open();

    CHECK(patient.get() == std::vector{kOne.withPort(80)});
    CHECK(names.asked() == 1);
  });
}

TEST_CASE("a timeout leaves at once, and the answer is kept for the next who asks [IO-24]") {
  FakeNames names;
  names.add("web.example", {kOne});
  names.close();

  run(onSim(), [&names] {
    auto first = spawn([] { withTimeout(10s, [] { resolve("web.example", 80); }); });
    yield();
    names.waitAsked(1);
    CHECK_THROWS_AS(first.get(), TimeoutError);

    auto second = spawn([] { return resolve("web.example", 80); });
    yield();
    names.open();

    CHECK(second.get() == std::vector{kOne.withPort(80)});
    CHECK(names.asked() == 1);
  });
}

TEST_CASE("a name that all waiters have left is not asked for any more") {
  FakeNames names;
  names.close();

  run([&names] {
    Group busy;
    for (std::size_t i = 0; i < net::kLookupThreadsMax; ++i) {
      busy.spawn([i] { resolve("busy" + std::to_string(i), 80); });
    }
    yield();
    names.waitAsked(static_cast<int>(net::kLookupThreadsMax));
    auto left = spawn([] { resolve("left.example", 80); });
    yield();
    left.kill();
    busy.kill();
    names.open();

    // Behind it in the queue.
    CHECK_THROWS_AS(resolve("last.example", 80), ResolveError);
    CHECK(names.asked() == static_cast<int>(net::kLookupThreadsMax) + 1);
  });
}

TEST_CASE("fibers of several loops wait for one lookup [IO-24]") {
  FakeNames names;
  names.add("web.example", {kOne});
  names.close();
  std::latch waiting(3);
  std::vector<std::thread> threads;

  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&waiting] {
      run([&waiting] {
        auto answer = spawn([] { return resolve("web.example", 80); });
        yield();
        waiting.count_down();
        CHECK(answer.get() == std::vector{kOne.withPort(80)});
      });
    });
  }
  waiting.wait();
  names.open();
  for (std::thread& each : threads) each.join();

  CHECK(names.asked() == 1);
}

TEST_CASE("a waiter may leave while its answer is on the way [IO-24]") {
  FakeNames names;
  names.add("web.example", {kOne});
  names.close();
  std::latch firstWaits(1);
  std::latch secondHasIt(1);
  std::thread second([&names, &firstWaits, &secondHasIt] {
    run([&names, &firstWaits, &secondHasIt] {
      firstWaits.wait();
      auto answer = spawn([] { return resolve("web.example", 80); });
      yield();
      names.open();
      answer.get();
      secondHasIt.count_down();
    });
  });

  run([&firstWaits, &secondHasIt] {
    auto leaving = spawn([] { resolve("web.example", 80); });
    yield();
    firstWaits.count_down();
    // Answers are posted in the order in which was asked, so the first one's is in the inbox now.
    secondHasIt.wait();
    leaving.kill();
    CHECK(leaving.isKilled());
    yield();
  });
  second.join();
}

TEST_CASE("a loop may end before the answer comes") {
  FakeNames names;
  names.add("web.example", {kOne});
  names.close();

  run([&names] {
    spawn([] { resolve("web.example", 80); });
    yield();
    names.waitAsked(1);
  });
  std::thread other(
      [] { run([] { CHECK(resolve("web.example", 80) == std::vector{kOne.withPort(80)}); }); });
  names.open();
  other.join();

  CHECK(names.asked() == 1);
}

TEST_CASE("a loop whose fibers wait for an answer only is no deadlock") {
  for (const char* kernel : {"", "sim"}) {
    CAPTURE(kernel);
    FakeNames names;
    names.add("web.example", {kOne});
    names.close();
    int reports = 0;
    RunOptions options;
    options.kernel = kernel;
    options.errorSink = [&reports](const ErrorReport&) { ++reports; };

    run(options, [&names] {
      callInThread([&names, loop = ::syscall(SYS_gettid)] {
        names.waitAsked(1);
        waitAsleep(loop);
        names.open();
      });
      CHECK(resolve("web.example", 80) == std::vector{kOne.withPort(80)});
    });

    CHECK(reports == 0);
  }
}

TEST_CASE("a lookup that nobody waits for does not hide a deadlock") {
  FakeNames names;
  names.close();
  bool isDeadlock = false;
  Event never;
  RunOptions options;
  // Where a sanitizer has a thread of its own, it is said in a report only.
  options.errorSink = [&never, &isDeadlock](const ErrorReport& report) {
    isDeadlock = describe(report.error).find("DeadlockError") != std::string::npos;
    never.set();
  };

  try {
    run(options, [&names, &never] {
      auto left = spawn([] { resolve("web.example", 80); });
      yield();
      names.waitAsked(1);
      left.kill();
      never.wait();
    });
  } catch (const DeadlockError&) {
    isDeadlock = true;
  }

  CHECK(isDeadlock);
}

TEST_CASE("an answer is kept for ten seconds, a failure for one") {
  FakeNames names;
  names.add("web.example", {kOne});
  names.fail("no.example", EAI_NONAME);

  run([&names] {
    const auto askBoth = [&names] {
      resolve("web.example", 80);
      CHECK(errorOf("no.example").code().value() == EAI_NONAME);
      return names.asked();
    };

    CHECK(askBoth() == 2);
    names.passTime(1s - 1ns);
    CHECK(askBoth() == 2);
    names.passTime(1ns);
    CHECK(askBoth() == 3);
    names.passTime(9s - 1ns);
    resolve("web.example", 80);
    CHECK(names.asked() == 3);
    names.passTime(1ns);
    resolve("web.example", 80);
    CHECK(names.asked() == 4);
  });
}

TEST_CASE("a failure that is not about the name is not kept") {
  FakeNames names;
  names.fail("web.example", EAI_SYSTEM, EMFILE);

  run([&names] {
    CHECK(errorOf("web.example").code().value() == EAI_SYSTEM);
    names.add("web.example", {kOne});
    CHECK(resolve("web.example", 80).size() == 1);
  });
}

TEST_CASE("the answers kept are bounded, and the oldest goes first") {
  FakeNames names;
  constexpr int kKept = static_cast<int>(net::kLookupsKeptMax);
  const auto nameOf = [](int i) { return "host" + std::to_string(i) + ".example"; };
  for (int i = 0; i <= kKept; ++i) names.add(nameOf(i), {kOne});

  run([&names, &nameOf] {
    for (int i = 0; i <= kKept; ++i) {
      resolve(nameOf(i), 80);
      names.passTime(1us);
    }
    CHECK(names.asked() == kKept + 1);

    resolve(nameOf(kKept), 80);
    resolve(nameOf(1), 80);
    CHECK(names.asked() == kKept + 1);
    resolve(nameOf(0), 80);
    CHECK(names.asked() == kKept + 2);
  });
}

TEST_CASE("too many different names at once are refused for those who are too many [IO-25]") {
  FakeNames names;
  names.close();

  run([&names] {
    Group waiting;
    const auto spawnMore = [&waiting](std::size_t count, const std::string& prefix) {
      for (std::size_t i = 0; i < count; ++i) {
        waiting.spawn([i, prefix] { resolve(prefix + std::to_string(i), 80); });
      }
      yield();
    };
    spawnMore(net::kLookupThreadsMax, "busy");
    names.waitAsked(static_cast<int>(net::kLookupThreadsMax));
    spawnMore(net::kLookupsWaitingMax, "waiting");

    CHECK_THROWS_WITH_AS(resolve("web.example", 80),
                         "cannot resolve 'web.example': 1024 other names wait already, the name "
                         "servers are slow or dead; bound how many are asked for at once",
                         LimitError);
    CHECK(waiting.size() == net::kLookupThreadsMax + net::kLookupsWaitingMax);
    waiting.kill();
    // Those that were left make room at once.
    waiting.spawn([] { resolve("web.example", 80); });
    yield();
    CHECK(waiting.size() == 1);
    waiting.kill();
  });
}

TEST_CASE("a failure says which name, why, and what to do [IO-25]") {
  FakeNames names;
  names.fail("no.example", EAI_NONAME);
  names.fail("later.example", EAI_AGAIN);
  names.fail("full.example", EAI_SYSTEM, EMFILE);
  names.add("four.example", {kOne});

  run([] {
    CHECK_THROWS_WITH_AS(resolve("no.example", 80),
                         "cannot resolve 'no.example': there is no such name, or it has no "
                         "address; check its spelling, /etc/hosts and the search list in "
                         "/etc/resolv.conf",
                         ResolveError);
    CHECK_THROWS_WITH_AS(resolve("later.example", 80),
                         "cannot resolve 'later.example': the name servers do not answer; try "
                         "again later, or check the network and /etc/resolv.conf",
                         ResolveError);
    CHECK_THROWS_WITH_AS(resolve("full.example", 80),
                         "cannot resolve 'full.example': the system's resolver failed: Too many "
                         "open files",
                         ResolveError);
    CHECK(errorOf("no.example").code() == std::error_code(EAI_NONAME, resolveCategory()));
    CHECK(errorOf("four.example", Family::ipv6).code().value() == EAI_NODATA);
    CHECK(errorOf("192.0.2.1", Family::ipv6).code().value() == EAI_ADDRFAMILY);
  });
}

TEST_CASE("every waiter gets an error of its own [IO-25]") {
  FakeNames names;
  names.close();

  run([&names] {
    const auto ask = [](const char* note) {
      try {
        resolve("no.example", 80);
      } catch (Error& error) {
        error.addNote(note);
        return error.notes();
      }
      return std::vector<std::string>();
    };
    auto first = spawn([&ask] { return ask("first"); });
    auto second = spawn([&ask] { return ask("second"); });
    yield();
    names.open();

    CHECK(first.get() == std::vector<std::string>{"first"});
    CHECK(second.get() == std::vector<std::string>{"second"});
    CHECK(names.asked() == 1);
  });
}

TEST_CASE("what cannot be a name is refused without asking [IO-25]") {
  FakeNames names;

  run([] {
    for (const std::string& host :
         {std::string(), std::string("my host"), std::string("a\0b", 3), std::string("127.1"),
          std::string("10.0.0.256"), std::string("0x7f000001"), std::string("[::1]"),
          std::string("b\xc3\xbc"
                      "cher.example"),
          std::string("a..b"), std::string(254, 'x')}) {
      CAPTURE(host);
      CHECK(errorOf(host).code() == std::error_code(EAI_NONAME, resolveCategory()));
    }
    CHECK_THROWS_WITH_AS(resolve("127.1", 80),
                         "cannot resolve '127.1': an IPv4 address has four decimal numbers up to "
                         "255, as 127.0.0.1",
                         ResolveError);
  });

  CHECK(names.asked() == 0);
}

TEST_CASE("a name is not resolved where the fiber must not switch") {
  FakeNames names;

  run([] {
    const NoSwitchScope scope;
    CHECK_THROWS_AS(resolve("web.example", 80), std::logic_error);
  });

  CHECK(names.asked() == 0);
}

TEST_CASE("a forked child resolves although a lookup of its parent was under way") {
  if (!plait::test::childMayHaveThreads()) return;
  FakeNames names;
  names.close();
  std::latch asked(1);
  std::thread parent([&names, &asked] {
    run([&names, &asked] {
      auto waiting = spawn([] { resolve("web.example", 80); });
      yield();
      names.waitAsked(1);
      asked.count_down();
      CHECK_THROWS_AS(waiting.get(), ResolveError);
    });
  });
  asked.wait();

  const pid_t child = ::fork();
  if (child == 0) {
    setLookup([](const std::string&, Family) { return LookupResult{0, 0, {kTwo}}; });
    bool isRight = false;
    run([&isRight] {
      isRight = withTimeout(10s, [] { return resolve("web.example", 80); }) ==
                std::vector{kTwo.withPort(80)};
    });
    ::_exit(isRight ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  names.open();
  parent.join();

  CHECK(status == 0);
}
