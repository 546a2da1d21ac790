// Requests through proxies: which go, and how.

#include <cstdlib>

#include "../../tls/certificates.h"
#include "client_support.h"
#include "plait/copy.h"
#include "proxy_rules.h"

namespace plait::test {
namespace {

using http::Url;
using http::detail::ProxyRules;

std::string proxyOf(const ProxyRules& rules, const char* url) {
  const Url* proxy = rules.proxyFor(Url::parse(url));
  return proxy == nullptr ? "direct" : proxy->authority();
}

// A server with TLS that answers each request with its body.
class SecureServer final {
 public:
  explicit SecureServer(const net::TlsServerOptions& options = serverOptions())
      : context_(options) {}

  std::string host() const { return "localhost:" + std::to_string(port()); }
  std::uint16_t port() const { return raw_.server().address().port(); }
  std::size_t connections() const { return connections_; }

 private:
  std::size_t connections_ = 0;
  net::TlsContext context_;
  RawServer raw_{[this](net::SocketStream& stream) {
    ++connections_;
    net::TlsStream secure(std::move(stream), context_, {.allowTruncation = true});
    http::detail::MessageReader reader(secure, http::detail::MessageReader::Kind::request, {});
    http::detail::Head head;
    while (reader.readHead(head)) {
      readWholeBody(reader);
      secure.writeAll(answerWith("secret of " + head.target));
    }
    secure.close();
  }};
};

// An HTTP proxy for tunnels: passes bytes on to where CONNECT says.
class Tunnel final {
 public:
  std::string url(const std::string& user = "") const { return "http://" + user + raw_.host(); }

  std::vector<std::string> asked;
  std::string authorization;
  std::string answer = "HTTP/1.1 200 Connection established\r\n\r\n";

 private:
  void serve(net::SocketStream& client) {
    http::detail::MessageReader reader(client, http::detail::MessageReader::Kind::request, {});
    http::detail::Head head;
    reader.readHead(head);
    asked.push_back(head.method + " " + head.target);
    authorization = head.fields.get("Proxy-Authorization");
    client.writeAll(answer);
    if (!answer.ends_with(" established\r\n\r\n")) return;
    net::SocketStream server = net::connect("tcp:" + head.target);
    net::copyBoth(client, server);
  }

  RawServer raw_{[this](net::SocketStream& client) { serve(client); }};
};

SessionOptions trusting() { return {.tls = net::TlsContext(clientOptions())}; }

FIBER_TEST_EACH("https is spoken to who proves its name [CLIENT-38]") {
  SecureServer server;
  Session session(trusting());

  for (int i = 0; i < 3; ++i) {
    CHECK(session.get("https://" + server.host() + "/x").body() == "secret of /x");
  }

  CHECK(server.connections() == 1);
}

FIBER_TEST("a server that does not prove its name is not asked [CLIENT-38]") {
  ExpectedErrors errors;
  SecureServer server;
  SecureServer other({.identity = testAuthority().sign("other.example")});
  Session stranger;
  Session session(trusting());

  CHECK_THROWS_AS(stranger.get("https://" + server.host() + "/"), net::TlsError);
  const auto error = thrownBy<net::TlsError>([&] { session.get("https://" + other.host() + "/"); });

  REQUIRE(error);
  CHECK(contains(error->what(), "the TLS handshake"));
  CHECK(session.statistics().inUse == 0);
  CHECK(errors.take(2).size() == 2);  // of the servers' handlers
}

FIBER_TEST_ON("sim", "a session waits for a response that is being closed [CLIENT-30]") {
  net::TlsContext context(serverOptions());
  RawServer server([&context](net::SocketStream& stream) {
    net::TlsStream secure(std::move(stream), context);
    secure.handshake();
    secure.writeAll("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
    sleepForEver();
  });
  const std::string url =
      "https://localhost:" + std::to_string(server.server().address().port()) + "/";
  SessionOptions options = trusting();
  options.timeouts.send = 1ms;
  std::size_t waits = 0;
  // One of these fills the way so that there is no room for the close_notify behind it.
  for (std::size_t bytes = 64'000; bytes < 65'536; bytes += 16) {
    Session session(options);
    try {
      ClientResponse response = session.post(url, std::string(bytes, 'x'));
      auto closer = spawn([&response] { response.close(); });
      settle();
      waits += closer.isReady() ? 0 : 1;

      session.close();

      CHECK(closer.isReady());
      CHECK_THROWS_AS(response.body(), ConnectionClosed);
    } catch (const TimeoutError&) {
      break;
    }
  }
  CHECK(waits > 0);
}

FIBER_TEST("a redirect from https to http is refused unless it is allowed [CLIENT-26]") {
  TestServer plain(always(answerWith("in the clear")));
  net::TlsContext context(serverOptions());
  RawServer secure([&](net::SocketStream& stream) {
    net::TlsStream tls(std::move(stream), context);
    readPiece(tls);
    tls.writeAll(answerWith("", "Location: " + plain.url() + "\r\n", "302 x"));
    tls.close();
  });
  const std::string url =
      "https://localhost:" + std::to_string(secure.server().address().port()) + "/";
  SessionOptions options = trusting();
  Session strict(options);
  options.allowInsecureRedirects = true;
  Session lenient(options);

  const auto error = thrownBy<http::HttpError>([&] { strict.get(url); });

  CHECK(contains(error->what(), "from https to http://"));
  CHECK(contains(error->what(), "allowInsecureRedirects"));
  CHECK(lenient.get(url).body() == "in the clear");
}

FIBER_TEST_EACH(
    "a proxy is told the whole URL for http, and makes a tunnel for https [CLIENT-39]") {
  TestServer forwarding(always(answerWith("forwarded")));
  SecureServer server;
  Tunnel tunnel;
  SessionOptions options = trusting();
  options.proxy = tunnel.url("ann:x@");
  Session tunnelled(options);
  Session forwarded({.proxy = "http://ann:x@" + forwarding.host()});

  CHECK(tunnelled.get("https://" + server.host() + "/a").body() == "secret of /a");
  CHECK(tunnelled.get("https://" + server.host() + "/b").body() == "secret of /b");
  CHECK(forwarded.get("http://one.example/x?y").body() == "forwarded");
  CHECK(forwarded.get("http://two.example:81/").body() == "forwarded");

  CHECK(tunnel.asked == std::vector<std::string>{"CONNECT " + server.host()});
  CHECK(tunnel.authorization == "Basic YW5uOng=");
  CHECK(server.connections() == 1);
  CHECK(forwarding.seen.at(0).target == "http://one.example/x?y");
  CHECK(forwarding.seen.at(0).field("Host") == "one.example");
  CHECK(forwarding.seen.at(0).field("Proxy-Authorization") == "Basic YW5uOng=");
  CHECK(forwarding.seen.at(1).target == "http://two.example:81/");
  CHECK(forwarding.connections() == 1);
}

FIBER_TEST("a proxy itself may be asked by https, with TLS inside of TLS [CLIENT-39]") {
  SecureServer server;
  net::TlsContext context(serverOptions());
  RawServer proxy([&context](net::SocketStream& stream) {
    net::TlsStream client(std::move(stream), context, {.allowTruncation = true});
    http::detail::MessageReader reader(client, http::detail::MessageReader::Kind::request, {});
    http::detail::Head head;
    reader.readHead(head);
    client.writeAll("HTTP/1.1 200 Connected\r\n\r\n");
    net::SocketStream target = net::connect("tcp:" + head.target);
    net::copyBoth(client, target);
  });
  SessionOptions options = trusting();
  options.proxy = "https://localhost:" + std::to_string(proxy.server().address().port());
  Session session(options);

  CHECK(session.get("https://" + server.host() + "/a").body() == "secret of /a");
  CHECK(session.get("https://" + server.host() + "/b").body() == "secret of /b");

  CHECK(server.connections() == 1);
}

FIBER_TEST("a proxy that makes no tunnel is an error that says why [CLIENT-39]") {
  Tunnel tunnel;
  Session session({.proxy = tunnel.url()});

  tunnel.answer = "HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n";
  const auto refused = thrownBy<http::HttpError>([&] { session.get("https://host.example/"); });
  CHECK(contains(refused->what(), "407 Who are you"));
  CHECK(contains(refused->what(), "user and password"));
  tunnel.answer = "HTTP/1.1 200 OK\r\n\r\nsmuggled";
  CHECK_THROWS_AS(session.get("https://127.0.0.1:1/"), Error);
  tunnel.answer = "";
  CHECK_THROWS_AS(session.get("https://host.example/"), Error);

  CHECK(session.statistics().inUse == 0);
}

TEST_CASE("hosts that are asked directly are named with all below them [CLIENT-40]") {
  const ProxyRules rules("proxy:3128",
                         {"localhost", ".example.org", "*.test", "[::1]:80", "10.0.0.1", "h:8080"});

  CHECK(proxyOf(rules, "http://localhost/") == "direct");
  CHECK(proxyOf(rules, "https://example.org/") == "direct");
  CHECK(proxyOf(rules, "http://www.Example.org/") == "direct");
  CHECK(proxyOf(rules, "http://badexample.org/") == "proxy:3128");
  CHECK(proxyOf(rules, "http://a.test/") == "direct");
  CHECK(proxyOf(rules, "http://[::1]/") == "direct");
  CHECK(proxyOf(rules, "http://[::1]:81/") == "proxy:3128");
  CHECK(proxyOf(rules, "http://10.0.0.1/") == "direct");
  CHECK(proxyOf(rules, "http://h:8080/") == "direct");
  CHECK(proxyOf(rules, "http://h/") == "proxy:3128");
  CHECK(proxyOf(ProxyRules("proxy:1", {"*"}), "http://h/") == "direct");
  CHECK(proxyOf(ProxyRules(), "http://h/") == "direct");
  CHECK_THROWS_AS(ProxyRules("ftp://proxy", {}), Error);
  CHECK_THROWS_AS(Session({.proxy = "ws://proxy"}), Error);
}

TEST_CASE("the environment names proxies, and HTTP_PROXY is not believed [CLIENT-40]") {
  const auto with = [](std::initializer_list<std::pair<const char*, const char*>> variables) {
    for (const auto& [name, value] : variables) ::setenv(name, value, 1);
    const ProxyRules rules = ProxyRules::fromEnvironment();
    for (const auto& [name, value] : variables) ::unsetenv(name);
    return rules;
  };

  const ProxyRules both = with({{"http_proxy", "http://plain:1"},
                                {"HTTPS_PROXY", "http://secure:2"},
                                {"no_proxy", "localhost, direct.example"}});
  CHECK(proxyOf(both, "http://h/") == "plain:1");
  CHECK(proxyOf(both, "https://h/") == "secure:2");
  CHECK(proxyOf(both, "http://direct.example/") == "direct");
  CHECK(proxyOf(with({{"all_proxy", "any:3"}}), "https://h/") == "any:3");
  CHECK(proxyOf(with({{"HTTP_PROXY", "evil:4"}}), "http://h/") == "direct");
}

}  // namespace
}  // namespace plait::test
