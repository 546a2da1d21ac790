#include "plait/address.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <string>

#include <doctest/doctest.h>

#include "plait/error.h"

using plait::net::Address;
using plait::net::Family;

namespace {

std::string messageOf(void (*call)()) {
  try {
    call();
  } catch (const plait::Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

template <class Raw>
Address fromKernel(const Raw& raw, std::size_t length) {
  Address address;
  std::memcpy(address.data(), &raw, length);
  address.length() = static_cast<std::uint32_t>(length);
  return address;
}

}  // namespace

TEST_CASE("a numeric address says its family, host, port and text") {
  const Address four = Address::ip("192.0.2.7", 80);
  const Address six = Address::ip("2001:DB8:0:0::1", 443);

  CHECK(four.family() == Family::ipv4);
  CHECK(four.host() == "192.0.2.7");
  CHECK(four.port() == 80);
  CHECK(four.toString() == "192.0.2.7:80");
  CHECK(four.length() == sizeof(sockaddr_in));
  CHECK(six.family() == Family::ipv6);
  CHECK(six.host() == "2001:db8::1");
  CHECK(six.port() == 443);
  CHECK(six.toString() == "[2001:db8::1]:443");
  CHECK(six.length() == sizeof(sockaddr_in6));
}

TEST_CASE("an address has exactly the sockaddr that the kernel takes") {
  const Address address = Address::ip("1.2.3.4", 0x1234);

  sockaddr_in raw{};
  std::memcpy(&raw, address.data(), sizeof raw);
  CHECK(raw.sin_family == AF_INET);
  CHECK(ntohs(raw.sin_port) == 0x1234);
  CHECK(ntohl(raw.sin_addr.s_addr) == 0x01020304);
}

TEST_CASE("what is not a numeric address is refused, and the result is untouched") {
  for (const char* text : {"", "localhost", "127.1", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "0x7f.1",
                           " 127.0.0.1", "127.0.0.1 ", "[::1]", "::1%", "::g", "1:2:3:4:5:6:7",
                           "::1%lo", "fe80::1%no-such-if", "fe80::1%0", "127.0.0.1%1", "%1",
                           "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc"}) {
    CAPTURE(text);
    Address address = Address::loopback(7);
    CHECK_FALSE(Address::tryIp(text, 80, address));
    CHECK(address == Address::loopback(7));
    CHECK_THROWS_AS(Address::ip(text, 80), plait::Error);
  }
  Address address;
  CHECK_FALSE(Address::tryIp(std::string("127.0.0.1\0x", 11), 80, address));
  CHECK(messageOf([] { Address::ip("web", 80); }) ==
        "'web' is not a numeric IP address such as 127.0.0.1 or ::1; for a name use resolve()");
}

TEST_CASE("a link-local address keeps its interface, by name or number") {
  // Interface 1 is the loopback on every Linux.
  const Address byNumber = Address::ip("fe80::1%1", 80);
  const Address byName = Address::ip("fe80::1%lo", 80);

  CHECK(byName == byNumber);
  CHECK(byName.host() == "fe80::1%lo");
  CHECK(Address::ip("fe80::1%4000000", 80).toString() == "[fe80::1%4000000]:80");
  CHECK_FALSE(byNumber == Address::ip("fe80::1", 80));
}

TEST_CASE("any and loopback are there for both families") {
  CHECK(Address::any(1).toString() == "0.0.0.0:1");
  CHECK(Address::any(1, Family::ipv6).toString() == "[::]:1");
  CHECK(Address::loopback(1).toString() == "127.0.0.1:1");
  CHECK(Address::loopback(1, Family::ipv6).toString() == "[::1]:1");
}

TEST_CASE("withPort changes the port and nothing else") {
  CHECK(Address::ip("1.2.3.4", 1).withPort(65535) == Address::ip("1.2.3.4", 65535));
  CHECK(Address::ip("fe80::1%1", 1).withPort(2) == Address::ip("fe80::1%1", 2));
  CHECK(Address::unixSocket("/x").withPort(2) == Address::unixSocket("/x"));
  CHECK(Address().withPort(2) == Address());
}

TEST_CASE("equal addresses are equal however they were written") {
  CHECK(Address::ip("::1", 1) == Address::ip("0:0:0:0:0:0:0:1", 1));
  CHECK_FALSE(Address::ip("1.2.3.4", 1) == Address::ip("1.2.3.4", 2));
  CHECK_FALSE(Address::ip("1.2.3.4", 1) == Address::ip("::ffff:1.2.3.4", 1));
  CHECK_FALSE(Address() == Address::any(0));
  CHECK(Address() == Address());
  CHECK(Address().toString() == "none");
}

TEST_CASE("a unix socket has a path or an abstract name") {
  const Address path = Address::unixSocket("/run/x");
  const Address abstract = Address::unixSocket("@name");

  CHECK(path.family() == Family::unixSocket);
  CHECK(path.path() == "/run/x");
  CHECK(path.toString() == "unix:/run/x");
  CHECK(path.port() == 0);
  CHECK(path.host().empty());
  CHECK(path.length() == offsetof(sockaddr_un, sun_path) + 7);
  CHECK(abstract.path() == "@name");
  CHECK(abstract.length() == offsetof(sockaddr_un, sun_path) + 5);
  CHECK_FALSE(abstract == Address::unixSocket("name"));
  CHECK(Address::ip("1.2.3.4", 1).path().empty());
}

TEST_CASE("a unix socket's name as the kernel writes it is understood") {
  sockaddr_un raw{};
  raw.sun_family = AF_UNIX;
  std::strcpy(raw.sun_path, "/run/x");
  const std::size_t bare = offsetof(sockaddr_un, sun_path);

  CHECK(fromKernel(raw, bare + 7) == Address::unixSocket("/run/x"));
  CHECK(fromKernel(raw, bare + 6) == Address::unixSocket("/run/x"));
  CHECK(fromKernel(raw, sizeof raw) == Address::unixSocket("/run/x"));
  CHECK(fromKernel(raw, bare).family() == Family::unixSocket);
  CHECK(fromKernel(raw, bare).path().empty());
  CHECK(fromKernel(raw, bare).toString() == "unix:");
}

TEST_CASE("a unix socket's name is at most as long as the system takes [IO-25]") {
  CHECK(Address::unixSocket(std::string(107, 'x')).path() == std::string(107, 'x'));
  CHECK(Address::unixSocket("@" + std::string(107, 'x')).path() == "@" + std::string(107, 'x'));
  CHECK_THROWS_AS(Address::unixSocket("@" + std::string(108, 'x')), plait::Error);
  CHECK_THROWS_AS(Address::unixSocket(""), plait::Error);
  CHECK_THROWS_AS(Address::unixSocket("@"), plait::Error);
  CHECK_THROWS_AS(Address::unixSocket(std::string("/a\0b", 4)), plait::Error);
  CHECK(messageOf([] { Address::unixSocket(std::string(108, 'x')); }) ==
        "the unix socket name '" + std::string(108, 'x') +
            "' has 108 bytes, the system takes 107: use a shorter or a relative path");
}
