// Exceptions belong to the fiber that throws them, however often it switches meanwhile.
#include <exception>

#include <stdexcept>
#include <string>
#include <vector>

#include "at_end.h"
#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/greenlet.h"
#include "plait/run.h"

using namespace plait;
using namespace plait::test;

namespace {

// Counts how many of it live; an exception's copies included.
struct Counted {
  explicit Counted(int& n) : count(&n) { ++*count; }
  Counted(const Counted& other) : count(other.count) { ++*count; }
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --*count; }
  int* count;
};

std::string currentText() {
  if (!std::current_exception()) return "none";
  return describe(std::current_exception());
}

void yieldMuch() {
  for (int i = 0; i < 3; ++i) yield();
}

}  // namespace

FIBER_TEST("fibers that switch in their catch blocks keep their own exception [CONTEXT-1]") {
  const auto thrower = [](int number) {
    return spawn([number] {
      try {
        throw number;
      } catch (int caught) {
        yieldMuch();
        CHECK(caught == number);
        try {
          throw;
        } catch (int again) {
          yieldMuch();
          CHECK(again == number);
        }
        yieldMuch();
        try {
          std::rethrow_exception(std::current_exception());
        } catch (int third) {
          CHECK(third == number);
        }
      }
      CHECK(std::current_exception() == nullptr);
    });
  };

  // They end in another order than they began to catch.
  const std::vector<AnyGreenlet> all{thrower(1), thrower(2), thrower(3)};
  joinAll(all);

  for (const AnyGreenlet& greenlet : all) CHECK(greenlet.isSuccessful());
}

FIBER_TEST("rethrow after a switch gives the same object [CONTEXT-1]") {
  const void* thrown = nullptr;
  const void* rethrown = nullptr;
  const AnyGreenlet noise = spawn([] {
    for (int i = 0; i < 5; ++i) {
      try {
        throw i;
      } catch (int) {
        yield();
      }
    }
  });

  try {
    try {
      throw std::runtime_error("one");
    } catch (const std::runtime_error& e) {
      thrown = &e;
      yieldMuch();
      throw;
    }
  } catch (const std::runtime_error& e) {
    rethrown = &e;
  }
  noise.join();

  CHECK(thrown == rethrown);
}

FIBER_TEST("fibers and callbacks begin without exceptions [CONTEXT-3]") {
  std::string seen;
  const auto look = [&seen] {
    seen += currentText() + std::to_string(std::uncaught_exceptions()) + " ";
  };
  const auto begin = [&look] {
    spawn(look);
    callSoon(look);
    spawn([] {}).link([look](const AnyGreenlet&) { look(); });
    yieldMuch();
  };

  try {
    throw std::runtime_error("caught here");
  } catch (const std::runtime_error&) {
    begin();
    CHECK(currentText() == "std::runtime_error: caught here");
  }
  try {
    const AtEnd end(begin);
    throw 1;
  } catch (int) {
  }

  CHECK(seen == "none0 none0 none0 none0 none0 none0 ");
}

FIBER_TEST("a callback that parks in a catch block keeps its exception to itself [CONTEXT-3]") {
  std::string seen;
  callSoon([&seen] {
    try {
      throw std::runtime_error("callback's");
    } catch (const std::runtime_error&) {
      yieldMuch();
      seen += currentText();
    }
  });
  yield();

  callSoon([&seen] { seen += currentText() + " "; });
  spawn([&seen] { seen += currentText() + " "; });
  CHECK(currentText() == "none");
  settle();

  CHECK(seen == "none none std::runtime_error: callback's");
}

FIBER_TEST("nested exceptions survive switches [CONTEXT-4]") {
  const AnyGreenlet target = spawn([] {
    try {
      try {
        throw std::runtime_error("inner");
      } catch (...) {
        yieldMuch();
        std::throw_with_nested(std::logic_error("outer"));
      }
    } catch (const std::logic_error& outer) {
      yieldMuch();
      CHECK(outer.what() == std::string("outer"));
      CHECK_THROWS_WITH_AS(std::rethrow_if_nested(outer), "inner", std::runtime_error);
    }
  });
  const AnyGreenlet noise = spawn([] {
    try {
      throw 1;
    } catch (int) {
      yieldMuch();
    }
  });

  joinAll({target, noise});

  CHECK(target.isSuccessful());
}

FIBER_TEST("an exception_ptr travels between fibers unharmed [CONTEXT-4]") {
  int living = 0;
  {
    std::exception_ptr error;
    spawn([&] {
      try {
        throw Counted(living);
      } catch (const Counted&) {
        error = std::current_exception();
        yield();
      }
    }).join();
    const auto rethrow = [&error] {
      return spawn([error] {
        try {
          std::rethrow_exception(error);
        } catch (const Counted& caught) {
          yieldMuch();
          return caught.count;
        }
      });
    };

    const auto first = rethrow();
    const auto second = rethrow();

    CHECK(first.get() == &living);
    CHECK(second.get() == &living);
    CHECK(living == 1);
  }
  CHECK(living == 0);
}

TEST_CASE("a run inside a catch block begins without its exception [CONTEXT-3] [CONTEXT-1]") {
  try {
    throw std::runtime_error("outside");
  } catch (const std::runtime_error&) {
    std::string seen;
    run([&seen] {
      seen = currentText();
      try {
        throw 1;
      } catch (int) {
        yieldMuch();
      }
    });
    CHECK(seen == "none");
    CHECK(currentText() == "std::runtime_error: outside");
  }
}
