// Deferreds and other threads than their own.
#include <thread>

#include <atomic>
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

template <class F>
void onAnotherThread(F f) {
  std::thread(std::move(f)).join();
}

// Whether f throws std::logic_error.
template <class F>
bool isRefused(F&& f) {
  try {
    f();
  } catch (const std::logic_error&) {
    return true;
  }
  return false;
}

}  // namespace

TEST_CASE("every use on another thread is refused and changes nothing [DEFERRED-50]") {
  const ReportedErrors errors;
  const Deferred<int> d;
  const Deferred<int> pausing;
  int refused = 0;
  pausing.pause();

  onAnotherThread([&] {
    const Deferred<int> mine;
    refused += isRefused([&] { d.callback(1); });
    refused += isRefused([&] { d.errback(std::runtime_error("no")); });
    refused += isRefused([&] { d.addCallback([](int value) { return value; }); });
    refused += isRefused([&] { d.addCallback([](int) {}); });
    refused += isRefused([&] { d.addErrback([](const Failure&) { return 0; }); });
    refused += isRefused([&] { d.addBoth([](const Result<int>&) {}); });
    refused += isRefused([&] { Deferred<int>(d).addCallback([](int) {}); });
    refused += isRefused([&] { mine.chainDeferred(d); });
    refused += isRefused([&] { d.chainDeferred(mine); });
    refused += isRefused([&] { d.cancel(); });
    refused += isRefused([&] { d.pause(); });
    refused += isRefused([&] { pausing.unpause(); });
    refused += isRefused([&] { static_cast<void>(d.isCalled()); });
    refused += isRefused([&] { static_cast<void>(d.toString()); });
  });

  CHECK(refused == 14);
  int seen = 0;
  CHECK_FALSE(d.isCalled());
  d.addCallback([&seen](int value) { return seen = value; });
  d.callback(2);
  CHECK(seen == 2);
}

TEST_CASE("the refusal names the Deferred and the way out [DEFERRED-50]") {
  const ReportedErrors errors;
  const Deferred<int> d;
  std::string text;

  onAnotherThread([&] {
    try {
      d.cancel();
    } catch (const std::logic_error& error) {
      text = error.what();
    }
  });

  CHECK(text.find("thread_test.cpp") != std::string::npos);
  CHECK(text.find("callFromThread") != std::string::npos);
}

TEST_CASE("returning a Deferred of another thread fails the chain [DEFERRED-50]") {
  const ReportedErrors errors;
  const Deferred<int> d;
  bool isFailed = false;

  onAnotherThread([&] {
    const Deferred<int> mine = succeed(0).addCallback([&](int) { return d; });
    mine.addErrback<std::logic_error>([&](const std::logic_error&) {
      isFailed = true;
      return 0;
    });
  });

  CHECK(isFailed);
}

TEST_CASE("handles are copied, moved, compared and dropped on any thread [DEFERRED-111]") {
  const ReportedErrors errors;
  const Deferred<int> d;
  int seen = 0;
  d.addCallback([&seen](int value) { return seen = value; });
  std::vector<std::thread> threads;
  std::atomic<int> equal = 0;

  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&d, &equal] {
      for (int round = 0; round < 10'000; ++round) {
        Deferred<int> copy = d;
        const Deferred<int> moved = std::move(copy);
        if (moved == d && moved) ++equal;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  d.callback(1);

  CHECK(equal == 40'000);
  CHECK(seen == 1);
}

TEST_CASE("a chain whose last handle goes elsewhere breaks on its loop's thread [DEFERRED-111]") {
  LoopScope scope("uring");
  const ReportedErrors errors;
  std::thread::id brokenOn;
  Deferred<int> d;
  d.addErrback<BrokenDeferredError>([&brokenOn](const BrokenDeferredError&) {
    brokenOn = std::this_thread::get_id();
    return 0;
  });

  onAnotherThread([d = std::move(d)] {});
  CHECK(brokenOn == std::thread::id());
  scope.runUntil([&brokenOn] { return brokenOn != std::thread::id(); });

  CHECK(brokenOn == std::this_thread::get_id());
}

TEST_CASE("a failure is reported on the loop's thread too [DEFERRED-111] [DEFERRED-39]") {
  LoopScope scope("uring");
  ReportedErrors errors;
  Deferred<int> d = fail<int>(std::runtime_error("no luck"));

  onAnotherThread([d = std::move(d)] {});
  std::vector<std::string> reports;
  scope.runUntil([&] { return !(reports = errors.take()).empty(); });

  CHECK(reports.size() == 1);
  CHECK(reports[0].find("no luck") != std::string::npos);
}

TEST_CASE("a value goes on its loop's thread, wherever its handle was dropped [DEFERRED-111]") {
  struct Watch {
    std::thread::id* diedOn;
    ~Watch() { *diedOn = std::this_thread::get_id(); }
  };
  LoopScope scope("uring");
  const ReportedErrors errors;
  std::thread::id diedOn;
  auto value = std::make_shared<Watch>(Watch{&diedOn});
  diedOn = std::thread::id();
  Deferred<std::shared_ptr<Watch>> d = succeed(std::move(value));

  onAnotherThread([d = std::move(d)] {});
  scope.runUntil([&diedOn] { return diedOn != std::thread::id(); });

  CHECK(diedOn == std::this_thread::get_id());
}

TEST_CASE("dropping handles elsewhere during the loop's end leaks nothing [DEFERRED-111]") {
  auto captured = std::make_shared<int>(0);
  for (int round = 0; round < 20; ++round) {
    std::thread dropping;
    {
      LoopScope scope("uring");
      Deferred<int> d;
      d.addErrback([captured](const Failure&) { return 0; });
      dropping = std::thread([d = std::move(d)] {});
    }
    dropping.join();
  }

  CHECK(captured.use_count() == 1);
}

TEST_CASE("a chain that outlives its loop is destroyed by whoever drops it last [DEFERRED-111]") {
  auto captured = std::make_shared<int>(0);
  Deferred<int> d = succeed(0);
  {
    LoopScope scope;
    d = Deferred<int>();
    d.addErrback([captured](const Failure&) { return 0; });
  }

  onAnotherThread([d = std::move(d)] {});

  CHECK(captured.use_count() == 1);
}
