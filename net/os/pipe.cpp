#include "plait/pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "pipe_state.h"
#include "plait/detail/await.h"
#include "plait/detail/loop.h"
#include "plait/detail/stream_error.h"

namespace plait::os {

using detail::PipeState;
using net::detail::closedError;
using plait::detail::Op;
using plait::detail::OpKind;

namespace {

constexpr const char* kClosed = "a closed pipe";

PipeStream standardStream(int descriptor, const char* name) {
  if (::fcntl(descriptor, F_GETFD) < 0) throw IoError(errno, std::string("opening ") + name);
  return PipeStream(descriptor, name, false);
}

}  // namespace

PipeStream::PipeStream() noexcept = default;

PipeStream::PipeStream(int descriptor, std::string name, bool owned) {
  plait::detail::Loop::require("a PipeStream");
  state_ = std::make_unique<PipeState>(descriptor, std::move(name), owned);
}

PipeStream::PipeStream(PipeStream&& other) noexcept = default;
PipeStream& PipeStream::operator=(PipeStream&& other) noexcept = default;
PipeStream::~PipeStream() = default;

std::size_t PipeStream::readSome(net::MutableBytes into, std::error_code& error) {
  if (state_) return state_->readSome(into, error);
  error = closedError();
  return 0;
}

void PipeStream::writeAll(net::Bytes from, std::error_code& error) {
  if (state_) return state_->writeAll(from, error);
  error = closedError();
}

void PipeStream::shutdownWrite() {
  std::error_code error = closedError();
  if (state_) state_->shutdownWrite(error);
  if (error) net::throwStreamError(error, "shutting down", describe());
}

void PipeStream::close() {
  if (state_) state_->descriptor.close();
}

bool PipeStream::isOpen() const noexcept { return state_ && state_->descriptor.isOpen(); }

std::string PipeStream::describe() const { return state_ ? state_->describe() : kClosed; }

int PipeStream::descriptor() const noexcept { return state_ ? state_->descriptor.number() : -1; }
int PipeStream::detach() { return state_ ? state_->descriptor.release() : -1; }

std::pair<PipeStream, PipeStream> pipe() {
  std::array<int, 2> ends{};
  Op op(OpKind::pipe);
  op.buffer = ends.data();
  const std::int32_t result = plait::detail::callKernel(op);
  if (result < 0) throw IoError(-result, "making a pipe");
  return {PipeStream(ends[0]), PipeStream(ends[1])};
}

PipeStream standardInput() { return standardStream(STDIN_FILENO, "standard input"); }
PipeStream standardOutput() { return standardStream(STDOUT_FILENO, "standard output"); }
PipeStream standardError() { return standardStream(STDERR_FILENO, "standard error"); }

}  // namespace plait::os
