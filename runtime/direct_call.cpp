#include "direct_call.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace plait::detail {
namespace {

std::int32_t answer(int result) noexcept { return result < 0 ? -errno : result; }

}  // namespace

std::int32_t directCall(Op& op) noexcept {
  auto* const address = static_cast<sockaddr*>(op.buffer);
  auto* const messages = static_cast<mmsghdr*>(op.buffer);
  auto* const pair = static_cast<int*>(op.buffer);
  const int flags = static_cast<int>(op.flags);
  switch (op.kind) {
    case OpKind::socket:
      return answer(::socket(op.level, op.name | SOCK_CLOEXEC, flags));
    case OpKind::socketPair:
      return answer(::socketpair(op.level, op.name | SOCK_CLOEXEC, flags, pair));
    case OpKind::pipe:
      return answer(::pipe2(pair, O_CLOEXEC));
    case OpKind::bind:
      return answer(::bind(op.descriptor, address, op.length));
    case OpKind::listen:
      return answer(::listen(op.descriptor, static_cast<int>(op.length)));
    case OpKind::localName:
      return answer(::getsockname(op.descriptor, address, op.lengthInOut));
    case OpKind::peerName:
      return answer(::getpeername(op.descriptor, address, op.lengthInOut));
    case OpKind::getOption:
      return answer(::getsockopt(op.descriptor, op.level, op.name, op.buffer, op.lengthInOut));
    case OpKind::setOption:
      return answer(::setsockopt(op.descriptor, op.level, op.name, op.buffer, op.length));
    case OpKind::shutdown:
      return answer(::shutdown(op.descriptor, flags));
    case OpKind::receiveMany:
      return answer(::recvmmsg(op.descriptor, messages, op.length, flags | MSG_DONTWAIT, nullptr));
    case OpKind::sendMany:
      return answer(
          ::sendmmsg(op.descriptor, messages, op.length, flags | MSG_DONTWAIT | MSG_NOSIGNAL));
    case OpKind::unlink: {
      const char* const path = static_cast<const char*>(op.buffer);
      struct stat file{};
      if (::lstat(path, &file) != 0) return -errno;
      return S_ISSOCK(file.st_mode) ? answer(::unlink(path)) : -ENOTSOCK;
    }
    case OpKind::close:
      return answer(::close(op.descriptor));
    default:
      PLAIT_ASSERT(!"an operation for submit(), not for call()");
  }
  return -EINVAL;
}

}  // namespace plait::detail
