// DeferredSemaphore::run().
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "deferred_support.h"
#include "plait/deferred.h"
#include "plait/deferred_semaphore.h"

using namespace plait;
using namespace plait::test;

namespace {

void noteCancel(const Deferred<int>& d, std::string& into) {
  d.addErrback<CancelledError>([&into](const CancelledError&) {
    into += "cancelled ";
    return 0;
  });
}

}  // namespace

TEST_CASE("run() holds the permit until its function's Deferred has fired [DEFERRED-75]") {
  const ReportedErrors errors;
  DeferredLock lock;
  const Deferred<int> work;
  int value = 0;
  std::string second;

  lock.run([&work] { return work; }).addCallback([&value](int result) { value = result; });
  lock.run([]() -> int { throw std::runtime_error("no"); })
      .addErrback([&second](const Failure& failure) {
        second = failure.message();
        return 0;
      });
  CHECK(lock.isLocked());
  CHECK(second.empty());
  work.callback(4);

  CHECK(value == 4);
  CHECK(second == "std::runtime_error: no");
  CHECK_FALSE(lock.isLocked());
}

TEST_CASE("run() releases after a failed Deferred, and takes a void function [DEFERRED-75]") {
  const ReportedErrors errors;
  DeferredLock lock;
  bool called = false;
  const Deferred<int> work;
  lock.run([&work] { return work; }).addErrback([](const Failure&) { return 0; });

  work.errback(std::runtime_error("no"));
  lock.run([&called] { called = true; });

  CHECK(called);
  CHECK_FALSE(lock.isLocked());
}

TEST_CASE("cancelling run() at work cancels the work and releases [DEFERRED-78]") {
  const ReportedErrors errors;
  DeferredLock lock;
  int cancels = 0;
  std::string log;
  const Deferred<int> work([&cancels](const Deferred<int>&) { ++cancels; });
  const Deferred<int> running = lock.run([&work] { return work; });
  noteCancel(running, log);

  running.cancel();

  CHECK(cancels == 1);
  CHECK(log == "cancelled ");
  CHECK_FALSE(lock.isLocked());
}

TEST_CASE("run() keeps the permit while its work takes its time with a cancel [DEFERRED-78]") {
  const ReportedErrors errors;
  DeferredLock lock;
  const Deferred<int> work([](const Deferred<int>&) { return CancelAnswer::later; });
  const Deferred<int> running = lock.run([&work] { return work; });

  running.cancel();
  CHECK(lock.isLocked());
  work.callback(1);

  CHECK_FALSE(lock.isLocked());
}

TEST_CASE("cancelling run() in line never calls its function [DEFERRED-78]") {
  const ReportedErrors errors;
  DeferredLock lock;
  lock.acquire();
  bool called = false;
  std::string log;
  const Deferred<int> running = lock.run([&called] {
    called = true;
    return 1;
  });
  noteCancel(running, log);

  running.cancel();
  CHECK(lock.isLocked());
  lock.release();

  CHECK(log == "cancelled ");
  CHECK_FALSE(called);
  CHECK_FALSE(lock.isLocked());
}
