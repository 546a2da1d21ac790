// Destructors that switch while their fiber unwinds.
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "at_end.h"
#include "fiber_test.h"
#include "plait/event.h"
#include "plait/greenlet.h"

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

void yieldMuch() {
  for (int i = 0; i < 3; ++i) yield();
}

}  // namespace

FIBER_TEST("uncaught_exceptions is kept over a switch and 0 in the others [CONTEXT-2]") {
  std::vector<int> others;
  std::vector<int> own;
  const AnyGreenlet target = spawn([&] {
    try {
      const AtEnd outer([&own] {
        try {
          const AtEnd inner([&own] {
            own.push_back(std::uncaught_exceptions());
            yieldMuch();
            own.push_back(std::uncaught_exceptions());
          });
          throw 2;
        } catch (int) {
          yieldMuch();
          own.push_back(std::uncaught_exceptions());
        }
      });
      throw 1;
    } catch (int) {
      yield();
      own.push_back(std::uncaught_exceptions());
    }
  });

  while (!target.isReady()) {
    others.push_back(std::uncaught_exceptions());
    yield();
  }

  CHECK(own == std::vector<int>{2, 2, 1, 0});
  CHECK(others == std::vector<int>(others.size(), 0));
}

FIBER_TEST("a scope guard that counts exceptions is right though fibers switch [CONTEXT-2]") {
  struct Guard {
    std::string& log;
    int before = std::uncaught_exceptions();
    ~Guard() {
      yield();
      log += std::uncaught_exceptions() > before ? "failed " : "succeeded ";
    }
  };
  std::string log;
  const AnyGreenlet failing = spawn([] {
    const AtEnd end(&yieldMuch);
    throw GreenletExit();
  });
  yield();

  {
    const Guard guard{log};
  }
  try {
    const Guard guard{log};
    throw 1;
  } catch (int) {
  }
  failing.join();

  CHECK(log == "succeeded failed ");
}

FIBER_TEST("a kill inside a catch block destroys each exception once [CONTEXT-5]") {
  int living = 0;
  struct CountedExit {
    explicit CountedExit(int& n) : counted(n) {}
    Counted counted;
  };
  for (const bool isKill : {true, false}) {
    const AnyGreenlet target = spawn([&living] {
      try {
        throw Counted(living);
      } catch (const Counted&) {
        Event().wait();
      }
    });
    yield();
    CHECK(living == 1);

    if (isKill) target.kill();
    if (!isKill) target.kill(std::make_exception_ptr(CountedExit(living)));

    CHECK(target.isReady());
    CHECK(living == (isKill ? 0 : 1));  // get() may still want the one of the kill
    static_cast<void>(target.exception());
  }
  CHECK(living == 0);
}

FIBER_TEST("destructors block during unwinding, one inside the other [CONTEXT-2]") {
  std::string steps;
  const auto target = spawn([&steps] {
    const AtEnd third([&steps] {
      yieldMuch();
      steps += "third ";
    });
    const AtEnd second([&steps] {
      try {
        const AtEnd inner([&steps] {
          yieldMuch();
          steps += "inner ";
        });
        throw std::logic_error("caught on the way");
      } catch (const std::logic_error&) {
        yieldMuch();
        steps += "second ";
      }
    });
    const AtEnd first([&steps] {
      spawn([&steps] { steps += "child "; }).join();
      steps += "first ";
    });
    throw std::runtime_error("through all");
  });

  CHECK_THROWS_WITH_AS(target.get(), "through all", std::runtime_error);

  CHECK(steps == "child first inner second third ");
}
