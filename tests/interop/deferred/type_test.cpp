// What a chain carries: values of every kind, and none.
#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "deferred_support.h"
#include "plait/deferred.h"

using namespace plait;
using namespace plait::test;

namespace {

template <class D, class F>
using Added =
    std::remove_cvref_t<decltype(std::declval<const D&>().addCallback(std::declval<F>()))>;
template <class D, class F>
concept TakesCallback = requires(const D& d, F f) { d.addCallback(std::move(f)); };
template <class D, class F>
concept TakesErrback = requires(const D& d, F f) { d.addErrback(std::move(f)); };
template <class D, class F>
concept TakesBoth = requires(const D& d, F f) { d.addBoth(std::move(f)); };

using Text = std::string;
static_assert(std::is_same_v<Added<Deferred<int>, Text (*)(int)>, Deferred<Text>>);
static_assert(std::is_same_v<Added<Deferred<int>, Deferred<Text> (*)(int)>, Deferred<Text>>);
static_assert(std::is_same_v<Added<Deferred<int>, Result<Text> (*)(int)>, Deferred<Text>>);
static_assert(std::is_same_v<Added<Deferred<int>, void (*)(int)>, Deferred<void>>);
static_assert(std::is_same_v<Added<Deferred<void>, int (*)()>, Deferred<int>>);
static_assert(!TakesCallback<Deferred<int>, int (*)()>);
static_assert(!TakesCallback<Deferred<int>, int (*)(Text)>);
static_assert(!TakesErrback<Deferred<int>, int (*)(int)>);
static_assert(!TakesBoth<Deferred<int>, int (*)(int)>);

// Counts those alive, and knows whether it is where it was made or moved to.
template <std::size_t Bytes, std::size_t Alignment>
struct alignas(Alignment) Counted {
  static inline int alive = 0;

  explicit Counted(int n) : number(n) { ++alive; }
  Counted(const Counted& other) : number(other.number) { ++alive; }
  Counted(Counted&& other) noexcept : number(other.number) { ++alive; }
  Counted& operator=(const Counted&) = default;
  ~Counted() { --alive; }

  bool isWhole() const { return self == this && isAligned(); }
  bool isAligned() const { return reinterpret_cast<std::uintptr_t>(self) % alignof(Counted) == 0; }

  int number;
  const Counted* volatile self = this;
  std::array<char, Bytes> filling{};
};

template <class T>
void checkRoundTrip() {
  {
    int seen = 0;
    const Deferred<T> inner;
    const Deferred<T> d;
    const Deferred<T> dropped;
    d.addCallback([](T value) {
      CHECK(value.isWhole());
      ++value.number;
      return value;
    });
    d.addErrback([](const Failure&) { return T(0); });
    d.addCallback([&inner](const T& value) {
      inner.callback(value);
      return inner;
    });
    d.addBoth([&seen](Result<T> result) {
      CHECK(result.value().isWhole());
      seen = result.value().number;
      return result;
    });

    d.callback(T(1));
    dropped.callback(T(9));
    const T refused(5);
    CHECK_THROWS_AS(d.callback(refused), AlreadyCalledError);

    CHECK(seen == 2);
    CHECK(T::alive == 3);  // in d, in dropped, and the refused one
  }
  CHECK(T::alive == 0);
}

}  // namespace

TEST_CASE("a callback may return a value, a Deferred or a Result [DEFERRED-104]") {
  const ReportedErrors errors;
  std::string log;
  const Deferred<int> d;
  d.addCallback([](int value) { return std::to_string(value); })
      .addCallback([](const Text& text) { return succeed(text + "!"); })
      .addCallback([](const Text& text) -> Result<Text> { return text + "?"; })
      .addCallback([](const Text&) -> Result<Text> { return Failure(std::runtime_error("no")); })
      .addErrback([](const Failure& failure) { return failure; })
      .addErrback([](const Failure& failure) -> Result<Text> { return failure; })
      .addErrback([](const Failure& failure) { return fail<Text>(failure); })
      .addErrback([](const Failure&) { return "literal"; })
      .addBoth([&log](const Result<Text>& result) { log = result.value(); });

  d.callback(1);

  CHECK(log == "literal");
}

TEST_CASE("both functions of a pair may change the type [DEFERRED-104]") {
  const ReportedErrors errors;
  for (const bool fails : {false, true}) {
    Text seen;
    const Deferred<int> d;
    d.addCallbacks([](int value) { return std::to_string(value); },
                   [](const Failure& failure) { return succeed(failure.message()); })
        .addCallback([&seen](const Text& text) { seen = text; });

    fails ? d.errback(std::runtime_error("no")) : d.callback(7);

    CHECK(seen == (fails ? "std::runtime_error: no" : "7"));
  }
}

TEST_CASE("a failure passes a callback that would change the type [DEFERRED-104]") {
  const ReportedErrors errors;
  Text seen;
  const Deferred<int> d;
  d.addCallback([](int value) { return std::to_string(value); })
      .addCallback([](const Text& text) { return text.size(); })
      .addErrback([](const Failure&) -> std::size_t { return 77; })
      .addCallback([&seen](std::size_t size) { seen = std::to_string(size); });

  d.errback(std::runtime_error("no"));

  CHECK(seen == "77");
}

TEST_CASE("values and callables that can only be moved go through [DEFERRED-105]") {
  const ReportedErrors errors;
  using Only = std::unique_ptr<int>;
  int seen = 0;
  const Deferred<Only> inner;
  const Deferred<Only> d([held = std::make_unique<int>(0)](const Deferred<Only>&) {});
  d.addCallback([add = std::make_unique<int>(10)](Only value) {
    *value += *add;
    return value;
  });
  d.addErrback([held = std::make_unique<int>(0)](const Failure&) { return Only(); });
  d.addBoth([](Result<Only> result) { return result; });
  d.addCallback([&inner](Only value) -> Deferred<Only> {
    inner.callback(std::move(value));
    return inner;
  });
  d.addCallback([&seen](const Only& value) { seen = *value; });

  d.callback(std::make_unique<int>(1));

  CHECK(seen == 11);
}

TEST_CASE("a value that can only be moved survives a refused fire [DEFERRED-105] [DEFERRED-9]") {
  const ReportedErrors errors;
  const Deferred<std::unique_ptr<int>> d = succeed(std::make_unique<int>(1));
  auto value = std::make_unique<int>(2);

  CHECK_THROWS_AS(d.callback(std::move(value)), AlreadyCalledError);

  CHECK(value != nullptr);  // NOLINT(bugprone-use-after-move)
}

TEST_CASE("a Deferred without a value works as any other [DEFERRED-106]") {
  const ReportedErrors errors;
  std::string log;
  const Deferred<void> inner;
  const Deferred<void> d;
  d.addCallback([&] { log += "a"; });
  d.addCallback([&inner] { return inner; });
  d.addCallback([]() -> Result<void> { return Failure(std::runtime_error("no")); });
  d.addErrback([&](const Failure&) { log += "b"; });
  d.addBoth([&](const Result<void>& result) { log += result ? "c" : "!"; });
  d.addErrback<Error>([&](const Error&) { log += "!"; });
  d.addCallback([] { return 5; }).addCallback([&](int value) { log += std::to_string(value); });

  d.callback();
  CHECK(log == "a");
  inner.callback();

  CHECK(log == "abc5");
}

TEST_CASE("values of every size and alignment arrive whole and die once [DEFERRED-107]") {
  const ReportedErrors errors;

  checkRoundTrip<Counted<1, 8>>();
  checkRoundTrip<Counted<20, 8>>();
  checkRoundTrip<Counted<200, 8>>();
  checkRoundTrip<Counted<5000, 16>>();
  checkRoundTrip<Counted<8, 32>>();
  checkRoundTrip<Counted<8, 128>>();
}

TEST_CASE("a callback of any size keeps what it captured [DEFERRED-107]") {
  const ReportedErrors errors;
  using Big = Counted<3000, 16>;
  int seen = 0;
  {
    const Deferred<int> d;
    d.addCallback([big = Big(1)](int value) { return value + big.number; });
    d.addErrback([big = Big(2)](const Failure&) { return big.number; });
    d.addCallback([big = Big(3), &seen](int value) { return seen = value + big.number; });
    const Deferred<int> never([big = Big(4)](const Deferred<int>&) {});

    d.callback(10);
  }

  CHECK(seen == 14);
  CHECK(Big::alive == 0);
}

TEST_CASE("what making a value throws is the caller's, and nothing was fired [DEFERRED-108]") {
  const ReportedErrors errors;
  struct Picky {
    Picky(int n) : number(n) {  // NOLINT(google-explicit-constructor)
      if (n < 0) throw std::invalid_argument("negative");
    }
    int number;
  };
  int seen = 0;
  const Deferred<Picky> d;
  d.addCallback([&seen](const Picky& value) { seen = value.number; });

  CHECK_THROWS_AS(d.callback(-1), std::invalid_argument);
  CHECK_FALSE(d.isCalled());
  d.callback(4);

  CHECK(seen == 4);
}
