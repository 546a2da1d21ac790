// The C++ runtime's per-thread state and what jump_fcontext keeps: the facts under a fiber switch.
#include <cxxabi.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <thread>
#include <typeinfo>

#include <boost/context/detail/fcontext.hpp>
#include <doctest/doctest.h>

namespace {

// The layout that the Itanium C++ ABI gives __cxa_eh_globals.
struct ExceptionGlobals {
  void* caughtExceptions;
  unsigned int uncaughtExceptions;
};

ExceptionGlobals& exceptionGlobals() {
  return *reinterpret_cast<ExceptionGlobals*>(abi::__cxa_get_globals());
}

struct SeenWhileUnwinding {
  unsigned& count;
  ~SeenWhileUnwinding() { count = exceptionGlobals().uncaughtExceptions; }
};

#if defined(__x86_64__)

namespace context = boost::context::detail;

struct ControlWords {
  std::uint32_t mxcsr = 0;
  std::uint16_t x87 = 0;

  static ControlWords read() {
    ControlWords words;
    asm volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(words.mxcsr), "=m"(words.x87));
    return words;
  }
  void write() const { asm volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mxcsr), "m"(x87)); }
  bool operator==(const ControlWords&) const = default;
};

constexpr ControlWords kUsual{0x1f80, 0x037f};
constexpr ControlWords kAtMaking{0x3f80, 0x077f};  // rounds down
constexpr ControlWords kInside{0xdf80, 0x0b7f};    // rounds up, flushes to zero
constexpr std::size_t kStackSize = 256 * 1024;

struct Seen {
  ControlWords atStart;
  ControlWords afterResume;
};

void insideContext(context::transfer_t caller) {
  auto& seen = *static_cast<Seen*>(caller.data);
  seen.atStart = ControlWords::read();
  kInside.write();
  caller = context::jump_fcontext(caller.fctx, nullptr);
  seen.afterResume = ControlWords::read();
  context::jump_fcontext(caller.fctx, nullptr);
}

#endif

}  // namespace

TEST_CASE("a thread's exception globals keep their address, and each thread has its own") {
  void* before = abi::__cxa_get_globals();
  void* inCatch = nullptr;
  void* inOtherThread = nullptr;

  try {
    throw std::runtime_error("x");
  } catch (const std::runtime_error&) {
    inCatch = abi::__cxa_get_globals();
  }
  std::thread([&inOtherThread] { inOtherThread = abi::__cxa_get_globals(); }).join();

  CHECK(before != nullptr);
  CHECK(inCatch == before);
  CHECK(inOtherThread != nullptr);
  CHECK(inOtherThread != before);
}

TEST_CASE("the exception globals begin with the caught exceptions and the count of uncaught ones") {
  unsigned whileUnwinding = 0;
  void* caught = nullptr;
  unsigned uncaughtInCatch = 1;
  REQUIRE(exceptionGlobals().caughtExceptions == nullptr);
  REQUIRE(exceptionGlobals().uncaughtExceptions == 0);

  try {
    SeenWhileUnwinding seen{whileUnwinding};
    throw std::runtime_error("x");
  } catch (const std::runtime_error&) {
    caught = exceptionGlobals().caughtExceptions;
    uncaughtInCatch = exceptionGlobals().uncaughtExceptions;
  }

  CHECK(whileUnwinding == 1);
  CHECK(caught != nullptr);
  CHECK(uncaughtInCatch == 0);
  CHECK(exceptionGlobals().caughtExceptions == nullptr);
}

TEST_CASE("exception globals put aside hide a caught exception, put back they restore it") {
  std::string hiddenAs = "visible";
  std::string rethrown;

  try {
    throw std::runtime_error("outer");
  } catch (const std::runtime_error&) {
    ExceptionGlobals aside = exceptionGlobals();
    exceptionGlobals() = {};
    if (std::current_exception() == nullptr) hiddenAs = "none";
    try {
      throw std::logic_error("inner");
    } catch (const std::logic_error&) {
    }
    exceptionGlobals() = aside;
    try {
      throw;
    } catch (const std::exception& error) {
      rethrown = error.what();
    }
  }

  CHECK(hiddenAs == "none");
  CHECK(rethrown == "outer");
  CHECK(std::current_exception() == nullptr);
}

TEST_CASE("uncaught_exceptions() reads the second word of the exception globals") {
  exceptionGlobals().uncaughtExceptions = 3;
  int asked = std::uncaught_exceptions();
  exceptionGlobals().uncaughtExceptions = 0;

  CHECK(asked == 3);
}

TEST_CASE("errno has one address per thread") {
  int* here = &errno;
  int* inOtherThread = nullptr;

  std::thread([&inOtherThread] { inOtherThread = &errno; }).join();

  CHECK(&errno == here);
  CHECK(inOtherThread != here);
}

#if defined(__x86_64__)

TEST_CASE("a context keeps its MXCSR and x87 control word, first those of where it was made") {
  void* stack =
      mmap(nullptr, kStackSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(stack != MAP_FAILED);
  ControlWords before = ControlWords::read();
  Seen seen;

  kAtMaking.write();
  context::fcontext_t made =
      context::make_fcontext(static_cast<char*>(stack) + kStackSize, kStackSize, insideContext);
  kUsual.write();
  context::transfer_t inside = context::jump_fcontext(made, &seen);
  ControlWords afterFirst = ControlWords::read();
  context::jump_fcontext(inside.fctx, nullptr);
  ControlWords afterSecond = ControlWords::read();
  before.write();

  CHECK(seen.atStart == kAtMaking);
  CHECK(seen.afterResume == kInside);
  CHECK(afterFirst == kUsual);
  CHECK(afterSecond == kUsual);
  munmap(stack, kStackSize);
}

#endif

TEST_CASE("an exception_ptr is a pointer to the exception object") {
  const std::exception_ptr error = std::make_exception_ptr(std::runtime_error("no luck"));
  const void* object = nullptr;
  static_assert(sizeof object == sizeof error);
  std::memcpy(&object, &error, sizeof object);

  const void* caught = nullptr;
  try {
    std::rethrow_exception(error);
  } catch (const std::runtime_error& same) {
    caught = &same;
  }

  CHECK(object == caught);
}

TEST_CASE("a type_info knows what a handler for it would catch, and where in the object") {
  struct First {
    int first = 1;
  };
  struct Second {
    int second = 2;
  };
  struct Both : First, Second {};
  Both both;
  void* object = &both;

  CHECK(typeid(Second).__do_catch(&typeid(Both), &object, 1));
  CHECK(object == static_cast<Second*>(&both));
  CHECK_FALSE(typeid(std::exception).__do_catch(&typeid(Both), &object, 1));
}
