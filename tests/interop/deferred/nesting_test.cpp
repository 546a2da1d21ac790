// Callbacks that return Deferreds.
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "deferred_support.h"
#include "plait/deferred.h"

using namespace plait;
using namespace plait::test;

namespace {

using Log = std::vector<std::string>;

// What is in `d` in the end; "-" as long as it has not come to that.
std::string outcomeOf(const Deferred<int>& d) {
  const auto text = std::make_shared<std::string>("-");
  d.addBoth([text](Result<int> result) {
    *text = result ? std::to_string(result.value()) : result.failure().message();
    return result;
  });
  return *text;
}

// A Deferred that has fired, and whose callback returned `inner`.
Deferred<int> waitingFor(const Deferred<int>& inner) {
  return succeed(0).addCallback([inner](int) { return inner; });
}

}  // namespace

TEST_CASE("a returned unfired Deferred holds the chain back until it fires [DEFERRED-14]") {
  const ReportedErrors errors;
  Log log;
  const Deferred<int> inner;
  const Deferred<int> outer;
  outer.addCallback([&](int) {
    log.push_back("returns");
    return inner;
  });
  outer.addCallback([&](int value) {
    log.push_back("got " + std::to_string(value));
    return value;
  });

  outer.callback(1);
  CHECK(log == Log{"returns"});
  inner.callback(2);

  CHECK(log == Log{"returns", "got 2"});
}

TEST_CASE("an errback may return a Deferred too, and both outcomes pass [DEFERRED-14]") {
  const ReportedErrors errors;
  for (const bool fails : {false, true}) {
    CAPTURE(fails);
    const Deferred<int> inner;
    const Deferred<int> outer;
    std::string seen;
    outer.addErrback([&](const Failure&) { return inner; });
    outer.addCallbacks([&](int value) { seen = std::to_string(value); },
                       [&](const Failure& failure) { seen = failure.message(); });
    outer.errback(std::runtime_error("first"));

    fails ? inner.errback(std::runtime_error("second")) : inner.callback(2);

    CHECK(seen == (fails ? "std::runtime_error: second" : "2"));
  }
}

TEST_CASE("a returned Deferred that has fired is taken in the same call [DEFERRED-15]") {
  const ReportedErrors errors;
  const Deferred<int> good = succeed(3);
  const Deferred<int> bad = fail<int>(std::runtime_error("no luck"));

  CHECK(outcomeOf(waitingFor(good)) == "3");
  const Deferred<int> failed = waitingFor(bad);
  CHECK(outcomeOf(failed) == "std::runtime_error: no luck");
  failed.addErrback([](const Failure&) { return 0; });

  CHECK_THROWS_AS(good.addCallback([](int) {}), AlreadyChainedError);
  CHECK_THROWS_AS(bad.addErrback([](const Failure&) { return 0; }), AlreadyChainedError);
}

TEST_CASE("an inner Deferred that fires later gives its result to the outer alone [DEFERRED-16]") {
  const ReportedErrors errors;
  const Deferred<int> good;
  const Deferred<int> bad;
  const Deferred<int> first = waitingFor(good);
  const Deferred<int> second = waitingFor(bad);

  CHECK_THROWS_AS(good.addCallback([](int) {}), AlreadyChainedError);
  good.callback(4);
  bad.errback(std::runtime_error("late"));

  CHECK(outcomeOf(first) == "4");
  CHECK(outcomeOf(second) == "std::runtime_error: late");
  second.addErrback([](const Failure&) { return 0; });
  CHECK_THROWS_AS(bad.addErrback([](const Failure&) { return 0; }), AlreadyChainedError);
}

TEST_CASE("callbacks put on the inner one before transform the value first [DEFERRED-17]") {
  const ReportedErrors errors;
  const Deferred<int> inner;
  inner.addCallback([](int value) { return value + 1; });
  inner.addCallback([](int value) { return value * 2; });
  const Deferred<int> outer = waitingFor(inner);

  inner.callback(1);

  CHECK(outcomeOf(outer) == "4");
}

TEST_CASE("a fired Deferred that is paused or waits has no result yet [DEFERRED-18]") {
  const ReportedErrors errors;
  const Deferred<int> paused = succeed(1);
  paused.pause();
  const Deferred<int> third;
  const Deferred<int> waiting = waitingFor(third);

  const Deferred<int> first = waitingFor(paused);
  const Deferred<int> second = waitingFor(waiting);
  CHECK(outcomeOf(first) == "-");
  CHECK(outcomeOf(second) == "-");
  paused.unpause();
  third.callback(7);

  CHECK(outcomeOf(first) == "1");
  CHECK(outcomeOf(second) == "7");
}

TEST_CASE(
    "a Deferred returned while its own callback runs waits for the rest of it [DEFERRED-18]") {
  const ReportedErrors errors;
  const Deferred<int> inner;
  const Deferred<int> outer;
  std::string log;
  outer.addCallback([&](int) { return inner; }).addCallback([&](int value) {
    log += "outer " + std::to_string(value);
  });
  inner.addCallback([&](int value) {
    outer.callback(0);
    log += "inner, ";
    return value + 1;
  });

  inner.callback(1);

  CHECK(log == "inner, outer 2");
}

TEST_CASE("the outermost of a nest goes on when the innermost has fired [DEFERRED-19]") {
  const ReportedErrors errors;
  const Deferred<int> innermost;
  const Deferred<int> middle = waitingFor(innermost);
  const Deferred<int> outer = waitingFor(middle);
  CHECK(outcomeOf(outer) == "-");

  innermost.callback(9);

  CHECK(outcomeOf(outer) == "9");
}

TEST_CASE("the outer one goes on behind the inner one's own callbacks [DEFERRED-20]") {
  const ReportedErrors errors;
  Log log;
  const Deferred<int> inner;
  inner.addCallback([&](int value) {
    log.push_back("inner 1");
    return value;
  });
  inner.addCallback([&](int value) {
    log.push_back("inner 2");
    return value;
  });
  const Deferred<int> outer = waitingFor(inner);
  outer.addCallback([&](int value) {
    log.push_back("outer");
    return value;
  });

  inner.callback(1);

  CHECK(log == Log{"inner 1", "inner 2", "outer"});
}

TEST_CASE(
    "two outers that wait at different inners go on in the order of the fires [DEFERRED-20]") {
  const ReportedErrors errors;
  Log log;
  const Deferred<int> a;
  const Deferred<int> b;
  waitingFor(a).addCallback([&](int) { log.push_back("after a"); });
  const auto after = waitingFor(b).addCallback([&](int) { log.push_back("after b"); });

  b.callback(1);
  a.callback(1);

  CHECK(log == Log{"after b", "after a"});
}

TEST_CASE("a paused Deferred in a nest stops itself and those above it alone [DEFERRED-21]") {
  const ReportedErrors errors;
  Log log;
  const auto note = [&log](const Deferred<int>& d, const char* name) {
    d.addCallback([&log, name](int value) {
      log.emplace_back(name);
      return value;
    });
  };
  const Deferred<int> innermost;
  const Deferred<int> low = waitingFor(innermost);
  note(low, "low");
  const Deferred<int> middle = waitingFor(low);
  note(middle, "middle");
  const Deferred<int> top = waitingFor(middle);
  note(top, "top");
  middle.pause();

  innermost.callback(1);
  CHECK(log == Log{"low"});
  middle.unpause();

  CHECK(log == Log{"low", "middle", "top"});
}
