// AMP between two ends in one process.

#include <cmath>
#include <limits>

#include "amp_support.h"
#include "plait/defer_later.h"
#include "plait/error.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

// Two that are connected, and their end.
struct Ends {
  std::shared_ptr<AmpPeer> a = std::make_shared<AmpPeer>();
  std::shared_ptr<AmpPeer> b = std::make_shared<AmpPeer>();

  Ends() {
    auto [one, two] = tcpPair();
    detail::serveInBackground(std::move(one), a, std::source_location::current());
    detail::serveInBackground(std::move(two), b, std::source_location::current());
  }
  void close() {
    a->transport().loseConnection();
    a->over.wait();
    b->over.wait();
  }
};

FIBER_TEST_EACH("a question is answered, in both directions [PROTOCOL-34]") {
  Ends ends;
  ends.a->respond<Divide>(&divide);
  ends.b->respond<Divide>([](int n, int d) { return divide(n, d) * 100; });

  auto ab = ends.a->callRemote<Divide>(1, 2);
  auto ba = ends.b->callRemote<Divide>(1, 4);

  CHECK(waitForDeferred(ab) == 50);
  CHECK(waitForDeferred(ba) == 0.25);
  ends.close();
}

FIBER_TEST_ON("sim", "answers come in any order [PROTOCOL-34]") {
  Ends ends;
  std::vector<Deferred<std::string>> answers;
  ends.b->respond<Gather>([&answers](const std::string&, int) {
    answers.emplace_back();
    return answers.back();
  });
  auto one = ends.a->callRemote<Gather>("1"s, 3);
  auto two = ends.a->callRemote<Gather>("2"s, 3);
  auto three = ends.a->callRemote<Gather>("3"s, 3);
  settle();
  REQUIRE(answers.size() == 3);

  answers[2].callback("third");
  CHECK(waitForDeferred(three) == "third");
  answers[0].callback("first");
  CHECK(waitForDeferred(one) == "first");
  CHECK_FALSE(two.isCalled());
  answers[1].callback("second");

  CHECK(waitForDeferred(two) == "second");
  ends.close();
}

FIBER_TEST_ON("sim", "a responder on a greenlet of its own holds nobody up [PROTOCOL-34]") {
  Ends ends;
  ends.b->respond<Gather>([](const std::string& name, int seconds) {
    return deferLater(std::chrono::seconds(seconds), [name] { return name; });
  });

  auto slow = ends.a->callRemote<Gather>("slow"s, 2);
  auto quick = ends.a->callRemote<Gather>("quick"s, 1);

  CHECK(waitForDeferred(quick) == "quick");
  CHECK_FALSE(slow.isCalled());
  CHECK(waitForDeferred(slow) == "slow");
  ends.close();
}

FIBER_TEST_ON("sim", "values of every type arrive as they were sent [PROTOCOL-38]") {
  using Limits = std::numeric_limits<std::int64_t>;
  Ends ends;
  ends.b->respond<Mirror>([](auto&&... values) { return std::make_tuple(std::move(values)...); });
  const auto mirrored = [&](auto... values) {
    return waitForDeferred(ends.a->callRemote<Mirror>(values...)) == std::make_tuple(values...);
  };
  const std::string bytes("\0\xff\r\n\0", 5);

  CHECK(mirrored(Limits::min(), true, 0.1, "näïve ☃"s, bytes, std::vector<int>{1, -2, 3},
                 std::vector<std::string>{"", "ü", bytes}));
  CHECK(mirrored(Limits::max(), false, -1e300, ""s, ""s, std::vector<int>(),
                 std::vector<std::string>()));
  CHECK(mirrored(std::int64_t{0}, false, std::numeric_limits<double>::infinity(), ""s,
                 std::string(amp::kValueMax, 'x'), std::vector<int>(), std::vector<std::string>()));
  const auto nan = waitForDeferred(ends.a->callRemote<Mirror>(
      0, false, std::nan(""), ""s, ""s, std::vector<int>(), std::vector<std::string>()));
  CHECK(std::isnan(std::get<2>(nan)));
  ends.close();
}

FIBER_TEST_ON("sim", "what is too long is refused where it is asked [PROTOCOL-38]") {
  Ends ends;
  ends.b->respond<Gather>([](const std::string& name, int) { return name; });

  CHECK_THROWS_AS(ends.a->callRemote<Gather>(std::string(65'536, 'x'), 1), LimitError);

  CHECK(waitForDeferred(ends.a->callRemote<Gather>("short"s, 1)) == "short");
  ends.close();
}

FIBER_TEST_ON("sim", "a command may have neither arguments nor values [PROTOCOL-34]") {
  Ends ends;
  int asked = 0;
  ends.b->respond<Nothing>([&asked] { ++asked; });

  waitForDeferred(ends.a->callRemote<Nothing>());
  ends.a->callRemoteWithoutAnswer<Nothing>();
  waitForDeferred(ends.a->callRemote<Nothing>());

  CHECK(asked == 3);
  ends.close();
}

FIBER_TEST_ON("sim", "a declared error comes back as itself [PROTOCOL-35]") {
  Ends ends;
  ends.b->respond<Divide>(&divide);

  try {
    waitForDeferred(ends.a->callRemote<Divide>(1, 0));
    FAIL_CHECK("nothing was thrown");
  } catch (const DivisionByZero& error) {
    CHECK(error.what() == "by zero"s);
  }

  CHECK(waitForDeferred(ends.a->callRemote<Divide>(1, 1)) == 1);
  ends.close();
}

FIBER_TEST_ON("sim", "another error is unknown, reported, and ends the connection [PROTOCOL-36]") {
  ExpectedErrors errors;
  Ends ends;
  ends.b->respond<Fail>([] { throw std::logic_error("a secret"); });

  auto answer = ends.a->callRemote<Fail>();

  try {
    waitForDeferred(answer);
    FAIL_CHECK("nothing was thrown");
  } catch (const amp::RemoteError& error) {
    CHECK(error.errorCode() == "UNKNOWN");
    CHECK_FALSE(contains(error.what(), "secret"));
  }
  ends.a->over.wait();
  ends.b->over.wait();
  CHECK(contains(errors.take().at(0), "a secret"));
}

FIBER_TEST_ON("sim", "an unknown command fails alone [PROTOCOL-37]") {
  Ends ends;
  ends.b->respond<Divide>(&divide);

  auto unknown = ends.a->callRemote<Unknown>();
  auto known = ends.a->callRemote<Divide>(3, 2);

  CHECK_THROWS_AS(waitForDeferred(unknown), amp::UnhandledCommand);
  CHECK(waitForDeferred(known) == 1.5);
  ends.close();
}

FIBER_TEST_ON("sim", "what waits for answers fails with the connection [PROTOCOL-40]") {
  Ends ends;
  std::vector<Deferred<std::string>> late;
  ends.b->respond<Gather>([&late](const std::string&, int) {
    late.emplace_back();
    return late.back();
  });
  auto one = ends.a->callRemote<Gather>("1"s, 1);
  auto two = ends.a->callRemote<Gather>("2"s, 1);
  settle();

  ends.close();
  CHECK_THROWS_AS(waitForDeferred(one), ConnectionDone);
  CHECK_THROWS_AS(waitForDeferred(two), ConnectionDone);
  for (auto& each : late) each.callback("too late");

  CHECK_THROWS_AS(ends.a->callRemote<Gather>("3"s, 1), ConnectionClosed);
}

FIBER_TEST_ON("sim", "the answer to a cancelled question is dropped [PROTOCOL-40]") {
  Ends ends;
  Deferred<std::string> late;
  ends.b->respond<Gather>(
      [&late](const std::string& name, int count) { return count == 0 ? late : succeed(name); });
  auto cancelled = ends.a->callRemote<Gather>("x"s, 0);
  settle();

  cancelled.cancel();
  CHECK_THROWS_AS(waitForDeferred(cancelled), CancelledError);
  late.callback("nobody wants it");

  CHECK(waitForDeferred(ends.a->callRemote<Gather>("next"s, 1)) == "next");
  CHECK(ends.a->transport().isConnected());
  ends.close();
}

TEST_CASE("before there is a connection nothing can be asked [PROTOCOL-40]") {
  AmpPeer peer;

  CHECK_THROWS_AS(peer.callRemote<Nothing>(), std::logic_error);
}

}  // namespace
}  // namespace plait::test
