// Random bytes, which the keys of WebSocket's masks are made of.
#include <sys/random.h>

#include <sys/time.h>

#include <array>
#include <csignal>

#include "support.h"

namespace {

using Batch = std::array<unsigned char, 256>;

TEST_CASE("getrandom gives 256 bytes whole and at once, also while signals come") {
  struct sigaction before{};
  struct sigaction ignore{};
  ignore.sa_handler = [](int) {};
  REQUIRE(sigaction(SIGALRM, &ignore, &before) == 0);
  itimerval often{{0, 50}, {0, 50}};
  REQUIRE(setitimer(ITIMER_REAL, &often, nullptr) == 0);

  Batch last{};
  int whole = 0;
  int same = 0;
  for (int i = 0; i < 2'000; ++i) {
    Batch next{};
    whole += getrandom(next.data(), next.size(), 0) == 256 ? 1 : 0;
    same += next == last ? 1 : 0;
    last = next;
  }
  itimerval never{};
  setitimer(ITIMER_REAL, &never, nullptr);
  sigaction(SIGALRM, &before, nullptr);

  CHECK(whole == 2'000);
  CHECK(same == 0);
}

}  // namespace
