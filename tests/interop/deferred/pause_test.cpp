// pause() and unpause().
#include <stdexcept>
#include <string>

#include "deferred_support.h"
#include "plait/deferred.h"

using namespace plait;
using namespace plait::test;

TEST_CASE("a paused Deferred runs nothing until as many unpauses [DEFERRED-13]") {
  const ReportedErrors errors;
  int seen = 0;
  Deferred<int> d;
  d.addCallback([&seen](int value) { return seen = value; });
  d.pause();
  d.pause();

  d.callback(5);
  CHECK(seen == 0);
  d.unpause();
  CHECK(seen == 0);
  d.unpause();

  CHECK(seen == 5);
}

TEST_CASE("an unpause before the fire runs nothing, and the fire runs all [DEFERRED-13]") {
  const ReportedErrors errors;
  std::string seen;
  Deferred<int> d;
  d.addErrback([&seen](const Failure& failure) {
    seen = failure.message();
    return 0;
  });
  d.pause();

  d.unpause();
  CHECK(seen.empty());
  d.errback(std::runtime_error("no luck"));

  CHECK(seen == "std::runtime_error: no luck");
}

TEST_CASE("one unpause too many throws and does not unbalance the next pause [DEFERRED-13]") {
  const ReportedErrors errors;
  int seen = 0;
  Deferred<int> d;
  d.addCallback([&seen](int value) { return seen = value; });

  CHECK_THROWS_AS(d.unpause(), std::logic_error);
  d.pause();
  d.callback(1);
  CHECK(seen == 0);
  d.unpause();

  CHECK(seen == 1);
}

TEST_CASE("a callback that pauses its Deferred holds back those behind it [DEFERRED-13]") {
  const ReportedErrors errors;
  std::string log;
  Deferred<int> d;
  d.addCallback([&](int value) {
    log += 'a';
    d.pause();
    return value;
  });
  d.addCallback([&](int value) {
    log += 'b';
    return value;
  });

  d.callback(1);
  d.addCallback([&](int value) {
    log += 'c';
    return value;
  });
  CHECK(log == "a");
  d.unpause();

  CHECK(log == "abc");
}

TEST_CASE("a pause that its own callback undoes holds back nothing [DEFERRED-13]") {
  const ReportedErrors errors;
  std::string log;
  Deferred<int> d;
  d.addCallback([&](int value) {
    d.pause();
    d.unpause();
    log += 'a';
    return value;
  });
  d.addCallback([&](int value) {
    log += 'b';
    return value;
  });

  d.callback(1);

  CHECK(log == "ab");
}

TEST_CASE("cancelling a paused Deferred shows when it is unpaused [DEFERRED-13] [DEFERRED-27]") {
  const ReportedErrors errors;
  std::string seen;
  Deferred<int> d;
  d.addErrback<CancelledError>([&seen](const CancelledError&) {
    seen = "cancelled";
    return 0;
  });
  d.pause();

  d.cancel();
  CHECK(seen.empty());
  d.unpause();

  CHECK(seen == "cancelled");
}
