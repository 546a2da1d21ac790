// The chain, nests, cancelling, timeouts.
#include <chrono>

#include "plait/time_source.h"
#include "scenarios.h"

namespace plait::stories {
namespace {

using namespace std::chrono_literals;

void order(const Teller& tell) {
  Deferred<int> d;
  d.addCallback(tell.value("first"));
  d.addCallback([](int value) { return value + 1; });
  d.addCallback(tell.value("second"));
  d.callback(1);
}

void errorSide(const Teller& tell) {
  Deferred<int> d;
  d.addCallback([](int) -> int { throw Boom(); });
  d.addCallback(tell.value("skipped"));
  d.addErrback(tell.recover("taken", 5));
  d.addCallback(tell.value("after"));
  d.callback(1);
}

void pair(const Teller& tell) {
  Deferred<int> d;
  d.addCallbacks([](int) -> int { throw Boom(); }, tell.recover("same pair", 0));
  d.addCallbacks(tell.value("skipped"), tell.recover("next pair", 7));
  d.addCallback(tell.value("after"));
  d.callback(1);
}

void replacedFailure(const Teller& tell) {
  Deferred<int> d;
  d.addErrback([](const Failure&) -> int { throw Other(); });
  d.addErrback(tell.recover("sees", 0));
  d.errback(Boom());
}

void late(const Teller& tell) {
  const Deferred<int> d = succeed(3);
  tell("before");
  d.addCallback(tell.value("late"));
  tell("after");
}

void reentrant(const Teller& tell) {
  Deferred<int> d;
  d.addCallback([&](int value) {
    tell("begin");
    d.addCallback(tell.value("added inside"));
    tell("end");
    return value;
  });
  d.addCallback(tell.value("there before"));
  d.callback(1);
}

void twice(const Teller& tell) {
  Deferred<int> d;
  d.callback(1);
  tell.attempt("callback", [&] { d.callback(2); });
  tell.attempt("errback", [&] { d.errback(Boom()); });
  d.addCallback(tell.value("still"));
}

void both(const Teller& tell) {
  const auto tellBoth = [&tell](const Result<int>& result) {
    tell("both", result.isValue() ? "value" : "failure");
  };
  Deferred<int> first;
  first.addBoth(tellBoth);
  first.callback(1);
  Deferred<int> second;
  second.addBoth(tellBoth);
  second.errback(Boom());
}

void paused(const Teller& tell) {
  Deferred<int> d;
  d.addCallback(tell.value("runs"));
  d.pause();
  d.pause();
  d.callback(1);
  tell("fired");
  d.unpause();
  tell("once");
  d.unpause();
}

void typedErrback(const Teller& tell) {
  Deferred<int> d;
  d.addErrback([&](const Failure& failure) {
    failure.trap<Other>();
    tell("wrong");
    return 0;
  });
  d.addErrback(tell.recover("passed", 1));
  d.errback(Boom());
}

void returned(const Teller& tell) {
  Deferred<int> outer;
  Deferred<int> inner;
  outer.addCallback([inner](int) { return inner; });
  outer.addCallback(tell.value("outer"));
  outer.callback(1);
  tell("waits");
  inner.callback(2);
}

void returnedFired(const Teller& tell) {
  Deferred<int> outer;
  outer.addCallback([](int) { return succeed(9); });
  outer.addCallback(tell.value("outer"));
  outer.callback(1);
  tell("done");
}

void returnedFailed(const Teller& tell) {
  Deferred<int> outer;
  Deferred<int> inner;
  outer.addCallback([inner](int) { return inner; });
  outer.addErrback(tell.recover("outer", 0));
  outer.callback(1);
  inner.errback(Boom());
}

void innerFirst(const Teller& tell) {
  Deferred<int> outer;
  Deferred<int> inner;
  inner.addCallback([](int value) { return value * 10; });
  outer.addCallback([inner](int) { return inner; });
  outer.addCallback(tell.value("outer"));
  outer.callback(1);
  inner.callback(4);
}

void threeDeep(const Teller& tell) {
  Deferred<int> a;
  Deferred<int> b;
  Deferred<int> c;
  a.addCallback([b](int) { return b; });
  b.addCallback([c](int) { return c; });
  a.addCallback(tell.value("a"));
  a.callback(1);
  b.callback(2);
  tell("c is missing");
  c.callback(3);
}

void pausedInner(const Teller& tell) {
  Deferred<int> outer;
  Deferred<int> inner;
  inner.pause();
  inner.callback(5);
  outer.addCallback([inner](int) { return inner; });
  outer.addCallback(tell.value("outer"));
  outer.callback(1);
  tell("paused");
  inner.unpause();
}

void chained(const Teller& tell) {
  Deferred<int> a;
  Deferred<int> b;
  a.chainDeferred(b);
  b.addCallback(tell.value("b"));
  a.callback(6);
}

void chainedFailure(const Teller& tell) {
  Deferred<int> a;
  Deferred<int> b;
  a.chainDeferred(b);
  b.addErrback(tell.recover("b", 0));
  a.errback(Boom());
}

void cancelPlain(const Teller& tell) {
  Deferred<int> d;
  d.addErrback(tell.recover("cancelled", 0));
  d.cancel();
  d.cancel();
  tell.attempt("late", [&] { d.callback(1); });
  tell.attempt("later", [&] { d.callback(1); });
}

void cancelWithCanceller(const Teller& tell) {
  Deferred<int> d([&](const Deferred<int>&) { tell("canceller"); });
  d.addErrback(tell.recover("cancelled", 0));
  d.cancel();
  d.cancel();
  tell.attempt("late", [&] { d.callback(1); });
}

void cancellerCallsBack(const Teller& tell) {
  Deferred<int> d([](const Deferred<int>& it) { it.callback(8); });
  d.addCallback(tell.value("result"));
  d.cancel();
}

void cancellerFails(const Teller& tell) {
  Deferred<int> d([](const Deferred<int>& it) { it.errback(Boom()); });
  d.addErrback(tell.recover("result", 0));
  d.cancel();
}

void cancelFired(const Teller& tell) {
  Deferred<int> d([&](const Deferred<int>&) { tell("canceller"); });
  d.callback(1);
  d.cancel();
  d.addCallback(tell.value("result"));
}

void cancelNest(const Teller& tell) {
  Deferred<int> inner([&](const Deferred<int>&) { tell("inner's canceller"); });
  Deferred<int> outer([&](const Deferred<int>&) { tell("outer's canceller"); });
  outer.addCallback([inner](int) { return inner; });
  outer.addErrback(tell.recover("outer", 0));
  outer.callback(1);
  outer.cancel();
}

void cancelRecovered(const Teller& tell) {
  Deferred<int> inner;
  inner.addErrback([](const Failure&) { return 12; });
  Deferred<int> outer;
  outer.addCallback([inner](int) { return inner; });
  outer.addCallback(tell.value("outer"));
  outer.callback(1);
  outer.cancel();
  tell.attempt("late inner", [&] { inner.callback(1); });
}

void timeout(const Teller& tell) {
  Clock clock;
  Deferred<int> d;
  d.addTimeout(10s, clock);
  d.addErrback(tell.recover("ends", 0));
  clock.advance(9s);
  tell("not yet");
  clock.advance(1s);
}

void inTime(const Teller& tell) {
  Clock clock;
  Deferred<int> d;
  d.addTimeout(10s, clock);
  d.addCallback(tell.value("ends"));
  d.callback(3);
  clock.advance(20s);
  tell("calls left", clock.pending());
}

void timeoutCustom(const Teller& tell) {
  Clock clock;
  Deferred<int> d;
  d.addTimeout(10s, [](const Result<int>&, Duration) { return 77; }, clock);
  d.addCallback(tell.value("ends"));
  clock.advance(10s);
}

void timeoutSwallowedBefore(const Teller& tell) {
  Clock clock;
  Deferred<int> d;
  d.addErrback(tell.recover("first", 4));
  d.addTimeout(10s, clock);
  d.addCallback(tell.value("ends"));
  clock.advance(10s);
}

void timeoutThenCancelByHand(const Teller& tell) {
  Clock clock;
  Deferred<int> d;
  d.addTimeout(10s, clock);
  d.addErrback(tell.recover("ends", 0));
  d.cancel();
  tell("calls left", clock.pending());
}

}  // namespace

const std::vector<Story> kChainStories = {
    {"order", order},
    {"error_side", errorSide},
    {"pair", pair},
    {"replaced_failure", replacedFailure},
    {"late", late},
    {"reentrant", reentrant},
    {"twice", twice},
    {"both", both},
    {"paused", paused},
    {"typed_errback", typedErrback},
    {"returned", returned},
    {"returned_fired", returnedFired},
    {"returned_failed", returnedFailed},
    {"inner_first", innerFirst},
    {"three_deep", threeDeep},
    {"paused_inner", pausedInner},
    {"chained", chained},
    {"chained_failure", chainedFailure},
    {"cancel_plain", cancelPlain},
    {"cancel_with_canceller", cancelWithCanceller},
    {"canceller_calls_back", cancellerCallsBack},
    {"canceller_fails", cancellerFails},
    {"cancel_fired", cancelFired},
    {"cancel_nest", cancelNest},
    {"cancel_recovered", cancelRecovered},
    {"timeout", timeout},
    {"in_time", inTime},
    {"timeout_custom", timeoutCustom},
    {"timeout_swallowed_before", timeoutSwallowedBefore},
    {"timeout_then_cancel_by_hand", timeoutThenCancelByHand},
};

}  // namespace plait::stories
