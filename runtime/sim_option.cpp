// Socket options of the sim network: those about a socket's state are answered, the rest are kept
// and given back. Few have an effect: SO_SNDBUF, SO_LINGER, SO_REUSEADDR, SO_REUSEPORT,
// IPV6_V6ONLY.

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sim_network.h"

namespace plait::detail::sim {
namespace {

constexpr int kSendBufferMin = 4608;
constexpr int kReceiveBufferMin = 2304;

std::int32_t give(const void* value, std::size_t bytes, const Op& op) noexcept {
  const std::size_t count = std::min<std::size_t>(*op.lengthInOut, bytes);
  std::memcpy(op.buffer, value, count);
  *op.lengthInOut = static_cast<std::uint32_t>(count);
  return 0;
}

std::int32_t give(int value, const Op& op) noexcept { return give(&value, sizeof value, op); }

}  // namespace

std::int32_t Network::getOption(Description& socket, const Op& op) {
  if (op.buffer == nullptr || op.lengthInOut == nullptr) return -EFAULT;
  if (op.level == SOL_SOCKET) {
    switch (op.name) {
      case SO_ERROR:
        return give(std::exchange(socket.error, 0), op);
      case SO_TYPE:
        return give(socket.type == Type::stream ? SOCK_STREAM : SOCK_DGRAM, op);
      case SO_DOMAIN:
        return give(socket.domain, op);
      case SO_ACCEPTCONN:
        return give(socket.listening ? 1 : 0, op);
      case SO_PROTOCOL: {
        const int protocol = socket.type == Type::stream ? IPPROTO_TCP : IPPROTO_UDP;
        return give(socket.isInternet() ? protocol : 0, op);
      }
      case SO_PEERCRED: {
        // Both ends of a sim connection are in this process.
        const ucred self{::getpid(), ::getuid(), ::getgid()};
        return give(&self, sizeof self, op);
      }
      default:
        break;
    }
  }
  const auto kept = socket.options.find({op.level, op.name});
  if (kept != socket.options.end()) return give(kept->second.data(), kept->second.size(), op);
  if (op.level == SOL_SOCKET && op.name == SO_LINGER) {
    const linger off{};
    return give(&off, sizeof off, op);
  }
  const bool buffer = op.level == SOL_SOCKET && (op.name == SO_SNDBUF || op.name == SO_RCVBUF);
  return give(buffer ? static_cast<int>(options_.socketBytes) : 0, op);
}

std::int32_t Network::setOption(Description& socket, const Op& op) {
  if (op.buffer == nullptr) return -EFAULT;
  const auto* const bytes = static_cast<const std::byte*>(op.buffer);
  std::vector<std::byte> value(bytes, bytes + op.length);
  if (op.level == SOL_SOCKET && (op.name == SO_SNDBUF || op.name == SO_RCVBUF)) {
    int size = 0;
    if (value.size() < sizeof size) return -EINVAL;
    std::memcpy(&size, value.data(), sizeof size);
    // Linux doubles what is asked, for its own overhead, and keeps a least size.
    size = op.name == SO_SNDBUF ? std::max(size * 2, kSendBufferMin)
                                : std::max(size * 2, kReceiveBufferMin);
    std::memcpy(value.data(), &size, sizeof size);
    if (op.name == SO_SNDBUF && socket.out) socket.out->capacity = static_cast<std::size_t>(size);
  }
  socket.options[{op.level, op.name}] = std::move(value);
  return 0;
}

}  // namespace plait::detail::sim
