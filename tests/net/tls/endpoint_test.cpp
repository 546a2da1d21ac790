// Endpoint strings, from the text to the connection.

#include "plait/endpoint.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <string>

#include "certificates.h"
#include "fiber_test.h"
#include "plait/detail/endpoint.h"
#include "plait/timeout.h"

namespace plait::test {
namespace {

using net::Address;
using net::detail::EndpointUse;
using net::detail::parseEndpoint;

net::detail::Endpoint toListen(std::string_view text) {
  return parseEndpoint(text, EndpointUse::listen);
}
net::detail::Endpoint toConnect(std::string_view text) {
  return parseEndpoint(text, EndpointUse::connect);
}

template <class E, class F>
std::string messageOf(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  }
  FAIL_CHECK("nothing was thrown");
  return {};
}

// The column under which the caret of an error stands.
std::size_t caretOf(const std::string& message) {
  return message.size() - message.rfind('\n') - std::string("\n  ^").size();
}

void checkFault(EndpointUse use, std::string_view text, std::size_t at, std::string_view why) {
  CAPTURE(text);
  const std::string message = messageOf<Error>([&] { parseEndpoint(text, use); });
  CAPTURE(message);
  CHECK(caretOf(message) == at);
  CHECK(message.find(why) != std::string::npos);
}

// A directory for sockets and keys, which goes with the test.
class Folder final {
 public:
  Folder() {
    std::string name = "/tmp/plait-endpoint-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    for (const std::string& each : files_) ::unlink(each.c_str());
    ::rmdir(path_.c_str());
  }

  std::string file(const std::string& name, const std::string& content = {}) {
    files_.push_back(path_ + "/" + name);
    if (!content.empty()) std::ofstream(files_.back()) << content;
    return files_.back();
  }

 private:
  std::string path_;
  std::vector<std::string> files_;
};

std::string readExactly(net::Stream& stream, std::size_t bytes) {
  std::string result(bytes, '\0');
  std::size_t have = 0;
  while (have < bytes) {
    const auto rest = std::as_writable_bytes(std::span(result)).subspan(have);
    const std::size_t count = stream.readSome(rest);
    if (count == 0) break;
    have += count;
  }
  result.resize(have);
  return result;
}

// A listener with its certificate in files, and what a client adds to trust it.
struct SecureListener {
  explicit SecureListener(const std::string& before = "", const std::string& options = "")
      : listener(net::listenStream(
            before + "ssl:0:interface=127.0.0.1:privateKey=" +
            folder.file("key.pem", localhostIdentity().key) +
            ":certKey=" + folder.file("cert.pem", localhostIdentity().certificates) + options)),
        trust(":trustRoots=" + folder.file("ca.pem", testAuthority().pem())) {}

  std::string port() const { return std::to_string(listener.address().port()); }

  Folder folder;
  net::StreamListener listener;
  std::string trust;
};

}  // namespace

TEST_CASE("options stand behind the positional part, and values are unescaped [ENDPOINT-1]") {
  const auto endpoint =
      toListen(R"(ssl:443:privateKey=C\:\\key.pem:certKey=cert.pem:protocol=h2:protocol=x)");

  CHECK(endpoint.port == 443);
  CHECK(endpoint.tls->privateKey == R"(C:\key.pem)");
  CHECK(endpoint.tls->certKey == "cert.pem");
  CHECK(endpoint.tls->protocols == std::vector<std::string>{"h2", "x"});
  CHECK(toListen("unix:/run/a:b:mode=660").address == Address::unixSocket("/run/a:b"));
  CHECK(toListen(R"(unix:/run/a\:mode=1)").address == Address::unixSocket("/run/a:mode=1"));
}

TEST_CASE("a fault of an option is pointed at [ENDPOINT-1] [ENDPOINT-2]") {
  const EndpointUse listen = EndpointUse::listen;
  const EndpointUse connect = EndpointUse::connect;
  checkFault(listen, "tcp:80:colour=red", 7,
             "no such option of tcp here; there are: port interface");
  checkFault(connect, "tcp:h:80:interface=x", 9, "no such option");
  checkFault(listen, "tcp:80:backlog=", 15, "the value is missing");
  checkFault(listen, "tcp:80:backlog=many", 15, "a backlog is a number from 1 to 65535");
  checkFault(listen, "unix:/x:mode=9", 13, "a mode in octal");
  checkFault(connect, "tcp:h:80:timeout=0", 17, "a timeout in seconds");
  checkFault(connect, "tcp:h:80:bindAddress=here", 21, "an address is expected");
  checkFault(listen, "systemd:domain=IPX", 15, "INET, INET6 or UNIX");
  checkFault(listen, "fd:x", 3, "a descriptor is a number");
  checkFault(connect, "systemd:index=0", 0, "systemd is for listening only");
  checkFault(connect, "haproxy:tcp:h:80", 0, "haproxy is for listening only");
  checkFault(listen, "haproxy:tcp:80x", 14, "a port is a number");
  checkFault(listen, "haproxy:haproxy:tcp:80", 8, "one haproxy: is enough");
  checkFault(listen, "ssl:443", 7, "a server's certificate is missing");
  checkFault(listen, "ssl:443:certKey=a:oops", 18, "an option is name=value");
}

TEST_CASE("the positional part may stand as options [ENDPOINT-4]") {
  CHECK(toConnect("tcp:host=127.0.0.1:port=80").address == Address::loopback(80));
  CHECK(toConnect("tcp:port=80:host=127.0.0.1").address == Address::loopback(80));
  CHECK(toConnect("tls:host=example.org:port=443").host == "example.org");
  CHECK(toListen("tcp:port=80").address == Address::any(80));
  CHECK(toListen("unix:address=/x").address == Address::unixSocket("/x"));
  checkFault(EndpointUse::connect, "tcp:host=example.org", 20, "host=NAME and port=NUMBER");
  checkFault(EndpointUse::listen, "tcp:backlog=1", 13, "the port is missing");
  checkFault(EndpointUse::listen, "unix:mode=600", 13, "the path is missing");
}

FIBER_TEST("interface, backlog and mode are those of the socket [ENDPOINT-3]") {
  Folder folder;
  const std::string path = folder.file("socket");

  net::Listener tcp = net::listen("tcp:0:interface=127.0.0.1:backlog=5");
  net::Listener six = net::listen(R"(tcp:0:interface=\:\:1)");
  net::Listener file = net::listen("unix:" + path + ":mode=600");

  CHECK(tcp.address().host() == "127.0.0.1");
  CHECK(six.address().host() == "::1");
  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

FIBER_TEST("a connect that takes too long ends with its timeout [ENDPOINT-5]") {
  // A backlog of one that is full: the kernel does not answer further clients.
  net::Listener listener = net::listen("tcp:0:interface=127.0.0.1:backlog=1");
  const std::string endpoint = "tcp:127.0.0.1:" + std::to_string(listener.address().port());
  std::vector<net::SocketStream> waiting;
  std::string message;

  for (int i = 0; i < 8 && message.empty(); ++i) {
    try {
      waiting.push_back(net::connect(endpoint + ":timeout=1:bindAddress=127.0.0.2"));
      CHECK(waiting.back().localAddress().host() == "127.0.0.2");
    } catch (const TimeoutError& error) {
      message = error.what();
    }
  }

  CHECK(message.find("connecting to " + endpoint) != std::string::npos);
}

FIBER_TEST("a descriptor is listened on through a copy [ENDPOINT-6]") {
  net::Listener original = net::listen("tcp:127.0.0.1:0");
  const std::string endpoint = "fd:" + std::to_string(original.descriptor());
  {
    net::Listener copy = net::listen(endpoint);
    CHECK(copy.address() == original.address());
    CHECK(copy.descriptor() != original.descriptor());
  }

  net::SocketStream client = net::connect(original.address());
  net::SocketStream server = original.accept();

  client.writeAll("still there");
  CHECK(readExactly(server, 11) == "still there");
  net::SocketStream again = net::connect("fd:" + std::to_string(client.descriptor()));
  again.writeAll(", twice");
  CHECK(readExactly(server, 7) == ", twice");
}

FIBER_TEST("a descriptor that is no such socket is refused [ENDPOINT-6]") {
  auto [a, b] = net::socketPair();

  CHECK_THROWS_AS(net::listen("fd:" + std::to_string(a.descriptor())), IoError);
  CHECK_THROWS_AS(net::listen("fd:1000000"), IoError);
  CHECK_THROWS_AS(net::connect("fd:1000000"), IoError);
}

FIBER_TEST("what systemd passed is found by number, name and domain [ENDPOINT-6]") {
  ::unsetenv("LISTEN_FDS");
  CHECK_THROWS_AS(net::listen("systemd:index=0"), Error);
  net::Listener original = net::listen("tcp:127.0.0.1:0");
  // Where systemd would put it; whatever stands there comes back.
  const int before = ::dup(3);
  REQUIRE(::dup2(original.descriptor(), 3) == 3);
  ::setenv("LISTEN_FDS", "1", 1);
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::setenv("LISTEN_FDNAMES", "web", 1);

  CHECK(net::listen("systemd:domain=INET:index=0").address() == original.address());
  CHECK(net::listen("systemd:name=web").address() == original.address());
  CHECK_THROWS_AS(net::listen("systemd:domain=UNIX:index=0"), Error);
  CHECK_THROWS_AS(net::listen("systemd:index=1"), Error);
  CHECK_THROWS_AS(net::listen("systemd:name=mail"), Error);
  ::setenv("LISTEN_PID", "1", 1);
  CHECK_THROWS_AS(net::listen("systemd:index=0"), Error);

  for (const char* name : {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}) ::unsetenv(name);
  if (before >= 0) {
    ::dup2(before, 3);
    ::close(before);
  } else {
    ::close(3);
  }
}

FIBER_TEST("both sides of a TLS endpoint talk, and the host is verified [ENDPOINT-7]") {
  SecureListener server;
  auto serving = spawn([&] {
    const std::unique_ptr<net::Stream> stream = server.listener.accept();
    stream->writeAll("hello");
    stream->close();
  });

  const auto client =
      net::connectStream("tls:localhost:" + server.port() + server.trust + ":timeout=20");
  CHECK(readExactly(*client, 6) == "hello");
  serving.get();

  CHECK(server.listener.isSecure());
  const std::string message = messageOf<net::TlsError>([&] {
    net::connectStream("tls:127.0.0.1:" + server.port() + server.trust + ":hostname=elsewhere");
  });
  CHECK(message.find("connecting to tls:127.0.0.1") != std::string::npos);
  CHECK(message.find("ostname mismatch") != std::string::npos);
  CHECK_THROWS_AS(net::connectStream("tls:localhost:" + server.port()), net::TlsError);
}

FIBER_TEST("a client certificate is asked for by the endpoint [ENDPOINT-7]") {
  Folder folder;
  const net::TlsIdentity mine = testAuthority().sign("client");
  const std::string files = ":privateKey=" + folder.file("k.pem", mine.key) +
                            ":certificate=" + folder.file("c.pem", mine.certificates);
  SecureListener server("", ":clientAuthority=" + folder.file("a.pem", testAuthority().pem()));
  auto serving = spawn([&] {
    const std::unique_ptr<net::Stream> stream = server.listener.accept();
    return static_cast<net::TlsStream&>(*stream).peerName();
  });
  const std::string endpoint = "ssl:localhost:" + server.port() + server.trust;

  CHECK_THROWS_AS(readExactly(*net::connectStream(endpoint), 1), net::TlsError);
  const auto client = net::connectStream(endpoint + files);

  CHECK(serving.get() == "client");
  CHECK(server.listener.failedOpenings() == 1);
}

FIBER_TEST("what is more than a socket is refused by the calls for sockets [ENDPOINT-9]") {
  CHECK(messageOf<Error>([] { net::listen("haproxy:tcp:0"); }).find("listenStream()") !=
        std::string::npos);
  CHECK(messageOf<Error>([] { net::connect("tls:localhost:1"); }).find("connectStream()") !=
        std::string::npos);
  net::StreamListener listener = net::listenStream("unix:@plait-endpoint-test");
  auto client = spawn([] { return net::connectStream("unix:@plait-endpoint-test"); });
  CHECK(listener.accept()->isOpen());
  CHECK_FALSE(listener.isSecure());
  client.get();
}

FIBER_TEST("a PROXY header gives the client's address and nothing more is read [ENDPOINT-8]") {
  std::string second("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\0\0\1\x0a\0\0\2\x1f\x90\0\x50", 28);
  std::string six("\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x27", 16);
  six += std::string(15, '\0') + "\1" + std::string(15, '\0') + "\2" +
         std::string("\x1f\x90\0\x50", 4) + "TLV";
  std::string local("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16);
  const std::vector<std::pair<std::string, std::string>> headers = {
      {"PROXY TCP4 10.0.0.1 10.0.0.2 8080 80\r\n", "10.0.0.1:8080"},
      {"PROXY TCP6 ::1 ::2 8080 80\r\n", "[::1]:8080"},
      {second, "10.0.0.1:8080"},
      {six, "[::1]:8080"},
      {"PROXY UNKNOWN\r\n", ""},
      {"PROXY UNKNOWN ffff:f...f:ffff 1 2 3\r\n", ""},
      {local, ""},
  };
  net::StreamListener listener = net::listenStream("haproxy:tcp:127.0.0.1:0");
  for (const auto& [header, peer] : headers) {
    CAPTURE(header);
    net::SocketStream client = net::connect(listener.address());
    client.writeAll(header + "payload");

    net::Arrival arrival = listener.acceptArrival();
    const Address own = arrival.peer();
    const std::unique_ptr<net::Stream> stream = arrival.open();

    CHECK(readExactly(*stream, 7) == "payload");
    CHECK(arrival.peer().toString() == (peer.empty() ? own.toString() : peer));
  }
}

FIBER_TEST("what is no PROXY header ends its connection with a reason [ENDPOINT-8]") {
  const std::string v2("\r\n\r\n\0\r\nQUIT\n", 12);
  const std::vector<std::string> faults = {
      "GET / HTTP/1.1\r\n\r\n",
      "PROXY TCP4 10.0.0.1 10.0.0.2 8080\r\n",
      "PROXY TCP4 10.0.0.1 10.0.0.2 8080 65536\r\n",
      "PROXY TCP4 10.0.0.1 10.0.0.2 080 80\r\n",
      "PROXY TCP4 ::1 ::2 8080 80\r\n",
      "PROXY TCP5 1 2 3 4\r\n",
      "PROXY TCP4  10.0.0.1 10.0.0.2 8080 80\r\n",
      "PROXY UNKNOWN " + std::string(100, 'x') + "\r\n",
      "PROXY TCP4",
      v2 + std::string("\x31\x11\0\x0c", 4) + std::string(12, '\0'),
      v2 + std::string("\x22\x11\0\x0c", 4) + std::string(12, '\0'),
      v2 + std::string("\x21\x11\0\x0b", 4) + std::string(11, '\0'),
      v2 + std::string("\x21\x21\0\x0c", 4) + std::string(12, '\0'),
      v2 + std::string("\x21\x11\xff\xff", 4),
      v2 + std::string("\x21\x11\0\x0c", 4) + "short",
  };
  net::StreamListener listener = net::listenStream("haproxy:tcp:127.0.0.1:0");
  for (const std::string& fault : faults) {
    CAPTURE(fault);
    net::SocketStream client = net::connect(listener.address());
    client.writeAll(fault);
    client.shutdownWrite();

    net::Arrival arrival = listener.acceptArrival();
    const std::string message = messageOf<IoError>([&] { arrival.open(); });

    CHECK(message.find("PROXY header") != std::string::npos);
  }
}

FIBER_TEST("clients that stall hold up nobody [ENDPOINT-10]") {
  SecureListener server;
  std::vector<net::SocketStream> stalled;
  for (int i = 0; i < 300; ++i) stalled.push_back(net::connect(server.listener.address()));
  auto serving = spawn([&] {
    for (int i = 0; i < 3; ++i) server.listener.accept()->writeAll("hello");
  });

  for (int i = 0; i < 3; ++i) {
    const auto client = net::connectStream("tls:localhost:" + server.port() + server.trust);
    CHECK(readExactly(*client, 5) == "hello");
  }

  serving.get();
  server.listener.close();
}

FIBER_TEST_ON("sim", "a client that says nothing is dropped at the deadline [ENDPOINT-10]") {
  net::StreamListener plain = net::listenStream("haproxy:tcp:127.0.0.1:0");
  const net::StreamListener secure(net::listen("tcp:127.0.0.1:0"),
                                   net::TlsContext(serverOptions()));
  auto silent = net::connect(plain.address());

  net::Arrival arrival = plain.acceptArrival();
  const TimePoint start = now();
  CHECK_THROWS_AS(arrival.open(), TimeoutError);

  CHECK(now() - start >= net::kProxyHeaderTimeout);
  std::array<std::byte, 1> one{};
  CHECK(silent.readSome(one) == 0);
}

FIBER_TEST("a killed accept loses no connection [ENDPOINT-11]") {
  SecureListener server;
  auto first = spawn([&] { server.listener.accept(); });
  settle();
  first.kill();

  auto client = spawn([&] {
    const auto stream = net::connectStream("tls:localhost:" + server.port() + server.trust);
    return readExactly(*stream, 5);
  });
  server.listener.accept()->writeAll("hello");

  CHECK(client.get() == "hello");
}

FIBER_TEST("closing ends who accepts and who is in a handshake [ENDPOINT-11]") {
  SecureListener server;
  auto accepting = spawn([&] {
    CHECK_THROWS_AS(server.listener.accept(), ConnectionClosed);
    return true;
  });
  net::SocketStream stalled = net::connect(server.listener.address());
  settle();

  server.listener.close();

  CHECK(accepting.get());
  std::array<std::byte, 1> one{};
  std::error_code error;
  CHECK(stalled.readSome(one, error) == 0);
  CHECK_FALSE(server.listener.isOpen());
  CHECK_THROWS_AS(server.listener.accept(), ConnectionClosed);
}

}  // namespace plait::test
