// Twisted's transports, producers and consumers, as a Protocol sees them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "plait/address.h"
#include "plait/error.h"

namespace plait {

// Why a connection was lost: closed in order, by either side.
class ConnectionDone final : public ConnectionClosed {
 public:
  using ConnectionClosed::ConnectionClosed;
};
// Closed by something else: a reset, a failed write.
class ConnectionLost final : public ConnectionClosed {
 public:
  using ConnectionClosed::ConnectionClosed;
};
// By abortConnection() of this side, or because the run ended.
class ConnectionAborted final : public ConnectionClosed {
 public:
  using ConnectionClosed::ConnectionClosed;
};

// Makes data for a transport. A push producer goes on until it is paused; a pull producer makes one
// piece each time it is resumed. Registered by reference: it must live until it is unregistered or
// stopped. Its calls may block.
class Producer {
 public:
  virtual ~Producer() = default;
  virtual void resumeProducing() = 0;
  virtual void pauseProducing() = 0;
  // The transport is gone: no more is wanted.
  virtual void stopProducing() = 0;
};

inline constexpr std::size_t kWriteHighWater = 65'536;     // bytes that wait: a producer is paused
inline constexpr std::size_t kWriteBufferMax = 1'048'576;  // bytes that wait: write() parks

// One end of a connection. Belongs to its loop; any fiber of it may call.
class Transport : public Producer {
 public:
  // Queues the bytes and returns; they are sent as the peer takes them. With more than
  // kWriteBufferMax waiting it parks until there are fewer: whoever must not wait registers as a
  // producer. Nothing after the connection was lost or is being closed.
  // May switch when that much waits.
  virtual void write(std::string_view data) = 0;
  virtual void writeSequence(std::span<const std::string> pieces) = 0;

  // Closes when everything queued has been sent, and a producer has unregistered. Never switches.
  virtual void loseConnection() = 0;
  // Closes at once; what is queued is dropped, and the peer sees a reset. Never switches.
  virtual void abortConnection() = 0;
  // Tells the peer that no more will be written, once everything queued has been sent; reading goes
  // on. Never switches.
  virtual void loseWriteConnection() = 0;

  // No more dataReceived() until resumeProducing(): what comes waits in the kernel.
  // Never switch.
  void pauseProducing() override = 0;
  void resumeProducing() override = 0;
  void stopProducing() override { loseConnection(); }

  // With `streaming` a push producer: paused while more than kWriteHighWater waits. Otherwise a
  // pull producer: resumed each time everything has been sent. On a transport that is gone it is
  // stopped. May switch where the producer does. Throws: std::logic_error if there is one.
  virtual void registerProducer(Producer& producer, bool streaming) = 0;
  virtual void unregisterProducer() = 0;

  virtual net::Address getPeer() const = 0;
  virtual net::Address getHost() const = 0;
  virtual bool isConnected() const noexcept = 0;
  // loseConnection() or abortConnection() was called, or it is over.
  virtual bool isDisconnecting() const noexcept = 0;
};

}  // namespace plait
