// Fibers that may be struck at any time, and are started again until they have done their work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "plait/greenlet.h"

namespace plait::test {

// Those of one kind. Belongs to one loop.
class Victims final {
 public:
  // Calls `work` on a fiber of its own until it returns without having been struck. May switch.
  // Throws: what `work` throws by itself.
  void keep(const std::function<void()>& work);

  // One of those that run now, by lot; none if there is none.
  AnyGreenlet choose(std::uint64_t lot) const;

  // How many were killed after they had begun.
  std::uint64_t kills() const noexcept { return kills_; }

 private:
  struct Victim {
    AnyGreenlet fiber;
    bool begun = false;
    bool done = false;
  };
  void noteDeath(const Victim& victim);

  std::vector<Victim*> all_;
  std::uint64_t kills_ = 0;
};

inline constexpr std::size_t kWaysToKill = 32;

// Kills in one of kWaysToKill ways. May switch.
void killBy(std::size_t way, const AnyGreenlet& victim);

}  // namespace plait::test
