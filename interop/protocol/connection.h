// A stream with a Protocol on it: the Transport that the protocol sees.
//
// Two fibers. The reader makes all the protocol's calls, from connectionMade() to connectionLost().
// The writer is there while something waits to be sent: it empties the buffer, feeds the producer,
// and carries out loseConnection() and loseWriteConnection(), which come after all that was queued.
// Who ends it: the reader, when the stream does; the writer and abortConnection() by closing the
// stream, which ends the reader's read.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/protocol.h"
#include "plait/tcp.h"

namespace plait::detail {

class Connection final : public Transport, public std::enable_shared_from_this<Connection> {
 public:
  using Ended = std::function<void(const Failure& reason)>;

  Connection(net::SocketStream stream, std::shared_ptr<Protocol> protocol);

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
  bool isConnected() const noexcept override { return connected_; }

  const std::shared_ptr<Protocol>& protocol() const noexcept { return protocol_; }

 private:
  void readAll();
  [[noreturn]] void endOfInput();
  void end(const Failure& reason);
  Failure reasonOf(const std::error_code& error) const;

  bool mayWrite() const noexcept { return connected_ && !losing_ && !losingWrite_; }
  void startWriter();
  void writeAll();
  bool writeOnce();
  bool feedProducer();
  void pauseProducer();

  net::SocketStream stream_;
  std::shared_ptr<Protocol> protocol_;
  net::Address peer_;
  net::Address host_;
  std::string name_;  // for messages, also after the end
  bool connected_ = true;
  bool losing_ = false;
  bool losingWrite_ = false;
  bool writeLost_ = false;  // told the peer
  bool aborted_ = false;
  std::error_code writeError_;

  std::string buffer_;  // waits to be sent
  std::string sending_;
  Event drained_;  // less waits than kWriteBufferMax
  Greenlet<void> writer_;
  bool writing_ = false;

  Event mayRead_;
  Event outputOver_;  // for a reader whose input has ended: the output has, too
  Producer* producer_ = nullptr;
  bool streaming_ = false;
  bool producerPaused_ = false;
};

// In the notation of endpoints, where an IPv6 address has brackets.
std::string tcpEndpoint(const std::string& host, std::uint16_t port);

}  // namespace plait::detail
