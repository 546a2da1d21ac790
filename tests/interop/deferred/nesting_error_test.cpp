// Returned Deferreds that cannot be waited for, and what one says of it.
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "deferred_support.h"
#include "plait/deferred.h"

using namespace plait;
using namespace plait::test;

namespace {

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

TEST_CASE("the second Deferred that a result is given to fails and names the first [DEFERRED-24]") {
  const ReportedErrors errors;
  const Deferred<int> inner;
  const unsigned line = __LINE__ + 1;
  const Deferred<int> first;
  const Deferred<int> second;
  first.addCallback([&](int) { return inner; });
  second.addCallback([&](int) { return inner; });
  first.callback(0);

  second.callback(0);

  std::string text;
  second.addErrback<AlreadyChainedError>([&](const AlreadyChainedError& error) {
    text = error.what();
    return 0;
  });
  CHECK(text.find("nesting_error_test.cpp:" + std::to_string(line)) != std::string::npos);
  inner.callback(6);
  CHECK(outcomeOf(first) == "6");
}

TEST_CASE("a callback that returns its own Deferred fails at once [DEFERRED-25]") {
  const ReportedErrors errors;
  const Deferred<int> d;
  d.addCallback([&](int) { return d; });

  d.callback(1);

  CHECK(outcomeOf(d).starts_with("std::logic_error"));
  d.addErrback([](const Failure&) { return 0; });
}

TEST_CASE("a circle of three Deferreds fails the one that would close it [DEFERRED-25]") {
  const ReportedErrors errors;
  const Deferred<int> a;
  const Deferred<int> b;
  const Deferred<int> c;
  a.addCallback([&](int) { return b; });
  b.addCallback([&](int) { return c; });
  c.addCallback([&](int) { return a; });
  a.callback(0);
  b.callback(0);

  c.callback(0);

  CHECK(outcomeOf(a).starts_with("std::logic_error"));
  a.addErrback([](const Failure&) { return 0; });
}

TEST_CASE("what a Deferred waits for is in its text until that has fired [DEFERRED-26]") {
  const ReportedErrors errors;
  const unsigned line = __LINE__ + 1;
  const Deferred<int> inner;
  const std::string place = "nesting_error_test.cpp:" + std::to_string(line);
  const Deferred<int> outer = waitingFor(inner);

  CHECK(outer.toString().find("waiting for the Deferred created at") != std::string::npos);
  CHECK(outer.toString().find(place) != std::string::npos);
  inner.callback(1);

  CHECK(outer.toString().find(place) == std::string::npos);
}
