#include "plait/reconnecting_client_factory.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace plait {

ReconnectingClientFactory::ReconnectingClientFactory(const ReconnectOptions& options,
                                                     TimeSource& time)
    : options_(options),
      time_(time),
      random_(options.seed != 0 ? options.seed : std::random_device()()),
      delay_(options.initialDelay) {}

void ReconnectingClientFactory::clientConnectionFailed(const Connector& connector, const Failure&) {
  retry(connector);
}

void ReconnectingClientFactory::clientConnectionLost(const Connector& connector, const Failure&) {
  retry(connector);
}

void ReconnectingClientFactory::retry(const Connector& connector) {
  if (!trying_ || (options_.maxRetries && retries_ >= *options_.maxRetries)) {
    connector_.reset();  // which has this factory
    return;
  }
  ++retries_;
  const double longest = static_cast<double>(options_.maxDelay.count());
  double wanted = std::min(static_cast<double>(delay_.count()) * options_.factor, longest);
  if (options_.jitter > 0) {
    std::normal_distribution<double> spread(wanted, wanted * options_.jitter);
    wanted = std::clamp(spread(random_), 0.0, longest);
  }
  delay_ = Duration(static_cast<Duration::rep>(wanted));
  connector_.emplace(connector);
  next_ = callLater(time_, delay_, [connector] { connector.connect(); });
}

void ReconnectingClientFactory::stopTrying() {
  trying_ = false;
  next_.cancel();
  const std::optional<Connector> connector = std::exchange(connector_, std::nullopt);
  if (!connector) return;
  try {
    connector->stopConnecting();
  } catch (const std::logic_error&) {
    // It does not connect now.
  }
}

void ReconnectingClientFactory::resetDelay() {
  delay_ = options_.initialDelay;
  retries_ = 0;
  trying_ = true;
}

}  // namespace plait
