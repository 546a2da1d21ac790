// Twisted's ReconnectingClientFactory: connects again, after growing waits, for as long as it
// shall.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>

#include "plait/listen.h"
#include "plait/time.h"
#include "plait/time_source.h"

namespace plait {

struct ReconnectOptions {
  Duration initialDelay = std::chrono::seconds(1);
  Duration maxDelay = std::chrono::hours(1);
  double factor = 2.7182818284590451;       // by which the delay grows
  double jitter = 0.11962656472;            // of the delay: the spread of a normal distribution
  std::optional<unsigned> maxRetries = {};  // attempts in a row; none: for ever
  std::uint64_t seed = 0;                   // of the jitter; 0: another one in each process
};

// A protocol should call resetDelay() once its connection has proved good.
class ReconnectingClientFactory : public ClientFactory {
 public:
  explicit ReconnectingClientFactory(const ReconnectOptions& options = ReconnectOptions(),
                                     TimeSource& time = loopTime());

  // Whoever overrides these calls them, too: they know the attempt, and retry.
  void startedConnecting(const Connector& connector) override { connector_.emplace(connector); }
  void clientConnectionFailed(const Connector& connector, const Failure& reason) override;
  void clientConnectionLost(const Connector& connector, const Failure& reason) override;

  // Connects after the next delay. Never switches.
  void retry(const Connector& connector);
  // No further attempt; one that runs is stopped.
  void stopTrying();
  // The next delay is the first again.
  void resetDelay();

  Duration delay() const noexcept { return delay_; }
  unsigned retries() const noexcept { return retries_; }
  bool isTrying() const noexcept { return trying_; }

 private:
  ReconnectOptions options_;
  TimeSource& time_;
  std::mt19937_64 random_;
  Duration delay_;
  unsigned retries_ = 0;
  bool trying_ = true;
  DelayedCall next_;
  std::optional<Connector> connector_;
};

}  // namespace plait
