// DeferredQueue.
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "deferred_support.h"
#include "plait/deferred.h"
#include "plait/deferred_queue.h"

using namespace plait;
using namespace plait::test;

TEST_CASE("items go to the longest waiting getter, or are kept in order [DEFERRED-79]") {
  const ReportedErrors errors;
  DeferredQueue<int> queue;
  std::string seen;
  const auto get = [&](char name) {
    queue.get().addCallback([&seen, name](int item) { seen += name + std::to_string(item); });
  };
  get('a');
  get('b');
  CHECK(queue.waiting() == 2);

  queue.put(1);
  queue.put(2);
  queue.put(3);
  queue.put(4);
  CHECK(seen == "a1b2");
  CHECK(queue.size() == 2);
  get('c');
  get('d');

  CHECK(seen == "a1b2c3d4");
  CHECK(queue.size() == 0);
}

TEST_CASE("a queue has bounds for items and for getters [DEFERRED-79]") {
  const ReportedErrors errors;
  DeferredQueue<int> queue(2, 1);
  queue.put(1);
  queue.put(2);

  CHECK_THROWS_AS(queue.put(3), QueueOverflow);
  queue.get();
  queue.get();
  const Deferred<int> waiting = queue.get();
  CHECK_THROWS_AS(queue.get(), QueueUnderflow);

  int seen = 0;
  waiting.addCallback([&seen](int item) { seen = item; });
  queue.put(4);
  CHECK(seen == 4);
}

TEST_CASE("bounds of nothing let items and getters meet only [DEFERRED-79]") {
  const ReportedErrors errors;
  DeferredQueue<int> unbuffered(0);
  DeferredQueue<int> impatient(1, 0);

  CHECK_THROWS_AS(unbuffered.put(1), QueueOverflow);
  CHECK_THROWS_AS(impatient.get(), QueueUnderflow);

  int seen = 0;
  unbuffered.get().addCallback([&seen](int item) { seen += item; });
  unbuffered.put(2);
  impatient.put(3);
  impatient.get().addCallback([&seen](int item) { seen += item; });
  CHECK(seen == 5);
}

TEST_CASE("a cancelled getter loses no item [DEFERRED-80]") {
  const ReportedErrors errors;
  DeferredQueue<std::unique_ptr<int>> queue;
  const auto first = queue.get();
  const auto second = queue.get();
  bool cancelled = false;
  int seen = 0;
  first.addBoth([&cancelled](const Result<std::unique_ptr<int>>& result) {
    cancelled = !result.isValue() && result.failure().check<CancelledError>() != nullptr;
  });
  second.addCallback([&seen](const std::unique_ptr<int>& item) { seen = *item; });

  first.cancel();
  CHECK(queue.waiting() == 1);
  queue.put(std::make_unique<int>(5));

  CHECK(cancelled);
  CHECK(seen == 5);
}

TEST_CASE("cancelling a get that has its item does nothing [DEFERRED-80]") {
  const ReportedErrors errors;
  DeferredQueue<int> queue;
  queue.put(1);
  queue.put(2);
  const Deferred<int> got = queue.get();

  got.cancel();

  int seen = 0;
  got.addCallback([&seen](int item) { seen = item; });
  CHECK(seen == 1);
  CHECK(queue.size() == 1);
}

TEST_CASE("a chain of puts by getters costs no stack [DEFERRED-73]") {
  const ReportedErrors errors;
  constexpr int kGetters = 100'000;
  DeferredQueue<int> queue(kGetters, kGetters);
  int last = 0;
  for (int i = 0; i < kGetters; ++i) {
    queue.get().addCallback([&](int item) {
      last = item;
      if (item < kGetters) queue.put(item + 1);
    });
  }

  queue.put(1);

  CHECK(last == kGetters);
  CHECK(queue.waiting() == 0);
}

TEST_CASE("a getter that fails does not hold up those behind it [DEFERRED-79]") {
  ReportedErrors errors;
  DeferredQueue<int> queue;
  int seen = 0;
  queue.get().addCallback([](int) { throw std::runtime_error("no"); });
  queue.get().addCallback([&seen](int item) { seen = item; });

  queue.put(1);
  queue.put(2);

  CHECK(seen == 2);
  CHECK(errors.take().size() == 1);
}
