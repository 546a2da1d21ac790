// Where a socket is: an IPv4 or IPv6 address with a port, or a unix socket's name. A value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace plait::net {

enum class Family : std::uint8_t { none, ipv4, ipv6, unixSocket };

class Address final {
 public:
  Address() noexcept = default;

  // A numeric address: "127.0.0.1", "::1", "fe80::1%eth0". Throws: Error for anything else.
  static Address ip(std::string_view numeric, std::uint16_t port);
  // False, and `into` untouched, if `numeric` is no numeric address.
  static bool tryIp(std::string_view numeric, std::uint16_t port, Address& into) noexcept;
  // Every interface, to listen on: IPv4, or IPv6 (which takes IPv4 too, unless the system says
  // not).
  static Address any(std::uint16_t port, Family family = Family::ipv4) noexcept;
  static Address loopback(std::uint16_t port, Family family = Family::ipv4) noexcept;
  // A path in the file system, or "@name" in the abstract namespace. Throws: Error if it is too
  // long.
  static Address unixSocket(std::string_view path);

  Family family() const noexcept;
  std::uint16_t port() const noexcept;  // 0 for a unix socket
  std::string host() const;             // "127.0.0.1", "::1"; empty for a unix socket
  std::string path() const;             // of a unix socket; empty if it has no name
  std::string toString() const;         // "127.0.0.1:80", "[::1]:80", "unix:/run/x"; "none"

  Address withPort(std::uint16_t port) const noexcept;
  bool operator==(const Address& other) const noexcept;

  // For the kernel: a sockaddr of length(); set length() after the kernel wrote one.
  void* data() noexcept { return bytes_.data(); }
  const void* data() const noexcept { return bytes_.data(); }
  std::uint32_t& length() noexcept { return length_; }
  std::uint32_t length() const noexcept { return length_; }
  static constexpr std::uint32_t kLengthMax = 128;

 private:
  alignas(8) std::array<std::byte, kLengthMax> bytes_{};
  std::uint32_t length_ = 0;
};

}  // namespace plait::net
