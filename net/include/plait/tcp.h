// Stream sockets: tcp, unix and pairs. Connecting, listening and accepting by endpoint:
//   tcp:PORT  tcp:HOST:PORT  tcp:[::1]:PORT  unix:PATH  unix:@NAME  fd:NUMBER  systemd:index=0
// with options behind them, as "tcp:8080:interface=127.0.0.1"; plait/endpoint.h has them all.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "plait/address.h"
#include "plait/stream.h"
#include "plait/time.h"

namespace plait::net {

namespace detail {
class SocketState;
}

class SocketStream final : public Stream {
 public:
  SocketStream() noexcept;  // closed
  // Takes over a connected stream socket. Throws: std::logic_error off a loop.
  explicit SocketStream(int descriptor);
  SocketStream(SocketStream&& other) noexcept;
  SocketStream& operator=(SocketStream&& other) noexcept;
  // Closes; nobody may be parked in it.
  ~SocketStream() override;

  using Stream::readSome;
  using Stream::writeAll;
  std::size_t readSome(MutableBytes into, std::error_code& error) override;
  void writeAll(Bytes from, std::error_code& error) override;
  void shutdownWrite() override;
  void close() override;
  bool isOpen() const noexcept override;
  std::string describe() const override;
  std::size_t interruptedAfter() const noexcept override;

  Address localAddress() const;  // Never switches. Throws: IoError.
  Address peerAddress() const;   // Never switches. Throws: IoError.

  // The options that people set. Never switch. Throw: IoError.
  void setNoDelay(bool on);  // tcp: on from the start
  void setKeepAlive(bool on, std::chrono::seconds idle = std::chrono::seconds(60),
                    std::chrono::seconds interval = std::chrono::seconds(10), int probes = 6);
  void setUserTimeout(std::chrono::milliseconds unacknowledged);  // tcp
  void setSendBuffer(int bytes);
  void setReceiveBuffer(int bytes);
  // Closing throws away what is unsent and resets the connection.
  void setResetOnClose(bool on);
  // Any other option, as setsockopt(2) takes it.
  void setOption(int level, int name, int value);
  int option(int level, int name) const;

  // The descriptor stays this stream's. -1 if closed.
  int descriptor() const noexcept;
  // Gives the descriptor away; nobody may be parked in the stream, which is closed then.
  int detach();

  detail::SocketState& state() const noexcept { return *state_; }

  // One that `listener` has accepted.
  SocketStream(int descriptor, const detail::SocketState& listener);

 private:
  std::unique_ptr<detail::SocketState> state_;
};

using TcpStream = SocketStream;

struct ListenOptions {
  int backlog = 1024;
  bool reuseAddress = true;
  bool reusePort = false;   // several loops may listen on one port; the kernel spreads connections
  bool unlinkStale = true;  // unix: a socket file that nobody listens on is replaced
  bool onlyIpv6 = false;
  std::optional<std::uint32_t>
      mode{};  // unix: permissions of the socket's file, as chmod(2) takes them
};

class Listener final {
 public:
  Listener() noexcept;                // closed
  explicit Listener(int descriptor);  // takes over a listening socket
  Listener(Listener&&) noexcept;
  Listener& operator=(Listener&&) noexcept;
  ~Listener();  // closes; nobody may be parked in it

  // The next connection. Several fibers may accept at once. A kill loses no connection.
  // May switch. Throws: IoError (EMFILE: no descriptor left; the connection waits),
  // ConnectionClosed once the listener is closed.
  SocketStream accept();
  SocketStream accept(std::error_code& error);

  Address address() const;  // with the port that was given. Throws: IoError.
  std::string describe() const;
  void close();  // Those parked in accept get ConnectionClosed. May switch.
  bool isOpen() const noexcept;
  int descriptor() const noexcept;

  detail::SocketState& state() const noexcept { return *state_; }

 private:
  std::unique_ptr<detail::SocketState> state_;
};

// May switch (a name is resolved). Throws: IoError naming endpoint and reason, ResolveError, Error
// for an endpoint that cannot be read, pointing at the place.
Listener listen(std::string_view endpoint, const ListenOptions& options = ListenOptions());
Listener listen(const Address& address, const ListenOptions& options = ListenOptions());

struct ConnectOptions {
  std::optional<Address> bindTo;  // the local address
  Duration attemptDelay =
      std::chrono::milliseconds(250);  // before the next address is tried as well
};

// Connects. A name with several addresses is tried as RFC 8305 says: families take turns, the next
// address is tried while the earlier ones still may succeed, the first that connects wins. No time
// limit of its own: use withTimeout.
// May switch. Throws: IoError (of the last address, with a note for each), ResolveError, Error.
SocketStream connect(std::string_view endpoint, const ConnectOptions& options = ConnectOptions());
SocketStream connect(std::string_view endpoint, std::error_code& error);
SocketStream connect(const Address& address, const ConnectOptions& options = ConnectOptions());
SocketStream connect(const Address& address, std::error_code& error,
                     const ConnectOptions& options = ConnectOptions());

// Two ends of one unix stream connection. Never switches. Throws: IoError.
std::pair<SocketStream, SocketStream> socketPair();

}  // namespace plait::net
