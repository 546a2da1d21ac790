// Nests, chains and heaps of Deferreds a hundred thousand deep, on one small stack.
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

constexpr int kDeep = 100'000;

struct Nest {
  Deferred<int> outermost;
  Deferred<int> innermost;
};

// Built from the inside: each callback returns one that waits already.
Nest nestFromInside() {
  Deferred<int> innermost;
  Deferred<int> each = innermost;
  for (int i = 0; i < kDeep; ++i) {
    Deferred<int> outer;
    outer.addCallback([inner = std::move(each)](int) { return inner; });
    outer.addCallback([](int value) { return value + 1; });
    outer.callback(0);
    each = std::move(outer);
  }
  return {std::move(each), std::move(innermost)};
}

// Built from the outside: each inner one is fired with the next one in a callback of its own.
Nest nestFromOutside() {
  std::vector<Deferred<int>> all(kDeep);
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    all[i].addCallback([next = all[i + 1]](int) { return next; });
    all[i].addCallback([](int value) { return value + 1; });
  }
  for (std::size_t i = 0; i + 1 < all.size(); ++i) all[i].callback(0);
  return {all.front(), all.back()};
}

}  // namespace

TEST_CASE("a nest of a hundred thousand is fired on a constant stack [DEFERRED-22]") {
  const ReportedErrors errors;
  for (const bool fromInside : {false, true}) {
    CAPTURE(fromInside);
    const Nest nest = fromInside ? nestFromInside() : nestFromOutside();
    int seen = 0;
    nest.outermost.addCallback([&seen](int value) { seen = value; });

    nest.innermost.callback(1);

    CHECK(seen == (fromInside ? kDeep + 1 : kDeep));
  }
}

TEST_CASE("a nest of a hundred thousand that have fired resolves in one call [DEFERRED-22]") {
  const ReportedErrors errors;
  Deferred<int> each = succeed(0);
  for (int i = 0; i < kDeep; ++i) {
    Deferred<int> outer;
    outer.addCallback([inner = std::move(each)](int) { return inner; });
    each = std::move(outer);
    if (i % 2 == 0) each.callback(0);
    if (i % 2 != 0) each.errback(std::runtime_error("odd"));
    each.addErrback([](const Failure&) { return 1; });
  }
  int seen = -1;

  each.addCallback([&seen](int value) { seen = value; });

  CHECK(seen == 1);
}

TEST_CASE("a nest of a hundred thousand is cancelled at its bottom [DEFERRED-22] [DEFERRED-33]") {
  const ReportedErrors errors;
  const Nest nest = nestFromInside();
  std::string seen;
  nest.outermost.addErrback<CancelledError>([&seen](const CancelledError&) {
    seen = "cancelled";
    return 0;
  });

  nest.outermost.cancel();

  CHECK(seen == "cancelled");
  CHECK_NOTHROW(nest.innermost.callback(1));
}

TEST_CASE("a nest of a hundred thousand breaks when its bottom is dropped [DEFERRED-22]") {
  const ReportedErrors errors;
  Nest nest = nestFromInside();
  std::string seen;
  nest.outermost.addErrback<BrokenDeferredError>([&seen](const BrokenDeferredError&) {
    seen = "broken";
    return 0;
  });

  nest.innermost = succeed(0);

  CHECK(seen == "broken");
}

TEST_CASE("a hundred thousand callbacks of one Deferred run in order [DEFERRED-1] [DEFERRED-22]") {
  const ReportedErrors errors;
  const Deferred<int> d;
  for (int i = 0; i < kDeep; ++i) {
    d.addCallback([i](int value) {
      if (value != i) throw std::logic_error("out of order");
      return value + 1;
    });
  }
  int seen = 0;
  d.addCallback([&seen](int value) { seen = value; });

  d.callback(0);

  CHECK(seen == kDeep);
}

TEST_CASE("a hundred thousand chained with chainDeferred fire on one stack [DEFERRED-23]") {
  const ReportedErrors errors;
  std::vector<Deferred<int>> all(kDeep);
  for (std::size_t i = 0; i + 1 < all.size(); ++i) all[i].chainDeferred(all[i + 1]);
  int seen = 0;
  all.back().addCallback([&seen](int value) { seen = value; });

  all.front().callback(5);

  CHECK(seen == 5);
}

TEST_CASE("chainDeferred takes the result, and the target is on its own [DEFERRED-23]") {
  const ReportedErrors errors;
  const Deferred<int> source;
  const Deferred<int> target;
  std::string seen;
  source.chainDeferred(target);
  target.addErrback<CancelledError>([&seen](const CancelledError&) {
    seen = "cancelled";
    return 0;
  });

  target.cancel();

  CHECK(seen == "cancelled");
  CHECK_FALSE(source.isCalled());
  CHECK_THROWS_AS(source.addCallback([](int) {}), AlreadyChainedError);
  CHECK_NOTHROW(source.callback(1));  // dropped once, as any fire after a cancel
}

TEST_CASE("chainDeferred hands on a failure, at once if it is there [DEFERRED-23]") {
  const ReportedErrors errors;
  const Deferred<int> source = fail<int>(std::runtime_error("no luck"));
  const Deferred<int> target;
  std::string seen;
  target.addErrback([&seen](const Failure& failure) {
    seen = failure.message();
    return 0;
  });

  source.chainDeferred(target);

  CHECK(seen == "std::runtime_error: no luck");
}

TEST_CASE("chainDeferred to one that was fired fails the source [DEFERRED-23]") {
  ReportedErrors errors;
  Deferred<int> target = succeed(1);
  {
    const Deferred<int> source = succeed(2);
    CHECK_NOTHROW(source.chainDeferred(target));
  }

  const std::vector<std::string> reports = errors.take();

  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find("AlreadyCalledError") != std::string::npos);
}

TEST_CASE("Deferreds that own each other are destroyed on a constant stack [DEFERRED-113]") {
  const ReportedErrors errors;
  struct Holder {
    Deferred<std::shared_ptr<Holder>> held;
  };
  Deferred<std::shared_ptr<Holder>> byValue;
  Deferred<int> byCanceller;
  for (int i = 0; i < kDeep; ++i) {
    byValue = succeed(std::make_shared<Holder>(Holder{std::move(byValue)}));
    byCanceller = Deferred<int>([held = std::move(byCanceller)](const Deferred<int>&) {});
  }

  byValue = Deferred<std::shared_ptr<Holder>>();
  byCanceller = Deferred<int>();

  CHECK_FALSE(byCanceller.isCalled());
}

TEST_CASE("on a loop a heap of broken Deferreds goes down turn by turn [DEFERRED-113]") {
  LoopScope scope;
  const ReportedErrors errors;
  int broken = 0;
  Deferred<int> head;
  for (int i = 0; i < kDeep; ++i) {
    Deferred<int> next;
    next.addBoth([&broken, held = std::move(head)](const Result<int>&) { ++broken; });
    head = std::move(next);
  }

  head = Deferred<int>();
  scope.runUntil([&broken] { return broken == kDeep; });

  CHECK(broken == kDeep);
}
