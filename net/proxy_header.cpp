#include "plait/detail/proxy_header.h"

#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>
#include <vector>

#include "plait/error.h"

namespace plait::net::detail {
namespace {

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view kLineBegin = "PROXY ";
constexpr std::size_t kBlockHead = 16;
// "PROXY UNKNOWN\r\n": so much can be asked for before the line is known.
constexpr std::size_t kLineMin = 15;

[[noreturn]] void refuse(const std::string& why) {
  IoError error(EPROTO, "reading the PROXY header: " + why);
  error.addNote("is the client a load balancer that was told to send it?");
  throw error;
}

void readExactly(Stream& stream, MutableBytes into) {
  while (!into.empty()) {
    const std::size_t count = stream.readSome(into);
    if (count == 0) refuse("the connection ended before it was whole");
    into = into.subspan(count);
  }
}

std::string_view textOf(Bytes bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::uint16_t portOf(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool isPlain = text == "0" || (!text.empty() && text[0] != '0');
  if (error != std::errc() || end != text.data() + text.size() || !isPlain) {
    refuse("'" + std::string(text) + "' is no port");
  }
  return port;
}

Address addressOf(std::string_view host, std::string_view port, Family family) {
  Address address;
  if (!Address::tryIp(host, portOf(port), address) || address.family() != family) {
    refuse("an address in it cannot be read");
  }
  return address;
}

// The line's end is not known before it is read, and what is behind it is not ours: byte by byte.
ProxyHeader readLine(Stream& stream, std::string line) {
  while (!line.ends_with("\r\n")) {
    if (line.size() >= kProxyLineMax) refuse("its line is too long");
    std::byte next{};
    readExactly(stream, MutableBytes(&next, 1));
    line += static_cast<char>(next);
  }
  line.resize(line.size() - 2);
  return parseProxyLine(line);
}

ProxyHeader readBlock(Stream& stream, std::vector<std::byte> block) {
  const std::size_t had = block.size();
  block.resize(kBlockHead);
  readExactly(stream, MutableBytes(block).subspan(had));
  const std::size_t length =
      std::to_integer<std::size_t>(block[14]) << 8 | std::to_integer<std::size_t>(block[15]);
  if (length > kProxyHeaderMax) refuse("it is longer than " + std::to_string(kProxyHeaderMax));
  block.resize(kBlockHead + length);
  readExactly(stream, MutableBytes(block).subspan(kBlockHead));
  return parseProxyBlock(block);
}

}  // namespace

ProxyHeader readProxyHeader(Stream& stream) {
  std::vector<std::byte> begin(kSignature.size());
  readExactly(stream, begin);
  const std::string_view text = textOf(begin);
  if (text == kSignature) return readBlock(stream, std::move(begin));
  if (!text.starts_with(kLineBegin)) refuse("the connection begins with something else");
  static_assert(kLineMin > kSignature.size());
  begin.resize(kLineMin);
  readExactly(stream, MutableBytes(begin).subspan(kSignature.size()));
  return readLine(stream, std::string(textOf(begin)));
}

ProxyHeader parseProxyLine(std::string_view line) {
  if (!line.starts_with(kLineBegin)) refuse("a line of it begins with PROXY");
  std::string_view rest = line.substr(kLineBegin.size());
  std::vector<std::string_view> words;
  for (bool isMore = true; isMore;) {
    const std::size_t blank = std::min(rest.find(' '), rest.size());
    words.push_back(rest.substr(0, blank));
    isMore = blank < rest.size();
    rest.remove_prefix(std::min(blank + 1, rest.size()));
  }
  if (words[0] == "UNKNOWN") return {};
  const bool isIpv4 = words[0] == "TCP4";
  if ((!isIpv4 && words[0] != "TCP6") || words.size() != 5) {
    refuse("its line is PROXY, TCP4 or TCP6, two addresses and two ports");
  }
  const Family family = isIpv4 ? Family::ipv4 : Family::ipv6;
  return {addressOf(words[1], words[3], family), addressOf(words[2], words[4], family)};
}

namespace {

// The kinds of addresses that a block can have, by its 14th byte.
constexpr unsigned kTcp4 = 0x11;
constexpr unsigned kTcp6 = 0x21;
constexpr unsigned kUnixStream = 0x31;

template <class SocketAddress>
Address addressOf(const SocketAddress& from) {
  Address address;
  std::memcpy(address.data(), &from, sizeof from);
  address.length() = sizeof from;
  return address;
}

ProxyHeader addressesOf4(Bytes body) {
  sockaddr_in client{};
  client.sin_family = AF_INET;
  sockaddr_in server = client;
  std::memcpy(&client.sin_addr, &body[0], 4);
  std::memcpy(&server.sin_addr, &body[4], 4);
  std::memcpy(&client.sin_port, &body[8], 2);
  std::memcpy(&server.sin_port, &body[10], 2);
  return {addressOf(client), addressOf(server)};
}

ProxyHeader addressesOf6(Bytes body) {
  sockaddr_in6 client{};
  client.sin6_family = AF_INET6;
  sockaddr_in6 server = client;
  std::memcpy(&client.sin6_addr, &body[0], 16);
  std::memcpy(&server.sin6_addr, &body[16], 16);
  std::memcpy(&client.sin6_port, &body[32], 2);
  std::memcpy(&server.sin6_port, &body[34], 2);
  return {addressOf(client), addressOf(server)};
}

Address unixAddressOf(Bytes path) {
  const std::string_view text = textOf(path);
  const std::string_view name = text.substr(0, text.find('\0', text.starts_with('\0') ? 1 : 0));
  if (name.size() <= 1 && !name.starts_with('/')) return {};
  std::string spelled(name);
  if (spelled.starts_with('\0')) spelled[0] = '@';
  try {
    return Address::unixSocket(spelled);
  } catch (const Error&) {
    refuse("a path in it cannot be read");
  }
}

}  // namespace

ProxyHeader parseProxyBlock(Bytes block) {
  if (block.size() < kBlockHead || textOf(block.first(kSignature.size())) != kSignature) {
    refuse("it has no signature");
  }
  const auto versionAndCommand = std::to_integer<unsigned>(block[12]);
  const auto family = std::to_integer<unsigned>(block[13]);
  const Bytes body = block.subspan(kBlockHead);
  if (versionAndCommand >> 4 != 2) refuse("its version is not 2");
  const unsigned command = versionAndCommand & 0xf;
  if (command > 1) refuse("its command is neither LOCAL nor PROXY");
  if (command == 0) return {};
  const auto require = [&body](std::size_t bytes) {
    if (body.size() < bytes) refuse("it is too short for its addresses");
  };
  switch (family) {
    case kTcp4:
      require(12);
      return addressesOf4(body);
    case kTcp6:
      require(36);
      return addressesOf6(body);
    case kUnixStream:
      require(216);
      return {unixAddressOf(body.first(108)), unixAddressOf(body.subspan(108, 108))};
    default:
      return {};  // a transport that we do not serve, or none that it would tell
  }
}

}  // namespace plait::net::detail
