#include <cerrno>
#include <utility>

#include "file_state.h"

namespace plait::os {

using detail::FileState;

FileStream::FileStream(File file) : file_(std::move(file)) {}
FileStream::FileStream(FileStream&& other) noexcept = default;
FileStream& FileStream::operator=(FileStream&& other) noexcept = default;
FileStream::~FileStream() = default;

std::size_t FileStream::readSome(MutableBytes into, std::error_code& error) {
  FileState* const state = file_.state();
  if (state == nullptr) {
    error = {EBADF, std::system_category()};
    return 0;
  }
  return state->readSome(into, error);
}

void FileStream::writeAll(Bytes from, std::error_code& error) {
  error.clear();
  FileState* const state = file_.state();
  if (state == nullptr || !state->descriptor.isOpen()) {
    error = {EBADF, std::system_category()};
    return;
  }
  net::detail::WriteTurns::Turn turn(state->writers, state->descriptor, from.size());
  if (state->writers.isBroken() || writeEnded_) {
    error = std::make_error_code(std::errc::broken_pipe);
    return;
  }
  state->writeAll(from, turn.written, error);
}

void FileStream::shutdownWrite() {
  if (!isOpen()) {
    net::throwStreamError({EBADF, std::system_category()}, "shutting down", describe());
  }
  writeEnded_ = true;
}

void FileStream::close() { file_.close(); }
bool FileStream::isOpen() const noexcept { return file_.isOpen(); }

std::string FileStream::describe() const {
  const FileState* const state = file_.state();
  return file_.describe() + (state == nullptr ? "" : state->writers.describeBreak());
}

}  // namespace plait::os
