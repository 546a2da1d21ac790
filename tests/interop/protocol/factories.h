// Factories that write down what they are told.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol_support.h"

namespace plait::test {

class Server final : public Factory {
 public:
  std::function<std::shared_ptr<Protocol>()> make = [] { return std::make_shared<Recorder>(); };
  std::vector<std::string> calls;
  std::vector<std::weak_ptr<Protocol>> built;

  std::shared_ptr<Protocol> buildProtocol(const net::Address&) override {
    calls.emplace_back("build");
    auto protocol = make();
    built.push_back(protocol);
    return protocol;
  }
  void startFactory() override { calls.emplace_back("start"); }
  void stopFactory() override { calls.emplace_back("stop"); }
};

class Client final : public ClientFactory {
 public:
  std::vector<std::string> calls;
  std::shared_ptr<Recorder> protocol = std::make_shared<Recorder>();
  std::function<void(const Connector&)> onStarted = [](const Connector&) {};
  std::function<void(const Connector&)> onFailed = [](const Connector&) {};
  std::function<void(const Connector&)> onLost = [](const Connector&) {};
  std::optional<Failure> reason;
  Event over;

  void startFactory() override { calls.emplace_back("start"); }
  void stopFactory() override {
    calls.emplace_back("stop");
    over.set();
  }
  void startedConnecting(const Connector& connector) override {
    calls.emplace_back("connecting");
    onStarted(connector);
  }
  std::shared_ptr<Protocol> buildProtocol(const net::Address&) override {
    calls.emplace_back("build");
    return protocol;
  }
  void clientConnectionFailed(const Connector& connector, const Failure& why) override {
    calls.emplace_back("failed");
    reason = why;
    onFailed(connector);
  }
  void clientConnectionLost(const Connector& connector, const Failure& why) override {
    calls.emplace_back("lost");
    reason = why;
    onLost(connector);
  }
};

inline std::uint16_t portOfNobody() {
  net::Listener listener = net::listen("tcp:127.0.0.1:0");
  return listener.address().port();
}

}  // namespace plait::test
