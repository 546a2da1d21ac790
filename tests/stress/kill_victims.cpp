#include "kill_victims.h"

#include <exception>

#include "plait/cancel_shield.h"

namespace plait::test {
namespace {

// What kill(error) throws into a victim.
struct Struck final : std::exception {};

}  // namespace

void Victims::keep(const std::function<void()>& work) {
  Victim victim;
  all_.push_back(&victim);
  struct Leave {
    std::vector<Victim*>& all;
    Victim& victim;
    ~Leave() {
      std::erase(all, &victim);
      // After an error elsewhere it may still run, and refers to this frame.
      const CancelShield shield;
      if (victim.fiber) victim.fiber.kill();
    }
  };
  const Leave leave{all_, victim};
  while (!victim.done) {
    victim.begun = false;
    victim.fiber = spawn([&victim, &work] {
      victim.begun = true;
      work();
      victim.done = true;
    });
    victim.fiber.join();
    if (!victim.done) noteDeath(victim);
  }
}

void Victims::noteDeath(const Victim& victim) {
  const std::exception_ptr error = victim.fiber.exception();
  if (!victim.fiber.isKilled()) {
    try {
      std::rethrow_exception(error);
    } catch (const Struck&) {
      // Another way to be killed.
    }
  }
  if (victim.begun) ++kills_;
}

AnyGreenlet Victims::choose(std::uint64_t lot) const {
  if (all_.empty()) return {};
  const AnyGreenlet& chosen = all_[lot % all_.size()]->fiber;
  return chosen && !chosen.isReady() ? chosen : AnyGreenlet();
}

void killBy(std::size_t way, const AnyGreenlet& victim) {
  if (way < 3) return victim.requestKill(std::make_exception_ptr(Struck()));
  if (way < 8) return victim.kill();
  victim.requestKill();
}

}  // namespace plait::test
