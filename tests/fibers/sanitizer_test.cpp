// Whether a sanitizer still finds what it is there for when the code runs on fibers. The faults are
// cases of their own, skipped unless this program calls itself for one of them.
#include "plait/detail/sanitizer.h"

#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "child_process.h"
#include "fiber_test.h"
#include "plait/greenlet.h"
#include "plait/run.h"

using namespace plait;
using namespace plait::test;

namespace {

// The exit status of this program when it runs that case alone.
int statusOf(const std::string& testCase) {
  const pid_t child = ::fork();
  if (child != 0) return endOf(child);
  ::close(STDERR_FILENO);
  const std::string filter = "--test-case=" + testCase;
  ::execl("/proc/self/exe", "fibers_test", "--no-skip", filter.c_str(), nullptr);
  ::_exit(99);
}

// To be written by two without a word between them.
int shared = 0;

void writeShared() {
  run([] {
    for (int i = 0; i < 1000; ++i) {
      spawn([] { *const_cast<volatile int*>(&shared) = shared + 1; }).join();
    }
  });
}

}  // namespace

TEST_CASE("fault: two threads' fibers write the same word" * doctest::skip()) {
  std::thread other(&writeShared);
  writeShared();
  other.join();
}

TEST_CASE("fault: a fiber reads a local of a function that has returned" * doctest::skip()) {
  run([] {
    spawn([] {
      const auto leak = [](int** out) {
        volatile int local = 7;
        *out = const_cast<int*>(&local);
        yield();
      };
      int* gone = nullptr;
      leak(&gone);
      yield();
      if (*static_cast<volatile int*>(gone) == 8) ::_exit(8);
    }).join();
  });
}

TEST_CASE("a race between the fibers of two threads is reported [CONTEXT-21]") {
#ifdef PLAIT_TSAN
  CHECK(statusOf("fault: two threads' fibers write the same word") != 0);
#else
  MESSAGE("left out: this is not built with ThreadSanitizer");
#endif
}

TEST_CASE("a fiber's use of a local after its function's return is reported [CONTEXT-21]") {
#ifdef PLAIT_ASAN
  CHECK(statusOf("fault: a fiber reads a local of a function that has returned") != 0);
#else
  MESSAGE("left out: this is not built with AddressSanitizer");
#endif
}

TEST_CASE("a case that is sound passes when the program calls itself [CONTEXT-21]") {
  CHECK(statusOf("an observer off a loop is refused*") == 0);
}
