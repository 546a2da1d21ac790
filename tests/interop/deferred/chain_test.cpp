#include <stdexcept>
#include <string>
#include <vector>

#include "deferred_support.h"
#include "plait/deferred.h"

using namespace plait;
using namespace plait::test;

TEST_CASE("callbacks run in the order added, each with the result of the one before [DEFERRED-1]") {
  const ReportedErrors errors;
  std::vector<std::string> log;
  Deferred<int> d;
  d.addCallback([&log](int value) {
    log.push_back("first " + std::to_string(value));
    return value + 1;
  });
  d.addCallback([&log](int value) {
    log.push_back("second " + std::to_string(value));
    return value;
  });

  d.callback(1);

  CHECK(log == std::vector<std::string>{"first 1", "second 2"});
}
