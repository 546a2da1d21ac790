#include "fiber_test.h"
#include "plait/error.h"
#include "plait/pipe.h"

namespace plait::test {

TEST_CASE("a descriptor that is no terminal is told apart [OS-1]") {
  CHECK_FALSE(os::isTerminal(-1));
  CHECK_THROWS_AS(os::terminalSize(-1), IoError);
}

}  // namespace plait::test
