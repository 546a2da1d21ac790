#include "plait/unix.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "plait/detail/descriptor.h"
#include "socket_state.h"

namespace plait::net {

using plait::detail::Op;
using plait::detail::OpKind;

namespace {

constexpr std::size_t kControlBytes = CMSG_SPACE(kDescriptorsMax * sizeof(int));

struct Control {
  alignas(cmsghdr) std::byte bytes[kControlBytes] = {};
};

void closeAll(const std::vector<int>& descriptors) {
  for (const int each : descriptors) plait::detail::Descriptor closeIt(each);
}

}  // namespace

Credentials peerCredentials(const SocketStream& stream) {
  ucred who{};
  std::uint32_t bytes = sizeof who;
  Op op(OpKind::getOption);
  op.level = SOL_SOCKET;
  op.name = SO_PEERCRED;
  op.buffer = &who;
  op.lengthInOut = &bytes;
  const std::int32_t result = stream.isOpen() ? stream.state().descriptor.call(op) : -EBADF;
  if (result < 0) {
    throwStreamError(detail::systemError(result), "asking who is the peer of", stream.describe());
  }
  return {who.pid, who.uid, who.gid};
}

void sendDescriptors(SocketStream& stream, Bytes bytes, std::span<const int> descriptors) {
  if (descriptors.size() > kDescriptorsMax) {
    throw LimitError("sendDescriptors: at most " + std::to_string(kDescriptorsMax) +
                     " descriptors go with one message; send several");
  }
  if (bytes.empty())
    throw Error(std::errc::invalid_argument, "sendDescriptors needs a byte to go with");
  Control control;
  msghdr message{};
  if (!descriptors.empty()) {
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
  }
  std::error_code error = detail::systemError(-EBADF);
  if (stream.isOpen()) stream.state().writeAll(bytes, error, &message);
  if (error) throwStreamError(error, "sending descriptors to", stream.describe());
}

ReceivedDescriptors receiveDescriptors(SocketStream& stream, MutableBytes into) {
  Control control;
  msghdr message{};
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  std::error_code error = detail::systemError(-EBADF);
  std::size_t count = 0;
  if (stream.isOpen()) count = stream.state().readSome(into, error, &message);
  if (error) throwStreamError(error, "receiving descriptors from", stream.describe());
  ReceivedDescriptors received{count, {}};
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t bytes = header->cmsg_len - CMSG_LEN(0);
    const std::size_t before = received.descriptors.size();
    received.descriptors.resize(before + bytes / sizeof(int));
    std::memcpy(received.descriptors.data() + before, CMSG_DATA(header), bytes);
  }
  if ((message.msg_flags & MSG_CTRUNC) != 0) {
    closeAll(received.descriptors);
    if (received.descriptors.size() < kDescriptorsMax) {
      throw IoError(EMFILE, "receiving descriptors from " + stream.describe());
    }
    throw LimitError("receiveDescriptors: more than " + std::to_string(kDescriptorsMax) +
                     " descriptors came with one message");
  }
  return received;
}

}  // namespace plait::net
