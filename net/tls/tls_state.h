// A TLS stream: an engine, a stream below, and the fibers that use both. One fiber reads from below
// at a time and one writes to it; who does either also carries what the engine has for the peer.
#pragma once

#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "engine.h"
#include "plait/detail/occupancy.h"
#include "plait/detail/stream_error.h"
#include "plait/mutex.h"
#include "plait/tls.h"

namespace plait::net::detail {

class TlsState final {
 public:
  TlsState(std::unique_ptr<Stream> below, const TlsContext& context, TlsOptions options);

  std::size_t readSome(MutableBytes into, std::error_code& error);
  void writeAll(Bytes from, std::error_code& error);
  void handshake(std::error_code& error);
  void updateKeys(bool peerToo, std::error_code& error);
  void shutdownWrite(std::error_code& error);
  void close();

  bool isOpen() const noexcept { return !closing_ && below_->isOpen(); }
  bool isEstablished() const noexcept { return established_; }
  std::string describe() const;
  std::size_t interruptedAfter() const noexcept { return brokenAfter_; }
  // Throws what `code` stands for, with all that is known of it.
  [[noreturn]] void fail(std::error_code code, const char* tried) const;

  Engine& engine() noexcept { return engine_; }
  const TlsContextState& context() const noexcept { return *context_; }
  Stream& below() noexcept { return *below_; }

 private:
  class Sending;

  bool mayBegin(std::error_code& error) const;
  bool shakeHands(std::error_code& error);
  void drive(std::error_code& error);
  bool receive(std::error_code& error);
  void finishMessage(std::error_code& error);
  void failHandshake(std::error_code code, std::string reason);
  void giveUp(std::error_code& error);
  void answer();
  void send(std::error_code& error);
  void sendOrKeep(std::error_code& error);
  void sayGoodbye() noexcept;
  void takeTickets() noexcept;

  const std::shared_ptr<TlsContextState> context_;  // shared with the TlsContext
  const std::unique_ptr<Stream> below_;
  const TlsOptions options_;
  Engine engine_;

  bool established_ = false;
  std::error_code handshakeError_;  // why there will never be a connection, once that is so
  std::string handshakeReason_;
  Mutex handshakeTurn_;

  bool reading_ = false;
  Mutex inputTurn_;          // to receive, after the handshake
  bool inputEnded_ = false;  // without close_notify

  Mutex writeTurn_;
  bool writeEnded_ = false;        // our close_notify is out
  bool broken_ = false;            // something of the engine's output is lost
  std::vector<std::byte> unsent_;  // what was last taken from the engine to be sent
  std::size_t brokenAfter_ = 0;
  std::size_t brokenOf_ = 0;

  bool closing_ = false;
  Mutex closeTurn_;
  Occupancy inside_;
};

}  // namespace plait::net::detail
