// What the protocol tests share: protocols that write down what they are told, and connections of
// them to a bare stream, whose end the test holds.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net_support.h"
#include "plait/cancellation.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/listen.h"
#include "plait/protocol.h"
#include "plait/tcp.h"
#include "plait/wait_for_deferred.h"

namespace plait::test {

class Recorder : public Protocol {
 public:
  std::function<void(Recorder&)> onMade = [](Recorder&) {};
  std::function<void(Recorder&, std::string_view)> onData = [](Recorder&, std::string_view) {};
  std::function<void(Recorder&, const Failure&)> onLost = [](Recorder&, const Failure&) {};

  std::vector<std::string> calls;  // "made", "data", "lost", in their order
  std::string received;
  std::optional<Failure> reason;
  Event made;
  Event over;

  void connectionMade() override {
    calls.emplace_back("made");
    made.set();
    onMade(*this);
  }
  void dataReceived(std::string_view data) override {
    calls.emplace_back("data");
    received += data;
    arrived_.set();
    onData(*this, data);
  }
  void connectionLost(const Failure& why) override {
    calls.emplace_back("lost");
    reason = why;
    over.set();
    arrived_.set();
    onLost(*this, why);
    setFactory(nullptr);  // which may own this
  }

  // Waits until this many bytes have come, or no more will.
  const std::string& awaitBytes(std::size_t count) {
    while (received.size() < count && !reason) {
      arrived_.clear();
      arrived_.wait();
    }
    return received;
  }

  template <class E>
  bool lostBy() const {
    return reason && reason->check<E>() != nullptr;
  }

 private:
  Event arrived_;
};

inline std::pair<net::SocketStream, net::SocketStream> tcpPair() {
  net::Listener listener = net::listen("tcp:127.0.0.1:0");
  net::SocketStream client = net::connect(listener.address());
  net::SocketStream server = listener.accept();
  return {std::move(server), std::move(client)};
}

// A connection of this protocol, once connectionMade() has returned; the peer's end of it.
inline net::SocketStream connected(const std::shared_ptr<Protocol>& protocol) {
  auto [ours, theirs] = tcpPair();
  detail::serveInBackground(std::move(ours), protocol, std::source_location::current());
  return std::move(theirs);
}

// The same, without waiting for connectionMade().
inline net::SocketStream connecting(const std::shared_ptr<Protocol>& protocol) {
  auto [ours, theirs] = tcpPair();
  spawn([stream = std::move(ours), protocol]() mutable {
    try {
      detail::serveInBackground(std::move(stream), protocol, std::source_location::current());
    } catch (const Cancellation&) {
      throw;
    } catch (...) {
      // connectionLost() is told as well.
    }
  });
  return std::move(theirs);
}

inline ListeningPort listenHere(std::shared_ptr<Factory> factory) {
  return listenTCP(0, std::move(factory), kBacklog, "127.0.0.1");
}

inline std::shared_ptr<Factory> always(std::shared_ptr<Protocol> protocol) {
  return std::make_shared<FunctionFactory>([protocol = std::move(protocol)] { return protocol; });
}

inline void stop(const ListeningPort& port) { waitForDeferred(port.stopListening()); }

// Reads until the stream ends; true if by a reset.
inline bool endsByReset(net::SocketStream& stream) {
  std::string bytes(65'536, '\0');
  for (;;) {
    std::error_code error;
    const std::size_t count =
        stream.readSome(std::as_writable_bytes(std::span(bytes.data(), bytes.size())), error);
    if (error) return error == std::errc::connection_reset;
    if (count == 0) return false;
  }
}

// More than all buffers on the way hold, and different at every place.
inline std::string longText(std::size_t bytes) {
  std::string text;
  text.reserve(bytes + 16);
  for (std::size_t i = 0; text.size() < bytes; ++i) text += std::to_string(i) + ' ';
  text.resize(bytes);
  return text;
}

}  // namespace plait::test
