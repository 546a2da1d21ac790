// Firing: when callbacks run, and that it happens once.
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

template <class T, class V>
concept FiresWith = requires(const Deferred<T>& d, V value) { d.callback(std::move(value)); };

static_assert(FiresWith<int, int>);
static_assert(!FiresWith<int, Deferred<int>>);
static_assert(!FiresWith<std::string, Deferred<std::string>>);

}  // namespace

TEST_CASE("a callback added to a fired Deferred runs before the call returns [DEFERRED-7]") {
  const ReportedErrors errors;
  Log log;
  Deferred<int> fired;
  Deferred<int> failed;
  fired.callback(1);
  failed.errback(std::runtime_error("no luck"));

  fired.addCallback([&log](int) { log.push_back("value"); });
  log.push_back("between");
  failed.addErrback([&log](const Failure&) {
    log.push_back("failure");
    return 0;
  });

  CHECK(log == Log{"value", "between", "failure"});
}

TEST_CASE("succeed() and fail() are Deferreds that were fired by hand [DEFERRED-7]") {
  const ReportedErrors errors;
  const Deferred<std::string> good = succeed(std::string("yes"));
  const Deferred<void> nothing = succeed();
  const Deferred<int> bad = fail<int>(std::runtime_error("no"));
  std::string seen;

  CHECK(good.isCalled());
  CHECK_THROWS_AS(good.callback("again"), AlreadyCalledError);
  CHECK_THROWS_AS(nothing.callback(), AlreadyCalledError);
  CHECK_THROWS_AS(bad.callback(1), AlreadyCalledError);
  good.addCallback([&seen](const std::string& value) { seen = value; });
  bad.addErrback([&seen](const Failure& failure) {
    seen += " " + failure.message();
    return 0;
  });

  CHECK(seen == "yes std::runtime_error: no");
}

TEST_CASE("a callback added by a running one waits for its turn [DEFERRED-8]") {
  const ReportedErrors errors;
  Log log;
  Deferred<int> d;
  d.addCallback([&log, &d](int value) {
    d.addCallback([&log](int late) {
      log.push_back("added " + std::to_string(late));
      return late;
    });
    log.push_back("first");
    return value + 1;
  });
  d.addCallback([&log](int value) {
    log.push_back("second");
    return value + 1;
  });

  d.callback(1);

  CHECK(log == Log{"first", "second", "added 3"});
}

TEST_CASE("a fired Deferred does not run what its own callback adds within it [DEFERRED-8]") {
  const ReportedErrors errors;
  Log log;
  const Deferred<int> d = succeed(1);

  d.addCallback([&log, &d](int value) {
    d.addCallback([&log, &d](int) -> int {
      log.push_back("added");
      d.addErrback([&log](const Failure& failure) {
        log.push_back(failure.message());
        return 0;
      });
      throw std::runtime_error("late");
    });
    log.push_back("first");
    return value;
  });

  CHECK(log == Log{"first", "added", "std::runtime_error: late"});
}

TEST_CASE("a running callback cannot add before a change of type that is queued [DEFERRED-8]") {
  const ReportedErrors errors;
  bool isRefused = false;
  std::string seen;
  Deferred<int> d;
  d.addCallback([&d, &isRefused](int value) {
    try {
      d.addCallback([](int each) { return each; });
    } catch (const AlreadyChainedError&) {
      isRefused = true;
    }
    return value;
  });
  d.addCallback([](int value) {
     return std::to_string(value);
   }).addCallback([&seen](const std::string& text) { seen = text; });

  d.callback(4);

  CHECK(isRefused);
  CHECK(seen == "4");
}

TEST_CASE("a second fire is refused and changes nothing [DEFERRED-9]") {
  const ReportedErrors errors;
  for (const bool firstFails : {false, true}) {
    for (const bool secondFails : {false, true}) {
      CAPTURE(firstFails);
      CAPTURE(secondFails);
      Deferred<int> d;
      firstFails ? d.errback(std::runtime_error("first")) : d.callback(1);

      if (secondFails) {
        CHECK_THROWS_AS(d.errback(std::runtime_error("second")), AlreadyCalledError);
      } else {
        CHECK_THROWS_AS(d.callback(2), AlreadyCalledError);
      }

      Result<int> seen = 0;
      d.addBoth([&seen](Result<int> result) { seen = std::move(result); });
      CHECK(seen.isValue() == !firstFails);
      if (seen) CHECK(seen.value() == 1);
    }
  }
}

TEST_CASE("a refused fire names the Deferred and the place of the first [DEFERRED-9]") {
  const ReportedErrors errors;
  const auto at = [](unsigned line) { return "fire_test.cpp:" + std::to_string(line); };
  std::string text;
  const unsigned created = __LINE__ + 1;
  Deferred<int> d;
  const unsigned fired = __LINE__ + 1;
  d.callback(1);

  const unsigned again = __LINE__ + 2;
  try {
    d.callback(2);
  } catch (const AlreadyCalledError& error) {
    text = error.what();
  }

  CHECK(text.find(at(created)) != std::string::npos);
  CHECK(text.find(at(fired)) != std::string::npos);
  CHECK(text.find(at(again)) != std::string::npos);
}

TEST_CASE("a callback that fires its own Deferred gets AlreadyCalledError [DEFERRED-9]") {
  const ReportedErrors errors;
  Deferred<int> d;
  int seen = 0;
  d.addCallback([&d](int value) {
    CHECK_THROWS_AS(d.callback(9), AlreadyCalledError);
    CHECK_THROWS_AS(d.errback(std::runtime_error("nine")), AlreadyCalledError);
    return value;
  });
  d.addCallback([&seen](int value) { seen = value; });

  d.callback(1);

  CHECK(seen == 1);
}

TEST_CASE("every way to fail a Deferred ends as the same failure [DEFERRED-10]") {
  const ReportedErrors errors;
  const auto error = std::make_exception_ptr(std::runtime_error("no luck"));
  const auto failedBy = [](auto fire) {
    Deferred<int> d;
    fire(d);
    std::string text;
    d.addErrback([&text](const Failure& failure) {
      text = failure.message();
      return 0;
    });
    return text;
  };

  CHECK(failedBy([&](const Deferred<int>& d) { d.callback(Failure(error)); }) ==
        "std::runtime_error: no luck");
  CHECK(failedBy([&](const Deferred<int>& d) { d.errback(Failure(error)); }) ==
        "std::runtime_error: no luck");
  CHECK(failedBy([&](const Deferred<int>& d) { d.errback(error); }) ==
        "std::runtime_error: no luck");
  CHECK(failedBy([](const Deferred<int>& d) { d.errback(std::runtime_error("no luck")); }) ==
        "std::runtime_error: no luck");
  CHECK(failedBy([&](const Deferred<int>& d) {
          try {
            std::rethrow_exception(error);
          } catch (...) {
            d.errback();
          }
        }) == "std::runtime_error: no luck");
}

TEST_CASE("errback() outside of a handler throws and fires nothing [DEFERRED-10]") {
  const ReportedErrors errors;
  const Deferred<int> d;

  CHECK_THROWS_AS(d.errback(), std::logic_error);
  CHECK_THROWS_AS(d.errback(std::exception_ptr()), std::invalid_argument);

  CHECK_FALSE(d.isCalled());
}

TEST_CASE("a Deferred fits neither its own value nor another's [DEFERRED-11]") {
  CHECK_FALSE(FiresWith<int, Deferred<int>>);
  CHECK_FALSE(FiresWith<int, Deferred<long>>);
  CHECK_FALSE(FiresWith<bool, Deferred<bool>>);
}

TEST_CASE("a value goes when its callback has returned, the handle still there [DEFERRED-12]") {
  const ReportedErrors errors;
  auto value = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = value;
  Deferred<std::shared_ptr<int>> d;
  bool isThereWithin = false;
  d.addCallback([&](const std::shared_ptr<int>&) { isThereWithin = !watch.expired(); });

  d.callback(std::move(value));

  CHECK(isThereWithin);
  CHECK(watch.expired());
}

TEST_CASE("a late callback sees what the last one returned [DEFERRED-12]") {
  const ReportedErrors errors;
  Deferred<int> d;
  d.addCallback([](int value) { return value + 1; });
  d.callback(1);
  d.addCallback([](int value) { return value * 10; });
  int seen = 0;

  d.addCallback([&seen](int value) { seen = value; });

  CHECK(seen == 20);
}
