#include "plait/stream.h"

#include <cerrno>

namespace plait::net {

std::size_t Stream::readSome(MutableBytes into) {
  std::error_code error;
  const std::size_t count = readSome(into, error);
  if (error) fail(error, "reading from");
  return count;
}

void Stream::writeAll(Bytes from) {
  std::error_code error;
  writeAll(from, error);
  if (error) fail(error, "writing to");
}

void Stream::fail(std::error_code code, const char* tried) const {
  throwStreamError(code, tried, describe());
}

void throwStreamError(std::error_code code, const char* tried, const std::string& what) {
  const std::string subject = std::string(tried) + " " + what;
  if (code == std::errc::device_or_resource_busy) {
    throw ConcurrentUseError(subject +
                             ": another fiber does so already; give each stream one reader");
  }
  if (code.category() != std::system_category() && code.category() != std::generic_category()) {
    throw Error(code, subject + ": " + code.message());
  }
  switch (code.value()) {
    case EBADF:
    case EPIPE:
    case ECONNRESET:
    case ECONNABORTED:
    case ENOTCONN:
    case ESHUTDOWN:
      throw ConnectionClosed(code.value(), subject);
    default:
      throw IoError(code.value(), subject);
  }
}

}  // namespace plait::net
