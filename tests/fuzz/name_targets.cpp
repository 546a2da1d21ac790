// What names a place: URLs, endpoints, addresses, the PROXY header.

#include <string>

#include "fuzz_targets.h"
#include "plait/address.h"
#include "plait/detail/endpoint.h"
#include "plait/detail/proxy_header.h"
#include "plait/error.h"
#include "plait/url.h"
#include "scripted_stream.h"

namespace plait::fuzz {
namespace {

constexpr std::size_t kAll = ~std::size_t{0};

// The header in words, or why there is none.
std::string readProxy(net::Bytes input, std::size_t piece) {
  ScriptedStream stream(input, piece);
  try {
    const net::detail::ProxyHeader header = net::detail::readProxyHeader(stream);
    std::array<std::byte, 8'192> rest;
    std::string words = header.client.toString() + " " + header.server.toString() + " ";
    while (const std::size_t count = stream.readSome(rest)) {
      words += asText(net::Bytes(rest).first(count));
    }
    return words;
  } catch (const IoError&) {
    return "refused";
  }
}

}  // namespace

void url(net::Bytes input) {
  const std::string_view text = asText(input);
  try {
    const http::Url url = http::Url::parse(text);
    require(url.port != 0 && !url.path.empty(), "a URL has a port and a path");
    const http::Url again = http::Url::parse(url.toString());
    require(again.toString() == url.toString(), "a URL that was written reads the same");
    require(again.host == url.host && again.port == url.port, "its place is the same");
    require(again.target() == url.target(), "its target is the same");
    require(url.target().find_first_of("\r\n ") == std::string::npos, "a target is one word");
    require(url.authority().find_first_of("\r\n /") == std::string::npos, "so is an authority");
  } catch (const Error&) {
  }
  try {
    http::Url::parse("http://a/b/c/d;p?q").resolve(text);
  } catch (const Error&) {
  }
  const auto decoded = http::percentDecode(text);
  if (decoded) {
    require(http::percentDecode(http::percentEncode(*decoded)) == decoded,
            "what was encoded decodes");
  }
  const http::Parameters parameters = http::parseQuery(text);
  require(http::parseQuery(http::toQuery(parameters)) == parameters, "a query reads the same");
}

void endpoint(net::Bytes input) {
  const std::string_view text = asText(input);
  for (const auto use : {net::detail::EndpointUse::listen, net::detail::EndpointUse::connect}) {
    try {
      net::detail::parseEndpoint(text, use);
    } catch (const Error&) {
    }
  }
  net::Address address;
  if (!net::Address::tryIp(text, 80, address)) return;
  net::Address again;
  require(net::Address::tryIp(address.host(), 80, again), "an address that was written is read");
  require(again == address, "an address that was written reads the same");
}

void proxyHeader(net::Bytes input) {
  require(readProxy(input, kAll) == readProxy(input, 1), "a header is the same however it was cut");
}

}  // namespace plait::fuzz
