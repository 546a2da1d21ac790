// Cancellation at random points: connections with counted bytes on them, whose readers, writers and
// accepters are struck over and over, until it is checked that nothing was lost, doubled or moved.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "plait/time.h"

namespace plait::test {

struct AccountingPlan {
  std::string endpoint;                             // what is listened on
  std::uint64_t seed = 1;                           // of all that is random
  std::size_t kills = 10'000;                       // that hit a fiber which had begun
  std::size_t connections = 8;                      // at the same time
  std::size_t flowBytes = 400'000;                  // most bytes of one direction
  std::size_t writeBytes = 60'000;                  // most bytes of one write
  Duration pause = std::chrono::microseconds(100);  // longest, between two strikes
  Duration finish = std::chrono::minutes(1);        // from the last strike to the end
};

struct Account {
  std::uint64_t readerKills = 0;
  std::uint64_t writerKills = 0;
  std::uint64_t accepterKills = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t closes = 0;  // streams closed under their fibers
  std::uint64_t broken = 0;  // directions in which a write was struck in its middle
  std::uint64_t connected = 0;
  std::uint64_t accepted = 0;
  std::uint64_t bytes = 0;

  std::uint64_t kills() const noexcept { return readerKills + writerKills + accepterKills; }
};

// Runs the plan and throws what does not add up. May switch. Throws: std::runtime_error.
Account runAccounting(const AccountingPlan& plan);

}  // namespace plait::test
