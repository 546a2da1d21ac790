// FIBER_TEST: a doctest case whose body runs on a fiber, inside run(). It fails also if the body
// leaves something behind: a fiber that had to be killed, an operation in flight, an open
// descriptor, or a reported error that no ExpectedErrors took.
//
//   FIBER_TEST("a killed reader leaves the stream usable [IO-8]") { ... }
//   FIBER_TEST_ON("sim", "a second passes at once [LOOP-4]") { ... }           // the virtual clock
//   FIBER_TEST_SIM(SimOptions::hostile(seed()), "no byte is lost [IO-8]") { ... }
//   FIBER_TEST_WITH(tinyRing(), "a full ring makes writers wait [KERNEL-3]") { ... }  // any
//   RunOptions
//
// FIBER_TEST takes the kernel from PLAIT_KERNEL, the others as they say. All of doctest works in
// the body. On the fibers that it spawns SUBCASE does not, INFO and CAPTURE only while nothing
// switches, and a failed REQUIRE fails the test but ends only its fiber.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "plait/greenlet.h"
#include "plait/report.h"
#include "plait/run.h"
#include "plait/sim.h"

namespace plait::test {

// Runs `body` with all the checks of FIBER_TEST; throws what leaves the body.
void runFiberTest(const RunOptions& options, const std::function<void()>& body,
                  std::source_location at = std::source_location::current());

// The kernels that a test meant for each of them runs on: what PLAIT_KERNEL says, or all.
std::vector<std::string> kernels();

// Where random tests start from: PLAIT_SEED, or 1. Printed when a test fails.
std::uint64_t seed();

// Takes the errors that are reported while it lives, on whatever thread. What is left in it at its
// end fails the test.
class ExpectedErrors final {
 public:
  ExpectedErrors();
  ExpectedErrors(const ExpectedErrors&) = delete;
  ExpectedErrors& operator=(const ExpectedErrors&) = delete;
  ~ExpectedErrors();

  // Those reported so far, each "context: type: message"; lets the loop go on until there are
  // `count` of them, or for a number of turns. May switch.
  std::vector<std::string> take(std::size_t count = 1);
  // As take(), with the exceptions. May switch.
  std::vector<ErrorReport> takeReports(std::size_t count = 1);

 private:
  std::size_t from_;  // where its reports begin
};

// Lets everything that is ready run, and what that makes ready, for a number of turns. May switch.
void settle();

}  // namespace plait::test

#define FIBER_TEST(name) FIBER_TEST_WITH(::plait::RunOptions(), name)
#define FIBER_TEST_ON(kernelName, name) FIBER_TEST_WITH(::plait::test::onKernel(kernelName), name)
#define FIBER_TEST_SIM(simOptions, name) \
  FIBER_TEST_WITH(::plait::test::onKernel("sim", simOptions), name)
#define FIBER_TEST_WITH(options, name) \
  PLAIT_FIBER_TEST_AS(DOCTEST_ANONYMOUS(fiberTest_), options, name)
#define PLAIT_FIBER_TEST_AS(function, options, name)                   \
  static void function();                                              \
  TEST_CASE(name) { ::plait::test::runFiberTest(options, &function); } \
  static void function()

namespace plait::test {

inline RunOptions onKernel(std::string name, const SimOptions& sim = SimOptions::calm()) {
  RunOptions options;
  options.kernel = std::move(name);
  options.sim = sim;
  return options;
}

}  // namespace plait::test
