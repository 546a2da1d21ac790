// A StreamListener behind its handle: who accepts, who is in a handshake, and what is ready.
#pragma once

#include <memory>
#include <optional>

#include "plait/endpoint.h"
#include "plait/group.h"
#include "plait/queue.h"

namespace plait::net::detail {

struct StreamLayers {
  std::optional<TlsContext> tls;
  bool readsProxyHeader = false;
};

inline constexpr std::size_t kReadyMax = 128;  // connections that are open and not yet taken

class StreamListenerState final {
 public:
  StreamListenerState(Listener listener, StreamLayers layers);
  StreamListenerState(const StreamListenerState&) = delete;
  StreamListenerState& operator=(const StreamListenerState&) = delete;
  ~StreamListenerState();

  Arrival acceptArrival() { return Arrival(listener_.accept(), layers_); }
  std::unique_ptr<Stream> accept();
  void close();

  std::size_t failedOpenings() const noexcept { return failedOpenings_; }
  const StreamLayers& layers() const noexcept { return *layers_; }
  const std::shared_ptr<const StreamLayers>& sharedLayers() const noexcept { return layers_; }
  Listener& listener() noexcept { return listener_; }

 private:
  void acceptAll();
  void open(Arrival& arrival);

  Listener listener_;
  const std::shared_ptr<const StreamLayers> layers_;  // shared with the arrivals
  std::size_t failedOpenings_ = 0;

  // Once accept() was called.
  AnyGreenlet acceptor_;
  std::optional<Pool> openings_;
  Queue<std::unique_ptr<Stream>> ready_{kReadyMax};
};

}  // namespace plait::net::detail
