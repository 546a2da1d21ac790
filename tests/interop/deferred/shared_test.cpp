// SharedDeferred: one result for many.
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "deferred_support.h"
#include "plait/deferred.h"
#include "plait/shared_deferred.h"

using namespace plait;
using namespace plait::test;

namespace {

struct Source {
  int cancels = 0;
  Deferred<int> d{[this](const Deferred<int>&) { ++cancels; }};
};

}  // namespace

TEST_CASE("every callback gets the one value, in the order added [DEFERRED-116]") {
  const ReportedErrors errors;
  const Deferred<std::unique_ptr<int>> d;
  const SharedDeferred<std::unique_ptr<int>> shared = d.share();
  std::string log;
  std::vector<const int*> values;
  for (const char name : {'a', 'b', 'c'}) {
    shared.addCallback([&log, &values, name](const std::unique_ptr<int>& value) {
      log += name;
      values.push_back(value.get());
    });
  }
  CHECK_FALSE(shared.isReady());

  d.callback(std::make_unique<int>(1));
  CHECK(shared.isReady());
  shared.addCallback([&](const std::unique_ptr<int>& value) {
    log += 'd';
    values.push_back(value.get());
  });

  CHECK(log == "abcd");
  CHECK(values == std::vector<const int*>(4, values.front()));
}

TEST_CASE("every callback gets the exception, the same one [DEFERRED-116]") {
  const ReportedErrors errors;
  const auto error = std::make_exception_ptr(std::runtime_error("no luck"));
  const Deferred<int> d;
  const SharedDeferred<int> shared = d.share();
  std::vector<std::exception_ptr> seen;
  int values = 0;
  const auto add = [&] {
    shared.addCallback([&values](int value) { return values += value; })
        .addErrback([&seen](const Failure& failure) {
          seen.push_back(failure.exception());
          return 0;
        });
  };
  add();
  add();

  d.errback(error);
  add();

  CHECK(values == 0);
  CHECK(seen == std::vector<std::exception_ptr>{error, error, error});
}

TEST_CASE("a branch has a copy of the value for itself [DEFERRED-116]") {
  const ReportedErrors errors;
  const Deferred<std::string> d;
  const SharedDeferred<std::string> shared = d.share();
  std::string log;
  const auto branch = [&] {
    shared.branch().addCallback([&log](std::string value) { log += std::move(value); });
  };
  branch();

  d.callback("one ");
  branch();

  CHECK(log == "one one ");
}

TEST_CASE("a Deferred without a value is shared as any other [DEFERRED-116]") {
  const ReportedErrors errors;
  const Deferred<void> d;
  const SharedDeferred<void> shared = d.share();
  std::string log;
  shared.addCallback([&log] { log += 'a'; });
  shared.addCallback([&log] { return log += 'b'; });
  shared.branch().addCallback([&log] { log += 'c'; });

  d.callback();

  CHECK(log == "abc");
}

TEST_CASE("a consumer's error and its Deferred are its own [DEFERRED-117]") {
  ReportedErrors errors;
  const Deferred<int> d;
  const SharedDeferred<int> shared = d.share();
  const Deferred<int> slow;
  std::string log;
  const Deferred<int> thrown =
      shared.addCallback([](int) -> int { throw std::runtime_error("mine"); });
  const Deferred<int> waiting = shared.addCallback([&slow](int) { return slow; });
  shared.addCallback([&log](int value) { log += std::to_string(value); });

  d.callback(1);
  CHECK(log == "1");
  waiting.addCallback([&log](int value) { log += std::to_string(value); });
  thrown.addErrback([&log](const Failure& failure) {
    log += failure.message();
    return 0;
  });
  slow.callback(2);

  CHECK(log == "1std::runtime_error: mine2");
}

TEST_CASE("a consumer may add another one while the value is handed out [DEFERRED-117]") {
  const ReportedErrors errors;
  const Deferred<int> d;
  const SharedDeferred<int> shared = d.share();
  std::string log;
  shared.addCallback([&](int) {
    log += "a";
    shared.addCallback([&log](int) { log += "inner"; });
  });
  shared.addCallback([&log](int) { log += "b"; });

  d.callback(1);

  CHECK(log == "ainnerb");
}

TEST_CASE("cancelling one consumer leaves the work and the others alone [DEFERRED-118]") {
  const ReportedErrors errors;
  Source source;
  const SharedDeferred<int> shared = source.d.share();
  std::string log;
  const Deferred<void> first = shared.addCallback([&log](int) { log += "first"; });
  first.addErrback<CancelledError>([&log](const CancelledError&) { log += "cancelled "; });
  shared.addCallback([&log](int value) { log += std::to_string(value); });

  first.cancel();
  CHECK(log == "cancelled ");
  CHECK(source.cancels == 0);
  source.d.callback(5);

  CHECK(log == "cancelled 5");
}

TEST_CASE("the last consumer that is cancelled cancels the work [DEFERRED-118]") {
  const ReportedErrors errors;
  Source source;
  const SharedDeferred<int> shared = source.d.share();
  std::string log;
  const auto consumer = [&] {
    const Deferred<void> each = shared.addCallback([](int) {});
    each.addErrback<CancelledError>([&log](const CancelledError&) { log += "cancelled "; });
    return each;
  };
  const Deferred<void> first = consumer();
  const Deferred<void> second = consumer();

  first.cancel();
  first.cancel();
  CHECK(source.cancels == 0);
  second.cancel();

  CHECK(source.cancels == 1);
  CHECK(source.d.isCalled());
  CHECK(log == "cancelled cancelled ");
}

TEST_CASE("a consumer that cancels another one while the value comes is heard [DEFERRED-118]") {
  const ReportedErrors errors;
  Source source;
  const SharedDeferred<int> shared = source.d.share();
  std::string log;
  Deferred<void> second = succeed();
  shared.addCallback([&](int) {
    log += "first ";
    second.cancel();
  });
  second = shared.addCallback([&log](int) { log += "second "; });
  second.addErrback<CancelledError>([&log](const CancelledError&) { log += "cancelled "; });
  shared.addCallback([&log](int) { log += "third "; });

  source.d.callback(1);

  CHECK(log == "first cancelled third ");
  CHECK(source.cancels == 0);
}

TEST_CASE("consumers of work that was dropped see it broken [DEFERRED-118] [DEFERRED-110]") {
  const ReportedErrors errors;
  std::string log;
  Deferred<int> d;
  const SharedDeferred<int> shared = d.share();
  shared.addCallback([](int) {})
      .addErrback<BrokenDeferredError>([&log](const BrokenDeferredError&) { log += "broken"; });

  d = succeed(0);

  CHECK(log == "broken");
}

TEST_CASE("the value lives as long as who may ask for it [DEFERRED-119]") {
  const ReportedErrors errors;
  auto value = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = value;
  {
    const Deferred<std::shared_ptr<int>> d = succeed(std::move(value));
    SharedDeferred<std::shared_ptr<int>> shared = d.share();
    const SharedDeferred<std::shared_ptr<int>> copy = shared;
    shared = succeed(std::make_shared<int>(2)).share();
    CHECK_FALSE(watch.expired());
  }

  CHECK(watch.expired());
}

TEST_CASE("a consumer whose handles are all gone still gets the value [DEFERRED-119]") {
  const ReportedErrors errors;
  int seen = 0;
  const Deferred<int> d;
  d.share().addCallback([&seen](int value) { seen = value; });

  d.callback(3);

  CHECK(seen == 3);
}
