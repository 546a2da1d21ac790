#include <algorithm>
#include <stdexcept>
#include <string>

#include "deferred_support.h"
#include "plait/deferred.h"

using namespace plait;
using namespace plait::test;

namespace {

class DebuggingScope final {
 public:
  DebuggingScope() { setDebugging(true); }
  ~DebuggingScope() { setDebugging(false); }
};

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

[[gnu::noinline]] int throwsBelow(int depth) {
  if (depth == 0) throw std::runtime_error("no luck");
  const int below = throwsBelow(depth - 1);
  asm volatile("");  // no tail call
  return below;
}

std::string stackOfThrowAt(int depth) {
  std::string stack;
  const Deferred<int> d;
  d.addCallback([depth](int) { return throwsBelow(depth); });
  d.addErrback([&stack](const Failure& failure) {
    stack = failure.stack();
    return 0;
  });
  d.callback(1);
  return stack;
}

}  // namespace

#if defined(__x86_64__)

TEST_CASE("a failure knows the stack of its throw while debugging is on [DEFERRED-124]") {
  const DebuggingScope debugging;

  const std::string shallow = stackOfThrowAt(1);
  const std::string deep = stackOfThrowAt(6);

  CHECK(lines(shallow) > 0);
  CHECK(lines(deep) == lines(shallow) + 5);
}

TEST_CASE("the stack of the first throw stays with what is thrown on [DEFERRED-124]") {
  const DebuggingScope debugging;
  std::string first;
  std::string last;
  const Deferred<int> outer;
  outer.addCallback([&first](int) {
    return Deferred<int>(succeed(1))
        .addCallback([](int) { return throwsBelow(3); })
        .addErrback([&first](const Failure& failure) -> int {
          first = failure.stack();
          failure.raise();
        });
  });
  outer.addErrback([&last](const Failure& failure) {
    last = failure.stack();
    return 0;
  });

  outer.callback(1);

  CHECK(lines(first) > 0);
  CHECK(first == last);
}

#endif

TEST_CASE("without debugging no stack is taken [DEFERRED-124]") {
  CHECK(stackOfThrowAt(2).empty());
}
