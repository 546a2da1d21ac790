// Everything that can befall a parked fiber, at one instant and in every order.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/greenlet.h"
#include "plait/time.h"

namespace plait::test {

// Every order of every choice of one or more of `letters`.
inline std::vector<std::string> allOrders(std::string_view letters) {
  std::vector<std::string> found;
  const std::function<void(std::string)> extend = [&](std::string so) {
    if (!so.empty()) found.push_back(so);
    for (const char letter : letters) {
      if (so.find(letter) == std::string::npos) extend(so + letter);
    }
  };
  extend("");
  return found;
}

struct Befallen {
  std::string outcome;  // what `wait` returned; empty if it was left by a kill
  bool isKilled = false;
};

// Parks a fiber in `wait` and then does to it, in the turn in which its period ends, what the
// letters say: 'x' is the end of the period itself, 'k' a kill, any other is left to `act`. After
// `wait` the fiber makes one more call that may switch. Needs the virtual clock.
inline Befallen befall(std::string_view order, const std::function<void(char)>& act,
                       const std::function<std::string(Duration)>& wait) {
  using namespace std::chrono_literals;
  Befallen result;
  AnyGreenlet waiter;
  // Timers of one deadline run in the order in which they were made, and the period is one of them.
  const TimePoint deadline = now() + 1s;
  const std::size_t expiry = order.find('x');
  const auto arm = [&](char letter) {
    callLater(deadline - now(), [&act, &waiter, letter] {
      if (letter == 'k') return waiter.requestKill();
      act(letter);
    });
  };
  const bool expires = expiry != std::string_view::npos;
  const std::size_t before = expires ? expiry : 0;
  for (const char letter : order.substr(0, before)) arm(letter);
  waiter = spawn([&, expires] {
    result.outcome = wait(expires ? Duration(1s) : kForever);
    yield();
  });
  settle();
  REQUIRE(now() == deadline - 1s);
  for (const char letter : order.substr(expires ? expiry + 1 : 0)) arm(letter);
  waiter.join();
  settle();
  result.isKilled = waiter.isKilled();
  return result;
}

inline bool contains(std::string_view order, char letter) {
  return order.find(letter) != std::string_view::npos;
}

}  // namespace plait::test
