// A server for each phase of a request, that lets it get there and no further.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "client_support.h"
#include "plait/detail/lookup.h"

namespace plait::test {

struct Stall {
  Stall(std::string name, Duration http::ClientTimeouts::* its)
      : phase(std::move(name)), limit(its) {}

  std::string phase;  // as errors call it
  Duration http::ClientTimeouts::* limit;
  SessionOptions options{};
  std::string method = "GET";
  std::string url;
  ClientBody body{};
  bool readsBody = false;
  // Puts the session where the phase can be reached.
  std::function<void(Session&)> prepare = [](Session&) {};

  // What has to live as long.
  std::unique_ptr<RawServer> server;
  std::shared_ptr<void> other;
  std::optional<ClientResponse> holder;

  void request(Session& session) const {
    ClientResponse response = session.request(method, url, {.body = body});
    if (readsBody) response.body();
  }
};

// Says `answer` to what comes first, and then nothing more.
inline std::unique_ptr<RawServer> silentAfter(std::string answer) {
  return std::make_unique<RawServer>([answer = std::move(answer)](net::SocketStream& stream) {
    readPiece(stream);
    if (!answer.empty()) stream.writeAll(answer);
    // Its end shows when the client has closed.
    while (!readPiece(stream).empty()) continue;
  });
}

// Every name's lookup waits until this is gone.
class LookupGate final {
 public:
  LookupGate() {
    net::detail::setLookup([state = state_](const std::string&, net::Family) {
      std::unique_lock lock(state->mutex);
      state->changed.wait(lock, [&state] { return state->isOpen; });
      return net::detail::LookupResult{-2, 0, {}};
    });
  }
  LookupGate(const LookupGate&) = delete;
  LookupGate& operator=(const LookupGate&) = delete;
  ~LookupGate() {
    {
      const std::lock_guard lock(state_->mutex);
      state_->isOpen = true;
    }
    state_->changed.notify_all();
    net::detail::setLookup({});
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool isOpen = false;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();  // shared with the lookups' threads
};

// A listener that nobody accepts from and whose backlog is full: connecting to it takes for ever.
struct FullListener {
  net::Listener listener = net::listen("tcp:127.0.0.1:0", {.backlog = 0});
  net::SocketStream filler = net::connect(listener.address());
};

using StallMaker = std::function<std::unique_ptr<Stall>()>;

// On the sim kernel: of a real one's backlog nobody knows when it is full.
inline std::vector<StallMaker> stalls() {
  using Limits = http::ClientTimeouts;
  std::vector<StallMaker> makers;
  makers.emplace_back([] {
    auto stall = std::make_unique<Stall>("waiting for a free connection", &Limits::pool);
    stall->options.connectionsPerHost = 1;
    stall->server = silentAfter("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx");
    stall->url = stall->server->url();
    stall->prepare = [&self = *stall](Session& session) {
      self.holder = session.get(self.server->url());
    };
    return stall;
  });
  makers.emplace_back([] {
    auto stall = std::make_unique<Stall>("looking up the name", &Limits::name);
    stall->other = std::make_shared<LookupGate>();
    stall->url = "http://slow.example/";
    return stall;
  });
  makers.emplace_back([] {
    auto stall = std::make_unique<Stall>("connecting", &Limits::connect);
    auto full = std::make_shared<FullListener>();
    stall->url = "http://" + full->listener.address().toString() + "/";
    stall->other = std::move(full);
    return stall;
  });
  makers.emplace_back([] {
    auto stall = std::make_unique<Stall>("asking the proxy for a tunnel", &Limits::connect);
    stall->server = silentAfter("");
    stall->options.proxy = stall->server->url();
    stall->url = "https://host.example/";
    return stall;
  });
  makers.emplace_back([] {
    auto stall = std::make_unique<Stall>("the TLS handshake", &Limits::tls);
    stall->server = silentAfter("");
    stall->url = "https://" + stall->server->host() + "/";
    return stall;
  });
  makers.emplace_back([] {
    auto stall = std::make_unique<Stall>("sending the request's body", &Limits::send);
    stall->server = std::make_unique<RawServer>([](net::SocketStream&) { sleepForEver(); });
    stall->method = "POST";
    stall->body = ClientBody(std::string(4 << 20, 'x'));
    stall->url = stall->server->url();
    return stall;
  });
  const auto answering = [&makers](const char* phase, Duration Limits::* limit,
                                   const char* answer) {
    makers.emplace_back([phase, limit, answer] {
      auto stall = std::make_unique<Stall>(phase, limit);
      stall->server = silentAfter(answer);
      stall->url = stall->server->url();
      stall->readsBody = true;
      return stall;
    });
  };
  answering("waiting for the answer's first byte", &Limits::firstByte, "");
  answering("reading the answer's head", &Limits::idle, "HTTP/1.1 200 O");
  answering("reading the body", &Limits::idle, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx");
  return makers;
}

}  // namespace plait::test
