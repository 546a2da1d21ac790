// Callbacks that hear of a greenlet's end.
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "fiber_test.h"
#include "plait/async_result.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/queue.h"
#include "plait/run.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

// What get() throws; null if it does not.
template <class G>
const std::exception* thrownBy(G&& source) {
  try {
    static_cast<void>(source.get());
  } catch (const std::exception& e) {
    return &e;
  }
  return nullptr;
}

}  // namespace

FIBER_TEST("links get the greenlet after its end, in the order of registration [LINK-1]") {
  std::string order;
  std::vector<AnyGreenlet> seen;
  const AnyGreenlet target = spawn([] {});

  for (const char name : {'a', 'b', 'c', 'd'}) {
    target.link([&order, &seen, name](AnyGreenlet ended) {
      order += ended.isReady() ? name : '?';
      seen.push_back(std::move(ended));
    });
  }
  settle();

  CHECK(order == "abcd");
  CHECK(seen == std::vector<AnyGreenlet>(4, target));
}

FIBER_TEST("a link that parks holds up neither links nor joiners [LINK-2]") {
  std::string order;
  Event mayEnd;
  const AnyGreenlet target = spawn([] {});
  target.link([&](const AnyGreenlet&) {
    order += "parks ";
    mayEnd.wait();
    order += "goes on";
  });
  target.link([&order](const AnyGreenlet&) { order += "second "; });

  target.join();
  order += "joined ";
  settle();
  CHECK(order == "parks second joined ");
  mayEnd.set();
  settle();

  CHECK(order == "parks second joined goes on");
}

FIBER_TEST("each kind of link is called for its ends only; a kill is a failure [LINK-3]") {
  ExpectedErrors errors;
  const auto heard = [](const AnyGreenlet& target) {
    auto kinds = std::make_shared<std::string>();
    target.link([kinds](const AnyGreenlet&) { *kinds += "always "; });
    target.linkValue([kinds](const AnyGreenlet&) { *kinds += "value "; });
    target.linkException([kinds](const AnyGreenlet&) { *kinds += "exception "; });
    return kinds;
  };

  const auto good = heard(spawn([] { return 1; }));
  const auto bad = heard(spawn([] { throw std::runtime_error("bad"); }));
  const AnyGreenlet unstarted = spawn([] {});
  unstarted.requestKill();
  const auto before = heard(unstarted);
  const AnyGreenlet parked = spawn([] { Event().wait(); });
  const auto during = heard(parked);
  yield();
  parked.requestKill();
  settle();

  CHECK(*good == "always value ");
  CHECK(*bad == "always exception ");
  CHECK(*before == "always exception ");
  CHECK(*during == "always exception ");
}

FIBER_TEST("a link to one that has ended calls back later, not in the call [LINK-4]") {
  int calls = 0;
  const AnyGreenlet ended = spawn([] {});
  const AnyGreenlet failed = spawn([] { throw std::runtime_error("x"); });
  joinAll({ended, failed});

  ended.link([&calls](const AnyGreenlet&) { ++calls; });
  ended.linkValue([&calls](const AnyGreenlet&) { ++calls; });
  ended.linkException([&calls](const AnyGreenlet&) { calls += 100; });
  failed.linkException([&calls](const AnyGreenlet&) { ++calls; });
  failed.linkValue([&calls](const AnyGreenlet&) { calls += 100; });

  CHECK(calls == 0);
  settle();
  CHECK(calls == 3);
}

FIBER_TEST("an exception out of a link is reported once, and the others run [LINK-5]") {
  ExpectedErrors errors;
  std::string order;
  const AnyGreenlet target = spawn([] {});
  target.link([&order](const AnyGreenlet&) { order += "before "; });
  const unsigned line = __LINE__ + 1;
  target.link([](const AnyGreenlet&) { throw std::runtime_error("from a link"); });
  target.link([&order](const AnyGreenlet&) { order += "after"; });
  settle();

  const std::vector<std::string> reports = errors.take(1);

  CHECK(order == "before after");
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find("link_test.cpp:" + std::to_string(line)) != std::string::npos);
  CHECK(reports[0].find("from a link") != std::string::npos);
}

FIBER_TEST("a link may add links and take later ones away [LINK-6]") {
  std::string order;
  const AnyGreenlet target = spawn([] {});
  LinkId third = 0;
  target.link([&](const AnyGreenlet& ended) {
    order += "first ";
    ended.unlink(third);
    ended.link([&order](const AnyGreenlet&) { order += "added"; });
  });
  target.link([&order](const AnyGreenlet&) { order += "second "; });
  third = target.link([&order](const AnyGreenlet&) { order += "third "; });

  settle();

  CHECK(order == "first second added");
}

FIBER_TEST("a link taken away before the end is not called, its captures freed [LINK-6]") {
  const auto capture = std::make_shared<int>(1);
  const AnyGreenlet target = spawn([] {});
  bool wasCalled = false;
  const LinkId link = target.link([capture, &wasCalled](const AnyGreenlet&) { wasCalled = true; });
  REQUIRE(capture.use_count() == 2);

  target.unlink(link);

  CHECK(capture.use_count() == 1);
  settle();
  CHECK_FALSE(wasCalled);
}

FIBER_TEST("unlink of what was removed, has run or never was does nothing [LINK-6]") {
  int calls = 0;
  const AnyGreenlet target = spawn([] {});
  const LinkId removed = target.link([&calls](const AnyGreenlet&) { calls += 100; });
  LinkId own = 0;
  own = target.link([&](const AnyGreenlet& ended) {
    ended.unlink(own);
    ++calls;
  });
  const LinkId other = target.link([&calls](const AnyGreenlet&) { ++calls; });

  target.unlink(removed);
  target.unlink(removed);
  target.unlink(other + 1000);
  settle();
  target.unlink(own);
  target.unlink(other);
  settle();

  CHECK(calls == 2);
}

FIBER_TEST("a link can fill an AsyncResult with the value or the exception object [LINK-7]") {
  const auto fill = [](AsyncResult<int>& result, const Greenlet<int>& greenlet) {
    greenlet.link([&result, greenlet](const AnyGreenlet&) {
      try {
        result.set(greenlet.get());
      } catch (...) {
        result.setException(std::current_exception());
      }
    });
  };
  AsyncResult<int> value;
  AsyncResult<int> error;
  const auto good = spawn([] { return 3; });
  const auto bad = spawn([]() -> int { throw std::runtime_error("the one"); });

  fill(value, good);
  fill(error, bad);

  CHECK(value.get() == 3);
  const std::exception* const thrown = thrownBy(error);
  REQUIRE(thrown != nullptr);
  CHECK(thrown == thrownBy(bad));
}

FIBER_TEST("a link can put its greenlet into a queue, also a full one [LINK-7]") {
  Queue<AnyGreenlet> queue(1);
  const std::vector<AnyGreenlet> all{spawn([] {}), spawn([] {}), spawn([] {})};

  for (const AnyGreenlet& each : all) {
    each.link([&queue](AnyGreenlet ended) { queue.put(std::move(ended)); });
  }
  settle();

  for (const AnyGreenlet& each : all) CHECK(queue.get() == each);
}

FIBER_TEST("joiners and links are woken in one order, that of registration [LINK-8]") {
  std::string order;
  Event end;
  const auto target = spawn([&end] { end.wait(); });
  const auto link = [&](const char* name) {
    target.link([&order, name](const AnyGreenlet&) { order += name; });
  };
  const auto join = [&](const char* name, auto wait) {
    spawn([&order, name, wait] {
      wait();
      order += name;
    });
    yield();
  };

  link("link1 ");
  join("join ", [&target] { target.join(); });
  link("link2 ");
  join("get ", [&target] { target.get(); });
  join("joinAll ", [&target] { joinAll({AnyGreenlet(target)}); });
  join("period ", [&target] { target.join(1h); });
  link("link3");
  end.set();
  settle();

  CHECK(order == "link1 join link2 get joinAll period link3");
}

FIBER_TEST("linkException takes the error, so that it is not reported [LINK-3]") {
  std::string seen;

  spawn([] {
    throw std::runtime_error("heard");
  }).linkException([&seen](const AnyGreenlet& failed) { seen = describe(failed.exception()); });
  settle();

  CHECK(seen == "std::runtime_error: heard");
}

FIBER_TEST("a greenlet links to one that has a handle only in the link [LINK-1]") {
  bool wasCalled = false;

  spawn([] {}).link([&wasCalled](const AnyGreenlet& ended) {
    wasCalled = ended.isReady() && ended.isSuccessful();
  });
  settle();

  CHECK(wasCalled);
}

TEST_CASE("links of the fibers that the end of a run kills are called [LINK-3] [LOOP-16]") {
  int calls = 0;

  run([&calls] {
    const auto count = [&calls](const AnyGreenlet& killed) { calls += killed.isKilled(); };
    spawn([] { Event().wait(); }).link(count);
    spawnLater(1h, [] {}).link(count);
    yield();
  });

  CHECK(calls == 2);
}
