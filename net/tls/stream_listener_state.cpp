#include "stream_listener_state.h"

#include <cerrno>
#include <utility>

#include "plait/cancel_shield.h"
#include "plait/greenlet.h"

namespace plait::net::detail {

StreamListenerState::StreamListenerState(Listener listener, StreamLayers layers)
    : listener_(std::move(listener)),
      layers_(std::make_shared<const StreamLayers>(std::move(layers))) {}

StreamListenerState::~StreamListenerState() { close(); }

std::unique_ptr<Stream> StreamListenerState::accept() {
  // Without layers there is nothing to wait for.
  if (!layers_->tls && !layers_->readsProxyHeader) return acceptArrival().open();
  if (!openings_ && listener_.isOpen()) {
    openings_.emplace(kOpeningsMax);
    acceptor_ = spawn([this] { acceptAll(); });
  }
  try {
    return ready_.get();
  } catch (const QueueClosed&) {
    throw ConnectionClosed(EBADF, "accepting on " + listener_.describe());
  }
}

void StreamListenerState::acceptAll() {
  for (;;) {
    std::error_code error;
    SocketStream socket = listener_.accept(error);
    if (error == std::errc::bad_file_descriptor) return;
    if (error) {
      // No descriptor is left, most likely: the connection waits in the kernel meanwhile.
      sleep(std::chrono::milliseconds(20));
      continue;
    }
    openings_->spawn(
        [this, arrival = Arrival(std::move(socket), layers_)]() mutable { open(arrival); });
  }
}

void StreamListenerState::open(Arrival& arrival) {
  try {
    ready_.put(arrival.open());
  } catch (const Error&) {
    ++failedOpenings_;  // the client's business
  }
}

void StreamListenerState::close() {
  const CancelShield shield;
  listener_.close();
  if (openings_) {
    acceptor_.kill();
    openings_->kill();
  }
  while (ready_.tryGet()) continue;
  ready_.close();
}

}  // namespace plait::net::detail
