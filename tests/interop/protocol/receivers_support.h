// What the tests of receivers share: receivers that keep what they get, and a stream cut
// everywhere.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "plait/receivers.h"
#include "string_transport.h"

namespace plait::test {

using Strings = std::vector<std::string>;

class Lines final : public LineReceiver {
 public:
  using LineReceiver::LineReceiver;

  Strings got;  // lines, and raw data with "raw:" before it, joined
  std::function<void(Lines&, std::string_view)> onLine = [](Lines&, std::string_view) {};
  std::function<void(Lines&, std::string_view)> onRaw = [](Lines&, std::string_view) {};
  std::string exceeded;

  void lineReceived(std::string_view line) override {
    got.emplace_back(line);
    onLine(*this, line);
  }
  void rawDataReceived(std::string_view data) override {
    if (got.empty() || !got.back().starts_with("raw:")) got.emplace_back("raw:");
    got.back() += data;
    onRaw(*this, data);
  }
  void lineLengthExceeded(std::string_view line) override {
    exceeded = line;
    LineReceiver::lineLengthExceeded(line);
  }
};

class OnlyLines final : public LineOnlyReceiver {
 public:
  using LineOnlyReceiver::LineOnlyReceiver;
  Strings got;
  std::string exceeded;
  void lineReceived(std::string_view line) override { got.emplace_back(line); }
  void lineLengthExceeded(std::string_view line) override {
    exceeded = line;
    LineOnlyReceiver::lineLengthExceeded(line);
  }
};

template <class Receiver>
class Messages final : public Receiver {
 public:
  using Receiver::Receiver;
  Strings got;
  std::optional<std::size_t> exceeded;
  void stringReceived(std::string_view message) override { got.emplace_back(message); }
  void lengthLimitExceeded(std::size_t length) override {
    exceeded = length;
    Receiver::lengthLimitExceeded(length);
  }
};

// What `make()` receives of the stream, which must be the same however it is cut.
template <class F>
Strings received(const std::string& stream, F make) {
  const auto feed = [&make](const Strings& pieces) {
    const auto receiver = make();
    const auto transport = attach(*receiver);
    for (const std::string& each : pieces) {
      if (transport->isConnected()) receiver->dataReceived(each);
    }
    Strings got = receiver->got;
    if (transport->losing) got.emplace_back("<closed>");
    return got;
  };
  const Strings whole = feed({stream});
  Strings bytes;
  for (const char each : stream) bytes.emplace_back(1, each);
  CHECK(feed(bytes) == whole);
  for (std::size_t i = 1; i < stream.size(); ++i) {
    CHECK(feed({stream.substr(0, i), stream.substr(i)}) == whole);
  }
  return whole;
}

template <class Receiver, class... Args>
auto making(Args... args) {
  return [args...] { return std::make_unique<Receiver>(args...); };
}

}  // namespace plait::test
