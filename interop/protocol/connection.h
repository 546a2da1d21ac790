// A stream with a Protocol on it: the Transport that the protocol sees.
//
// Two fibers. The reader makes the protocol's calls, from connectionMade() to connectionLost(). The
// writer is there while something waits to be sent: it empties the buffer, feeds the producer, and
// carries out loseConnection() and loseWriteConnection(), which come after all that was queued. Its
// one call of the protocol, writeConnectionLost(), waits until the reader's is over.
//
// Who ends it: the end of the input, or whoever sets `over_` (an abort, a failed write, a call that
// threw) and closes the stream, which ends the reader's read. Everybody who waits is told then.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/mutex.h"
#include "plait/protocol.h"
#include "plait/stream.h"
#include "plait/tcp.h"

namespace plait::detail {

class Connection final : public Transport, public std::enable_shared_from_this<Connection> {
 public:
  using Ended = std::function<void(const Failure& reason)>;

  // The addresses are the socket's below, but for a peer that is known better (a PROXY header).
  Connection(std::unique_ptr<net::Stream> stream, std::shared_ptr<Protocol> protocol,
             net::Address peer = net::Address());

  // Runs the connection on the calling fiber to its end; `made` is called after connectionMade(),
  // `ended` after connectionLost(). Either may be empty.
  void serve(const std::function<void()>& made, const Ended& ended);

  void write(std::string_view data) override;
  void writeSequence(std::span<const std::string> pieces) override;
  void loseConnection() override;
  void abortConnection() override;
  void loseWriteConnection() override;
  void pauseProducing() override;
  void resumeProducing() override;
  void registerProducer(Producer& producer, bool streaming) override;
  void unregisterProducer() override;
  net::Address getPeer() const override { return peer_; }
  net::Address getHost() const override { return host_; }
  bool isConnected() const noexcept override { return connected_ && !over_; }
  bool isDisconnecting() const noexcept override { return losing_ || !isConnected(); }

 private:
  Failure readAll();
  Failure endOfInput();
  template <class F>
  bool call(F&& f);
  void end(const Failure& reason);
  void endWith(Failure reason);
  Failure closedInOrder() const;
  Failure lost(std::error_code error, const char* tried) const;

  bool mayWrite() const noexcept {
    return isConnected() && !losingWrite_ && (!losing_ || producer_ != nullptr);
  }
  void startWriter();
  void writeAll();
  void writeBuffer();
  void feedProducer();
  void loseOutput();
  void close();
  void closeStream();

  const std::unique_ptr<net::Stream> stream_;
  net::SocketStream* const socket_;  // the stream, or what is below its TLS; null: there is none
  std::shared_ptr<Protocol> protocol_;
  net::Address peer_;
  net::Address host_;
  std::string name_;  // for messages, also after the end
  Mutex calls_;       // held while a call of the protocol's runs

  bool connected_ = true;        // until the end has begun
  bool losing_ = false;          // loseConnection() was called
  bool losingWrite_ = false;     // loseWriteConnection() was called
  bool writeLost_ = false;       // and has been carried out
  std::optional<Failure> over_;  // why, if something has ended it

  std::string buffer_;  // waits to be sent
  Event drained_;       // less waits than kWriteBufferMax, or nothing will be sent any more
  Event outputOver_;    // the output has ended, in whatever way
  Greenlet<void> writer_;
  bool writing_ = false;
  bool writeAgain_ = false;  // asked for while it was at work

  Event mayRead_;
  Producer* producer_ = nullptr;
  bool streaming_ = false;
  bool producerPaused_ = false;
};

// The socket of a stream: itself, or below its layers; null if it has none.
net::SocketStream* socketOf(net::Stream& stream) noexcept;

// In the notation of endpoints, where an IPv6 address has brackets.
std::string tcpEndpoint(const std::string& host, std::uint16_t port);

}  // namespace plait::detail
