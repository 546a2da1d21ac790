// Addresses of the sim network, all families as one comparable value.
#pragma once

#include <array>
#include <cstdint>
#include <string>

struct sockaddr;

namespace plait::detail::sim {

struct Address {
  // 0, or the negative errno for bytes that are no address.
  std::int32_t read(const sockaddr* from, std::uint32_t bytes);
  // As getsockname does: cut at the room given, the full length told. An internet address is
  // written in the form of `domain`. Either pointer may be null.
  void write(int domain, sockaddr* to, std::uint32_t* lengthInOut) const;

  static Address anyOf(int domain);

  bool isV4() const noexcept;
  bool isAny() const noexcept;
  bool isLoopback() const noexcept;
  bool isDead() const noexcept;  // of the documentation ranges: nobody answers
  void setLoopback() noexcept;   // of the same version

  bool operator==(const Address&) const = default;

  int family = 0;                       // AF_UNSPEC: none
  std::array<std::uint8_t, 16> host{};  // IPv4 in its mapped form
  std::uint16_t port = 0;
  std::string path;  // AF_UNIX; an abstract name begins with NUL
};

}  // namespace plait::detail::sim
