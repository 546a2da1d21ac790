// One operation for the kernel, as plain data that every kernel backend can interpret. Its owner,
// usually a fiber's stack frame, keeps it alive until the last completion; `user_data` on the ring
// is its address. A completion only stores the result and enqueues a Task: no user code runs in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "plait/detail/assert.h"

struct msghdr;
struct mmsghdr;
struct sockaddr;

namespace plait::detail {

enum class OpKind : std::uint8_t {
  // submit(): may take any time; completes by CQE.
  nop,
  read,
  write,
  readPieces,
  writePieces,
  recv,
  send,
  recvMessage,
  sendMessage,
  accept,
  acceptMany,  // multishot: completes once per connection, `more` until the last
  connect,
  poll,
  close,
  open,
  sync,
  splice,
  // call(): never waits; the result is there when it returns.
  socket,
  socketPair,
  bind,
  listen,
  localName,
  peerName,
  getOption,
  setOption,
  shutdown,
  receiveMany,  // recvmmsg with MSG_DONTWAIT
  sendMany,     // sendmmsg with MSG_DONTWAIT
  pipe,
  unlink,  // buffer: the path of a socket; -ENOTSOCK, and nothing removed, if it is none
};

class Op final {
 public:
  // Called by the kernel while it reaps: `result` as a syscall's (negative errno), `more` if
  // further completions of this Op will follow.
  using Complete = void (*)(Op&, std::int32_t result, bool more);

  explicit Op(OpKind what, int on = -1) noexcept : kind(what), descriptor(on) {}
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;
  ~Op() { PLAIT_ASSERT(!inFlight); }

  void setBuffer(void* start, std::size_t bytes) noexcept {
    buffer = start;
    length = static_cast<std::uint32_t>(bytes < kLengthMax ? bytes : kLengthMax);
  }
  void setBuffer(const void* start, std::size_t bytes) noexcept {
    setBuffer(const_cast<void*>(start), bytes);
  }

  // One operation moves at most this many bytes, as read(2) does.
  static constexpr std::size_t kLengthMax = 0x7ffff000;

  OpKind kind;
  bool inFlight = false;
  bool cancelRequested = false;
  // Done by a thread of the kernel and never by the one that submits: for what polls as ready and
  // may wait all the same.
  bool onWorker = false;
  int descriptor;

  // clang-format off
  // Which of these mean what, by kind:
  //   read write recv send        buffer, length, flags (MSG_*), offset (-1: the file position)
  //   readPieces writePieces      buffer: iovec*; length: how many; offset
  //   sync                        flags: 1 for the data alone
  //   splice                      level: from which; offset in that or -1; length; flags (SPLICE_F_*)
  //   recvMessage sendMessage     buffer: msghdr*; flags
  //   receiveMany sendMany        buffer: mmsghdr*; length: how many; flags
  //   accept acceptMany           flags (SOCK_*); buffer: sockaddr* or null; lengthInOut
  //   connect bind                buffer: sockaddr*; length
  //   localName peerName          buffer: sockaddr*; lengthInOut
  //   poll                        flags: poll(2) events
  //   open                        buffer: path; flags (O_*, close-on-exec anyway); length: permissions
  //   socket socketPair           level: domain; name: type; flags: protocol; buffer: int[2] for a pair
  //   pipe                        buffer: int[2]
  //   listen                      length: backlog
  //   shutdown                    flags: SHUT_*
  //   getOption setOption         level, name, buffer, length / lengthInOut
  // clang-format on
  void* buffer = nullptr;
  std::uint32_t length = 0;
  std::uint32_t flags = 0;
  std::uint64_t offset = ~std::uint64_t{0};
  std::uint32_t* lengthInOut = nullptr;
  int level = 0;
  int name = 0;

  Complete complete = nullptr;
  void* completionData = nullptr;  // the owner's, for `complete`

  // For a kernel backend's own lists while the Op is in flight.
  Op* kernelNext = nullptr;
  Op* kernelPrevious = nullptr;
};

}  // namespace plait::detail
