#include "plait/detail/endpoint.h"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "plait/error.h"
#include "plait/run.h"

using namespace plait::net;
using detail::Endpoint;
using detail::EndpointUse;
using detail::parseEndpoint;

namespace {

Endpoint toListen(std::string_view text) { return parseEndpoint(text, EndpointUse::listen); }
Endpoint toConnect(std::string_view text) { return parseEndpoint(text, EndpointUse::connect); }

struct Fault {
  std::string why;
  std::string shown;
  std::size_t at = 0;
};

// The three lines of the message: the reason, the text, and the caret under a character of it.
Fault faultOf(std::string_view text, EndpointUse use) {
  std::string message;
  try {
    parseEndpoint(text, use);
    FAIL("no error for " << text);
  } catch (const plait::Error& error) {
    CHECK(error.code() == std::errc::invalid_argument);
    message = error.what();
  }
  const std::size_t second = message.find("\n  ");
  const std::size_t third = message.find("\n  ", second + 1);
  REQUIRE(third != message.npos);
  REQUIRE(message.back() == '^');
  return {message.substr(0, second), message.substr(second + 3, third - second - 3),
          message.size() - 1 - (third + 3)};
}

void checkFault(std::string_view text, EndpointUse use, std::size_t at, std::string_view why) {
  CAPTURE(text);
  const Fault fault = faultOf(text, use);
  CHECK(fault.shown == text);
  CHECK(fault.at == at);
  CAPTURE(fault.why);
  CHECK(fault.why.find("'" + std::string(text) + "'") != std::string::npos);
  CHECK(fault.why.find(why) != std::string::npos);
}

void checkBothFaults(std::string_view text, std::size_t at, std::string_view why) {
  checkFault(text, EndpointUse::listen, at, why);
  checkFault(text, EndpointUse::connect, at, why);
}

}  // namespace

TEST_CASE("a port alone listens on every interface") {
  CHECK(toListen("tcp:8080").address == Address::any(8080));
  CHECK(toListen("tcp:0").address == Address::any(0));
  CHECK(toListen("tcp:65535").address == Address::any(65535));
  CHECK(toListen("tcp:8080").kind == "tcp");
  CHECK(toListen("tcp:8080").text == "tcp:8080");
}

TEST_CASE("a numeric host is an address at once") {
  CHECK(toListen("tcp:127.0.0.1:80").address == Address::loopback(80));
  CHECK(toConnect("tcp:127.0.0.1:80").address == Address::loopback(80));
  CHECK(toConnect("tcp:[::1]:80").address == Address::loopback(80, Family::ipv6));
  CHECK(toConnect("tcp:[fe80::1%lo]:80").address == Address::ip("fe80::1%lo", 80));
}

TEST_CASE("a name waits for its resolution") {
  const Endpoint endpoint = toConnect("tcp:www.example-site.org:443");

  CHECK(endpoint.address.family() == Family::none);
  CHECK(endpoint.host == "www.example-site.org");
  CHECK(endpoint.port == 443);
}

TEST_CASE("an endpoint resolves to what it stands for") {
  plait::run([] {
    CHECK(toConnect("tcp:localhost:80").resolve().front() == Address::loopback(80));
    CHECK(toConnect("tcp:1.2.3.4:80").resolve() == std::vector{Address::ip("1.2.3.4", 80)});
    CHECK(toConnect("unix:/x").resolve() == std::vector{Address::unixSocket("/x")});
  });
}

TEST_CASE("a unix endpoint is everything behind the colon") {
  CHECK(toListen("unix:/run/a:b").address == Address::unixSocket("/run/a:b"));
  CHECK(toConnect("unix:@name").address == Address::unixSocket("@name"));
  CHECK(toConnect("unix:@name").kind == "unix");
}

TEST_CASE("a fault of the kind is pointed at [IO-25]") {
  checkBothFaults("", 0, "tcp:PORT");
  checkBothFaults("8080", 0, "it has to be one of tcp:PORT");
  checkBothFaults("tpc:80", 0, "no such kind 'tpc'; there are tcp:PORT");
  checkBothFaults("TCP:80", 0, "no such kind 'TCP'");
  checkBothFaults(":80", 0, "no such kind ''");
  checkBothFaults("tcp:", 4, "it ends too early");
  checkBothFaults("unix:", 5, "it ends too early: unix:PATH");
}

TEST_CASE("a fault of the port is pointed at [IO-25]") {
  checkFault("tcp:80x", EndpointUse::listen, 6, "a number from 0 to 65535");
  checkFault("tcp:localhost:80x", EndpointUse::connect, 16, "a number from 1 to 65535");
  checkBothFaults("tcp:h:65536", 6, "at most 65535");
  checkBothFaults("tcp:h:99999999999999999999", 6, "at most 65535");
  checkBothFaults("tcp:h:-1", 6, "a port is a number");
  checkBothFaults("tcp:h: 80", 6, "a port is a number");
  checkBothFaults("tcp:h:", 6, "the port is missing");
  checkBothFaults("tcp:localhost", 13, "the port is missing: tcp:HOST:PORT");
  checkBothFaults("tcp:127.0.0.1", 13, "the port is missing: tcp:HOST:PORT");
  checkBothFaults("tcp:[::1]:", 10, "the port is missing");
  checkFault("tcp:h:0", EndpointUse::connect, 6, "for listening only");
}

TEST_CASE("connecting needs a host [IO-25]") {
  checkFault("tcp:8080", EndpointUse::connect, 4, "connecting needs a host, as tcp:localhost:8080");
  checkFault("tcp::8080", EndpointUse::connect, 4, "the host is empty");
  checkFault("tcp::8080", EndpointUse::listen, 4, "leave out its ':' to listen on every interface");
}

TEST_CASE("a fault of the host is pointed at [IO-25]") {
  checkBothFaults("tcp:my host:80", 6, "letters, digits");
  checkBothFaults("tcp:*:80", 4, "letters, digits");
  checkBothFaults("tcp:a..b:80", 6, "no empty part");
  checkBothFaults("tcp:127.1:80", 4, "four decimal numbers");
  checkBothFaults("tcp:10.0.0.256:80", 4, "four decimal numbers");
  checkBothFaults("tcp:::1:80", 5, "one ':' too many; an IPv6 address stands in brackets");
  checkBothFaults("tcp:[::1:80", 4, "this '[' has no ']'");
  checkBothFaults("tcp:[::1]", 9, "':' and a port belong here");
  checkBothFaults("tcp:[::1]80", 9, "':' and a port belong here");
  checkBothFaults("tcp:[127.0.0.1]:80", 5, "an IPv6 address");
  checkBothFaults("tcp:[]:80", 5, "an IPv6 address");
}

TEST_CASE("a fault of a path is pointed at [IO-25]") {
  checkBothFaults("unix:@", 5, "is empty");
  checkBothFaults("unix:" + std::string(108, 'x'), 5, "the system takes 107");
}

TEST_CASE("the caret stands under its character whatever the text is made of") {
  const Fault international = faultOf(
      "tcp:b\xc3\xbc"
      "cher:80",
      EndpointUse::connect);
  CHECK(international.at == 5);
  CHECK(international.why.find("xn--") != std::string::npos);
  const Fault behind = faultOf("tcp:b\xc3\xbc:80x", EndpointUse::connect);
  CHECK(behind.at == 9);
  const Fault control = faultOf("tcp:a\tb\n:80", EndpointUse::connect);
  CHECK(control.shown == "tcp:a?b?:80");
  CHECK(control.at == 5);
}
