#include "wire.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "plait/tcp.h"

namespace plait::http::detail {
namespace {

constexpr std::size_t kOutputFull = 65'536;      // sent though nothing is waited for
constexpr std::size_t kOutputKept = 65'536;      // bytes of memory for the next response
constexpr std::uint64_t kFilePiece = 1'048'576;  // sent under one deadline

}  // namespace

Duration Wire::timeFor(std::size_t bytes) const noexcept {
  const ServerOptions& options = watch_.board().options;
  const std::size_t rate = std::max<std::size_t>(options.bytesPerSecondMin, 1);
  if (options.writeTimeout == kForever) return kForever;
  return options.writeTimeout + std::chrono::seconds(bytes / rate);
}

void Wire::writeAll(net::Bytes from, std::error_code& error) {
  if (!output_.empty()) flush(error);
  if (error || from.empty()) return;
  // What a handler of an upgraded connection writes has no deadline of ours.
  const bool isFree = watch_.phase() == Phase::free;
  const Watch::Scope scope(watch_, isFree ? Phase::free : Phase::write,
                           isFree ? kForever : timeFor(from.size()));
  // Until it is known to have been sent; a kill in the middle leaves it so.
  const bool before = isBroken_;
  isBroken_ = true;
  below_.writeAll(from, error);
  if (!error) isBroken_ = before;
  watch_.settle();
}

void Wire::flush(std::error_code& error) {
  error.clear();
  if (output_.empty()) return;
  const Watch::Scope scope(watch_, Phase::write, timeFor(output_.size()));
  isBroken_ = true;
  below_.writeAll(net::asBytes(output_), error);
  if (error) return;
  isBroken_ = false;
  output_.clear();
  if (output_.capacity() > kOutputKept) output_.shrink_to_fit();
  watch_.settle();
}

void Wire::flush() {
  std::error_code error;
  flush(error);
  if (error) net::throwStreamError(error, "writing to", describe());
}

void Wire::flushIfFull() {
  if (output_.size() >= kOutputFull) flush();
}

void Wire::sendFile(os::File& file, std::uint64_t offset, std::uint64_t count) {
  flush();
  while (count > 0) {
    const std::uint64_t piece = std::min(count, kFilePiece);
    const Watch::Scope scope(watch_, Phase::write, timeFor(piece));
    isBroken_ = true;
    const std::uint64_t sent = os::sendFile(file, offset, piece, below_);
    isBroken_ = false;
    if (sent < piece) {
      throw IoError(EIO, "sending " + file.describe() +
                             ", which has become shorter meanwhile, to " + describe());
    }
    offset += sent;
    count -= sent;
    watch_.settle();
  }
}

std::size_t Wire::readSome(net::MutableBytes into, std::error_code& error) {
  error.clear();
  if (!leftover_.empty()) {
    const std::size_t count = std::min(into.size(), leftover_.size());
    std::memcpy(into.data(), leftover_.data(), count);
    leftover_.erase(0, count);
    return count;
  }
  if (!output_.empty()) {
    flush(error);
    if (error) return 0;
  }
  // It may have begun during the flush.
  if (watch_.phase() == Phase::idle && watch_.board().isStopping) return 0;
  const std::size_t count = below_.readSome(into, error);
  if (error) isBroken_ = true;
  return count;
}

void Wire::shutdownWrite() {
  flush();
  below_.shutdownWrite();
}

void Wire::resetOnClose() {
  if (auto* const socket = dynamic_cast<net::SocketStream*>(&below_)) socket->setResetOnClose(true);
}

}  // namespace plait::http::detail
