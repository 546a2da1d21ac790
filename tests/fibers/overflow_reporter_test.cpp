// The report of an overflowed stack, and the manners of its signal handler. The guards are touched
// directly, in child processes; no fiber runs here.
#include <signal.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "plait/detail/sanitizer.h"
#include "stack_pool.h"
#include "stack_slab.h"
#include "stacks.h"

using namespace stacks;
using plait::detail::kGuardBytes;
using plait::detail::OverflowReporter;

namespace {

constexpr std::string_view kReport = "plait: a fiber overflowed its ";

// A member of a null object; UBSan would have a word about null itself.
void* const kNearNull = reinterpret_cast<void*>(8);

// In a child: takes a stack, and writes `below` bytes under its end, where its guard is.
// The stack is given back before, because nobody cannot be described.
Death overflow(const char* mask, std::size_t below = 1) {
  return inChild([mask, below] {
    const Mask masked(mask);
    OverflowReporter reporter;
    StackPool pool;
    const Stack stack = pool.allocate(StackPool::kDefaultBytes, nobody);
    pool.release(stack);
    write(stack.bottom - below);
  });
}

std::string defaultSize() { return std::to_string(StackPool::kDefaultBytes / 1024) + " KiB"; }

void exitWith42(int) { _exit(42); }

}  // namespace

TEST_CASE("an overflow is reported and ends the process by SIGSEGV, whatever guards are made of") {
  for (const char* const mask : {kMaskNothing, kMaskInstall}) {
    CAPTURE(mask);
    for (const std::size_t below : {std::size_t{1}, kGuardBytes}) {
      const Death death = overflow(mask, below);

      CHECK(death.standardError.starts_with(std::string(kReport) + defaultSize() + " stack; "));
#ifndef PLAIT_ASAN  // which has a handler of its own, and exits
      CHECK(death.signal == SIGSEGV);
#endif
    }
  }
}

TEST_CASE("guards outlast trimming") {
  const Death death = inChild([] {
    OverflowReporter reporter;
    Taken taken(200);
    const std::vector<Stack> stacks = taken.stacks;
    taken.releaseAll();
    taken.pool.trim();
    write(stacks[5].bottom - 1);
  });

  CHECK(death.standardError.starts_with(kReport));
}

TEST_CASE("a null dereference is not reported as an overflow") {
  const Death death = inChild([] {
    OverflowReporter reporter;
    const Taken taken(1);
    void* volatile null = kNearNull;
    write(null);
  });

  CHECK(death.standardError.find("overflowed its") == std::string::npos);
#ifndef PLAIT_ASAN
  CHECK(death.signal == SIGSEGV);
#endif
}

TEST_CASE("the program's own handler gets what is no overflow, and the overflow after the report") {
  for (const bool isOverflow : {false, true}) {
    CAPTURE(isOverflow);
    const Death death = inChild([isOverflow] {
      struct sigaction action{};
      action.sa_handler = exitWith42;
      action.sa_flags = static_cast<int>(SA_RESETHAND);
      sigaction(SIGSEGV, &action, nullptr);
      OverflowReporter reporter;
      Taken taken(1);
      const Stack stack = taken.stacks.front();
      taken.releaseAll();
      void* volatile null = kNearNull;
      write(isOverflow ? stack.bottom - 1 : null);
    });

    CHECK(death.status == 42);
    CHECK(death.standardError.starts_with(kReport) == isOverflow);
  }
}

TEST_CASE("a handler that returns once and wants the default next gets it") {
  const Death death = inChild([] {
    struct sigaction action{};
    action.sa_handler = [](int) { [[maybe_unused]] ssize_t count = ::write(2, "once", 4); };
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(SIGSEGV, &action, nullptr);
    OverflowReporter reporter;
    void* volatile null = kNearNull;
    write(null);
  });

  CHECK(death.signal == SIGSEGV);
  CHECK(death.standardError == "once");
}

TEST_CASE("a SIGSEGV sent by kill still ends the process") {
  const Death death = inChild([] {
    OverflowReporter reporter;
    kill(getpid(), SIGSEGV);
  });

  CHECK(death.signal == SIGSEGV);
}

TEST_CASE("the handler is there while a reporter lives, and never under a later one") {
  const Death death = inChild([] {
    const auto current = [] {
      struct sigaction action{};
      sigaction(SIGSEGV, nullptr, &action);
      return action.sa_handler;
    };
    bool isRight = true;
    {
      OverflowReporter outer;
      const auto ours = current();
      {
        OverflowReporter inner;
      }
      isRight = isRight && ours != SIG_DFL && current() == ours;
      signal(SIGSEGV, exitWith42);
    }
    isRight = isRight && current() == exitWith42;
    {
      OverflowReporter later;
      isRight = isRight && current() == exitWith42;
    }
    isRight = isRight && current() == exitWith42;
    signal(SIGSEGV, SIG_DFL);
    {
      OverflowReporter last;
    }
    isRight = isRight && current() == SIG_DFL;
    _exit(isRight ? 42 : 1);
  });

  CHECK(death.status == 42);
}

TEST_CASE("a thread gets an alternate signal stack, unless it has one") {
  const Death death = inChild([] {
    const auto current = [] {
      stack_t stack{};
      sigaltstack(nullptr, &stack);
      return (stack.ss_flags & SS_DISABLE) != 0 ? nullptr : stack.ss_sp;
    };
    stack_t stack{};
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, nullptr);
    bool isRight = current() == nullptr;
    {
      OverflowReporter reporter;
      isRight = isRight && current() != nullptr;
    }
    isRight = isRight && current() == nullptr;
    static std::array<char, 64 * 1024> own;
    stack = {};
    stack.ss_sp = own.data();
    stack.ss_size = own.size();
    sigaltstack(&stack, nullptr);
    {
      OverflowReporter reporter;
      isRight = isRight && current() == own.data();
    }
    _exit(isRight && current() == own.data() ? 42 : 1);
  });

  CHECK(death.status == 42);
}
