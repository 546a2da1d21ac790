// Datagrams: UDP and unix datagram sockets, one at a time or in batches.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "plait/address.h"
#include "plait/stream.h"

namespace plait::net {

namespace detail {
class SocketState;
}

struct Received {
  std::size_t bytes = 0;
  Address from;
  bool truncated = false;  // the datagram was longer than the buffer; the rest is gone
};

// One datagram of a batch. Receiving: `data` is where it goes; sending: what is sent, to `address`
// (none: the connected peer). Afterwards `bytes` is what was received or sent.
struct Datagram {
  MutableBytes data;
  Address address;
  std::size_t bytes = 0;
  bool truncated = false;
};

inline constexpr std::size_t kBatchMax = 64;  // datagrams that one call to the kernel moves

// One fiber may receive and others send at once. Whole datagrams: a kill loses none.
class DatagramSocket final {
 public:
  DatagramSocket() noexcept;                // closed
  explicit DatagramSocket(int descriptor);  // takes it over
  explicit DatagramSocket(
      const Address& local);  // UDP, or a unix datagram socket. Throws: IoError.
  DatagramSocket(DatagramSocket&&) noexcept;
  DatagramSocket& operator=(DatagramSocket&&) noexcept;
  ~DatagramSocket();

  // From now on send() goes to `peer` and only its datagrams come. May switch. Throws: IoError.
  void connect(const Address& peer);

  // May switch. Throws: IoError, ConnectionClosed once closed.
  Received receive(MutableBytes into);
  void sendTo(Bytes from, const Address& to);
  void send(Bytes from);

  // Waits for the first datagram, then takes all that are there, at most batch.size() and
  // kBatchMax, in one more call to the kernel. Returns how many. May switch. Throws: IoError.
  std::size_t receiveMany(std::span<Datagram> batch);
  // Sends all, kBatchMax to a call; parks when the socket's buffer is full. May switch. Throws:
  // IoError, then the first datagrams with `bytes` set were sent.
  void sendMany(std::span<Datagram> batch);

  Address localAddress() const;  // Throws: IoError.
  void setOption(int level, int name, int value);
  void close();  // Those parked in it get ConnectionClosed. May switch.
  bool isOpen() const noexcept;
  int descriptor() const noexcept;
  std::string describe() const;

 private:
  detail::SocketState& open(const char* tried) const;
  std::unique_ptr<detail::SocketState> state_;
};

using UdpSocket = DatagramSocket;

}  // namespace plait::net
