// A transport without a connection, as Twisted's StringTransport: it keeps what is written and what
// it is told.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "plait/address.h"
#include "plait/protocol.h"
#include "plait/transport.h"

namespace plait::test {

class StringTransport final : public Transport {
 public:
  std::string written;
  bool closesAtOnce = true;  // is no longer connected once it was told to close
  bool losing = false;
  bool aborted = false;
  bool writeLost = false;
  bool paused = false;
  Producer* producer = nullptr;
  bool streaming = false;

  void write(std::string_view data) override {
    if (!losing && !writeLost) written += data;
  }
  void writeSequence(std::span<const std::string> pieces) override {
    for (const std::string& each : pieces) write(each);
  }
  void loseConnection() override { losing = true; }
  void abortConnection() override { losing = aborted = true; }
  void loseWriteConnection() override { writeLost = true; }
  void pauseProducing() override { paused = true; }
  void resumeProducing() override { paused = false; }
  void registerProducer(Producer& which, bool isPush) override {
    if (producer != nullptr) throw std::logic_error("there is a producer");
    producer = &which;
    streaming = isPush;
  }
  void unregisterProducer() override { producer = nullptr; }
  net::Address getPeer() const override { return net::Address::loopback(1); }
  net::Address getHost() const override { return net::Address::loopback(2); }
  bool isConnected() const noexcept override { return !(losing && closesAtOnce); }
  bool isDisconnecting() const noexcept override { return losing; }

  std::string take() { return std::exchange(written, {}); }
};

// Gives the protocol a transport of this kind.
inline std::shared_ptr<StringTransport> attach(Protocol& protocol) {
  auto transport = std::make_shared<StringTransport>();
  protocol.makeConnection(transport);
  return transport;
}

}  // namespace plait::test
