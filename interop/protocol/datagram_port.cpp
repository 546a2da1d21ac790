// UDP ports: a fiber each, which makes all the protocol's calls.

#include <stdexcept>
#include <utility>
#include <vector>

#include "connection.h"
#include "plait/cancel_shield.h"
#include "plait/error.h"
#include "plait/greenlet.h"
#include "plait/listen.h"
#include "plait/report.h"
#include "plait/shared_deferred.h"
#include "plait/udp.h"

namespace plait {
namespace detail {

class UdpState final : public std::enable_shared_from_this<UdpState> {
 public:
  UdpState(net::UdpSocket bound, std::shared_ptr<DatagramProtocol> protocol, std::size_t bytes)
      : socket(std::move(bound)), protocol_(std::move(protocol)), buffer_(bytes) {}

  void start() {
    fiber_ = spawn({.name = "udp " + socket.localAddress().toString()},
                   [self = shared_from_this()] { self->receiveAll(); });
    // Also of one that is stopped before it has begun.
    fiber_.link([self = shared_from_this()](const AnyGreenlet&) { self->end(); });
  }
  Deferred<void> stop() {
    fiber_.requestKill();
    return stopped_.branch();
  }

  net::UdpSocket socket;

 private:
  void receiveAll() {
    begun_ = true;
    call([this] { protocol_->makeConnection(DatagramTransport(shared_from_this())); });
    while (socket.isOpen()) {
      net::Received got;
      try {
        got = socket.receive(buffer_);
      } catch (const IoError& error) {
        if (!socket.isOpen()) return;
        if (error.code() == std::errc::connection_refused) {
          call([this] { protocol_->connectionRefused(); });
        } else {
          reportError("a datagram port", std::current_exception());
        }
        continue;
      }
      const std::string_view data(reinterpret_cast<const char*>(buffer_.data()), got.bytes);
      call([this, data, &got] { protocol_->datagramReceived(data, got.from); });
    }
  }

  // What it throws is of one datagram; the next ones may be better.
  template <class F>
  void call(F&& f) {
    try {
      f();
    } catch (const Cancellation&) {
      throw;
    } catch (...) {
      reportError("a datagram protocol on " + socket.describe(), std::current_exception());
    }
  }

  void end() {
    const CancelShield shield;
    socket.close();
    // It owns its transport, and so this.
    const std::shared_ptr<DatagramProtocol> protocol = std::move(protocol_);
    try {
      if (begun_) protocol->stopProtocol();
    } catch (...) {
      reportError("stopProtocol()", std::current_exception());
    }
    over_.callback();
  }

  std::shared_ptr<DatagramProtocol> protocol_;
  std::vector<std::byte> buffer_;
  AnyGreenlet fiber_;
  bool begun_ = false;
  Deferred<void> over_{[](const Deferred<void>&) { return CancelAnswer::later; }};
  SharedDeferred<void> stopped_ = over_.share();
};

}  // namespace detail

void DatagramTransport::write(std::string_view datagram, const net::Address& to) const {
  state_->socket.sendTo(net::asBytes(datagram), to);
}
void DatagramTransport::write(std::string_view datagram) const {
  state_->socket.send(net::asBytes(datagram));
}
void DatagramTransport::connect(const net::Address& peer) const { state_->socket.connect(peer); }
Deferred<void> DatagramTransport::stopListening() const { return state_->stop(); }
net::Address DatagramTransport::getHost() const { return state_->socket.localAddress(); }

const DatagramTransport& DatagramProtocol::transport() const {
  if (!transport_) throw std::logic_error("DatagramProtocol::transport() before startProtocol()");
  return *transport_;
}

void DatagramProtocol::makeConnection(const DatagramTransport& transport) {
  transport_ = std::make_shared<DatagramTransport>(transport);
  startProtocol();
}

DatagramTransport listenUDP(std::uint16_t port, std::shared_ptr<DatagramProtocol> protocol,
                            const std::string& interface, std::size_t maxPacketSize) {
  const net::Address local =
      interface.empty() ? net::Address::any(port) : net::Address::ip(interface, port);
  const auto state =
      std::make_shared<detail::UdpState>(net::UdpSocket(local), std::move(protocol), maxPacketSize);
  state->start();
  return DatagramTransport(state);
}

}  // namespace plait
