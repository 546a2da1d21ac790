// AMP's boxes as bytes: cut, malformed, and from a peer that talks nonsense.

#include "amp_support.h"
#include "string_transport.h"

namespace plait::test {
namespace {

using namespace std::string_literals;

std::string pair(const std::string& key, const std::string& value) {
  const auto counted = [](const std::string& text) {
    return std::string{static_cast<char>(text.size() >> 8), static_cast<char>(text.size())} + text;
  };
  return counted(key) + counted(value);
}

const std::string kEnd("\0\0", 2);

TEST_CASE("boxes are understood however they are cut [PROTOCOL-34]") {
  const std::string box = pair("_ask", "7") + pair("_command", "Divide") + pair("numerator", "1") +
                          pair("denominator", "8") + kEnd;
  const std::string answer = pair("_answer", "7") + pair("result", "0.125") + kEnd;
  const std::string stream = box + box;

  for (std::size_t i = 0; i <= stream.size(); ++i) {
    AmpPeer peer;
    peer.respond<Divide>(&divide);
    const auto transport = attach(peer);
    peer.dataReceived(stream.substr(0, i));
    peer.dataReceived(stream.substr(i));
    CHECK(transport->take() == answer + answer);
  }
  AmpPeer peer;
  peer.respond<Divide>(&divide);
  const auto transport = attach(peer);
  for (const char each : stream) peer.dataReceived({&each, 1});
  CHECK(transport->take() == answer + answer);
}

FIBER_TEST_ON("sim", "what is no AMP ends the connection [PROTOCOL-39]") {
  std::string endless;
  for (std::size_t i = 0; i <= amp::kPairsMax; ++i) endless += pair(std::to_string(i), "");
  for (const std::string& garbage :
       {"GET / HTTP/1.1\r\n\r\n"s, "\1\0"s, kEnd, pair("_answer", "77") + kEnd,
        pair("_error", "77") + kEnd, pair("neither", "nor") + kEnd, endless}) {
    ExpectedErrors errors;
    AmpPeer peer;
    const auto transport = attach(peer);

    peer.dataReceived(garbage);

    CHECK(transport->aborted);
    CHECK(errors.take().size() == 1);
  }
}

FIBER_TEST_ON("sim", "a box that is cut off waits for its rest [PROTOCOL-39]") {
  const auto peer = std::make_shared<AmpPeer>();
  net::SocketStream other = connected(peer);

  other.writeAll(pair("_ask", "1") + "\0\5hel"s);
  settle();
  CHECK(peer->transport().isConnected());
  other.close();
  peer->over.wait();

  CHECK(peer->reason->check<ConnectionDone>() != nullptr);
}

FIBER_TEST_ON("sim", "a question that lacks an argument is an error of its asker [PROTOCOL-36]") {
  for (const std::string& arguments :
       {""s, pair("numerator", "1"), pair("numerator", "1") + pair("denominator", "two"),
        pair("numerator", "1") + pair("denominator", "99999999999999999999")}) {
    ExpectedErrors errors;
    AmpPeer peer;
    peer.respond<Divide>(&divide);
    const auto transport = attach(peer);

    peer.dataReceived(pair("_ask", "1") + pair("_command", "Divide") + arguments + kEnd);

    CHECK(contains(transport->written, pair("_error_code", "UNKNOWN")));
    CHECK(transport->losing);
    CHECK(errors.take().size() == 1);
  }
}

FIBER_TEST_ON("sim", "an answer that cannot be read fails its question alone [PROTOCOL-38]") {
  AmpPeer peer;
  const auto transport = attach(peer);
  auto lacking = peer.callRemote<Divide>(1, 2);
  auto garbled = peer.callRemote<Divide>(1, 2);
  auto good = peer.callRemote<Divide>(1, 2);

  peer.dataReceived(pair("_answer", "1") + kEnd);
  peer.dataReceived(pair("_answer", "2") + pair("result", "0.5x") + kEnd);
  peer.dataReceived(pair("_answer", "3") + pair("result", "0.5") + kEnd);

  CHECK_THROWS_AS(waitForDeferred(lacking), amp::ProtocolError);
  CHECK_THROWS_AS(waitForDeferred(garbled), amp::ProtocolError);
  CHECK(waitForDeferred(good) == 0.5);
}

}  // namespace
}  // namespace plait::test
