// A server on a fiber of its own, for the tests of servers.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net_support.h"
#include "plait/server.h"
#include "plait/tcp.h"
#include "plait/timeout.h"

namespace plait::test {

inline net::Listener anyListener() { return net::listen("tcp:127.0.0.1:0"); }

// Sends back what comes, until the end.
inline void echo(net::SocketStream& stream) {
  for (;;) {
    const std::string text = readPiece(stream);
    if (text.empty()) return;
    stream.writeAll(text);
  }
}

// Says a line through the server and returns what comes back.
inline std::string ask(net::SocketStream& client, const std::string& text) {
  client.writeAll(text);
  return withTimeout(std::chrono::seconds(20), [&] { return readCount(client, text.size()); });
}

inline std::string ask(const net::Address& address, const std::string& text) {
  net::SocketStream client = net::connect(address);
  return ask(client, text);
}

// True if the other side ends the stream, by an end or a reset, within a generous time.
inline bool isEnded(net::SocketStream& client) {
  return withTimeout(std::chrono::seconds(20), [&client] {
    std::error_code error;
    std::byte byte{};
    return client.readSome({&byte, 1}, error) == 0;
  });
}

// Lets things happen until `condition` holds; false after a generous number of turns.
template <class F>
bool eventually(F condition) {
  for (int i = 0; i < 5000; ++i) {
    if (condition()) return true;
    sleep(std::chrono::milliseconds(1));
  }
  return condition();
}

}  // namespace plait::test
