// The network of one sim kernel: its descriptors and all that they stand for. It knows neither time
// nor waiting: an attempt completes or would wait, and whoever may get on by what happened is
// `touched`.
#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plait/detail/op.h"
#include "plait/sim.h"
#include "sim_random.h"
#include "sim_socket.h"

namespace plait::detail::sim {

using Pointer = std::shared_ptr<Description>;
using Outcome = std::optional<std::int32_t>;  // as a syscall's; nothing: it would wait

// The memory of an operation, and how much of it is dealt with.
struct Pieces {
  const iovec* first;
  std::size_t count;
  std::size_t total;
  std::size_t done;
};

class Network final {
 public:
  // So high that one that leaks into a real syscall is refused there.
  static constexpr int kDescriptorFirst = 1'000'000;
  static constexpr std::uint16_t kPortFirst = 32'768;  // of those given to sockets without one
  static constexpr std::uint16_t kPortLast = 60'999;

  Network(const SimOptions& options, Dice& dice) : options_(options), dice_(dice) {}

  Pointer find(int descriptor) const;  // null if it is not open

  // Tries an operation of the kinds that may wait. `done`: bytes moved by earlier attempts.
  Outcome attempt(const Op& op, Description& socket, std::size_t& done);
  // An operation of the kinds that never wait, but for close.
  std::int32_t call(const Op& op);

  // Frees the number; release() follows once nothing refers to the description any more.
  void forget(int descriptor);
  void release(Description& socket);

  // Notes that operations waiting on it may get on.
  void touch(Description* socket);
  std::vector<Pointer> takeTouched() { return std::exchange(touched_, {}); }
  std::size_t openDescriptors() const noexcept { return open_; }

 private:
  // sim_network.cpp
  std::int32_t callSocket(const Op& op, Description& socket);
  std::int32_t add(Pointer socket);
  std::int32_t makeSocket(int domain, int type, int protocol);
  std::int32_t makePair(const Op& op);
  std::int32_t makePipe(int* ends);
  std::int32_t listen(Description& socket, std::uint32_t backlog);
  std::int32_t shutDown(Description& socket, int how);
  std::int32_t many(const Op& op, Description& socket);
  Outcome attemptMessage(const Op& op, Description& socket, std::size_t& done);
  Outcome move(const Op& op, Description& socket, Pieces& pieces);
  void touchRoomWaiters(Description& socket);

  // sim_binding.cpp
  std::int32_t bind(Description& socket, const Op& op);
  std::int32_t bindInternet(Description& socket, Address address);
  std::int32_t bindPath(Description& socket, Address address);
  std::int32_t unlink(const char* path);
  void unbind(Description& socket);
  bool pickPort(const Description& socket, Address& address);
  bool conflicts(const Description& socket, const Address& address) const;
  // Who gets what is sent to `address`; those that share a port by SO_REUSEPORT by turns of
  // `source`.
  Description* receiver(Type type, const Address& address, const Address& source) const;
  // -ENOENT or -ECONNREFUSED if nobody has the path.
  std::int32_t findPath(const std::string& path, Description*& socket) const;

  // sim_stream.cpp
  Outcome connect(const Op& op, Description& socket);
  Outcome connectStream(Description& socket, const Address& address);
  Outcome accept(const Op& op, Description& listener);
  Outcome receive(Description& socket, Pieces& pieces, std::uint32_t flags);
  Outcome send(Description& socket, Pieces& pieces, std::uint32_t flags);
  void joinStreams(Description& one, Description& other);
  void reset(Description* socket);
  void dropStream(Description& socket);

  // sim_datagram.cpp
  Outcome connectDatagram(Description& socket, const Address& address);
  Outcome receiveDatagram(Description& socket, Pieces& pieces, const Op& op);
  Outcome sendDatagram(Description& socket, const Pieces& pieces, const Op& op);
  Outcome sendPath(Description& socket, const Address* to, const Pieces& pieces, bool mayWait);

  // sim_option.cpp
  std::int32_t getOption(Description& socket, const Op& op);
  std::int32_t setOption(Description& socket, const Op& op);

  const SimOptions& options_;
  Dice& dice_;
  std::vector<Pointer> table_;
  std::size_t open_ = 0;
  std::multimap<std::uint16_t, Description*> ports_;
  // A path stays in use when its socket is gone, until it is unlinked.
  std::map<std::string, std::weak_ptr<Description>> paths_;
  std::uint16_t portNext_ = kPortFirst;
  std::uint32_t nameNext_ = 0;
  std::vector<Pointer> touched_;
};

// Calls f(std::byte* start, std::size_t bytes) for the next `bytes` of the pieces.
template <class F>
void eachPiece(const Pieces& pieces, std::size_t bytes, F&& f) {
  std::size_t skip = pieces.done;
  for (std::size_t i = 0; i < pieces.count && bytes > 0; ++i) {
    const iovec& piece = pieces.first[i];
    const std::size_t skipped = std::min(skip, piece.iov_len);
    const std::size_t part = std::min(piece.iov_len - skipped, bytes);
    skip -= skipped;
    bytes -= part;
    if (part > 0) f(static_cast<std::byte*>(piece.iov_base) + skipped, part);
  }
}

}  // namespace plait::detail::sim
