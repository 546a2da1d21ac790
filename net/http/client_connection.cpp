#include "client_connection.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>

#include "plait/detail/await.h"

namespace plait::http::detail {

// Whatever it says but "nothing yet" ends the connection's use, so nothing is lost with the byte:
// the end of the stream, an error, or the beginning of an answer that nobody asked for.
bool ClientConnection::isQuiet() const {
  if (!stream_->isOpen() || reader_.hasBuffered()) return false;
  char byte = 0;
  iovec piece{&byte, 1};
  mmsghdr message{};
  message.msg_hdr.msg_iov = &piece;
  message.msg_hdr.msg_iovlen = 1;
  plait::detail::Op op(plait::detail::OpKind::receiveMany, socket_.descriptor());
  op.buffer = &message;
  op.length = 1;
  return plait::detail::callKernel(op) == -EAGAIN;
}

}  // namespace plait::http::detail
