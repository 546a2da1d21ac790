// Input: what arrives goes into the buffer first, and leaves it only when a whole answer is there;
// so a call that is struck in its wait has consumed nothing. Only a long readExactly reads into the
// caller's memory, and puts back what it got when it has to give up. Output: bytes stay in the
// buffer until the stream below has taken all of them, and the buffer changes only under
// writeTurn_, because the kernel may be reading it.
#include "plait/buffered_stream.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <mutex>
#include <stdexcept>

#include "plait/cancel_shield.h"
#include "plait/detail/stream_error.h"
#include "plait/detail/waiter.h"
#include "plait/error.h"

namespace plait::net {

using detail::closedError;

namespace {

void requireDelimiter(std::string_view delimiter) {
  if (delimiter.empty()) throw std::invalid_argument("BufferedStream: the delimiter is empty");
}

// False if the delimiter, which `text` does not contain, cannot begin at `limit` or before any
// more.
bool mayStillBegin(std::string_view delimiter, std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return true;
  const std::size_t whole = text.size() < delimiter.size() ? 0 : text.size() - delimiter.size() + 1;
  for (std::size_t at = whole; at <= limit; ++at) {
    if (delimiter.starts_with(text.substr(at))) return true;
  }
  return false;
}

// Where a search that found nothing in `text` goes on when there is more of it.
std::size_t nextStart(std::string_view delimiter, std::string_view text) {
  return text.size() < delimiter.size() ? 0 : text.size() - delimiter.size() + 1;
}

}  // namespace

// The right to read, for one call.
class BufferedStream::Reading final {
 public:
  Reading(BufferedStream& stream, std::error_code& error)
      : stream_(stream), visit_(stream.inside_) {
    plait::detail::checkpoint();
    if (!stream.isOpen()) {
      error = closedError();
    } else if (stream.reading_) {
      error = std::make_error_code(std::errc::device_or_resource_busy);
    } else {
      stream.reading_ = mine_ = true;
    }
  }
  explicit Reading(BufferedStream& stream) : Reading(stream, std::error_code()) {}
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  ~Reading() {
    if (mine_) stream_.reading_ = false;
  }

 private:
  Reading(BufferedStream& stream, std::error_code&& error) : Reading(stream, error) {
    if (error) stream.fail(error, "reading from");
  }

  BufferedStream& stream_;
  detail::Occupancy::Visit visit_;
  bool mine_ = false;
};

BufferedStream::BufferedStream(Stream& stream, std::size_t writeBufferBytes)
    : stream_(&stream), outputMax_(writeBufferBytes) {}

BufferedStream::BufferedStream(std::unique_ptr<Stream> stream, std::size_t writeBufferBytes)
    : owned_(std::move(stream)), stream_(owned_.get()), outputMax_(writeBufferBytes) {}

BufferedStream::~BufferedStream() = default;

// --- reading ---

std::optional<std::string> BufferedStream::readLine(std::size_t limit) {
  const Reading reading(*this);
  const auto refuseAbove = [this, limit](std::size_t length) {
    if (length <= limit) return;
    throw LimitError("reading a line from " + describe() + ": longer than the limit of " +
                     std::to_string(limit) +
                     " bytes; give readLine a larger one, or pass over it with skipUntil(\"\\n\")");
  };
  for (std::size_t start = 0;;) {
    const std::string_view text = received();
    const std::size_t newline = text.find('\n', start);
    const bool isWhole = newline != std::string_view::npos;
    std::size_t length = isWhole ? newline : text.size();
    // If the end is still to come, a '\r' may be half of it.
    if (length > 0 && text[length - 1] == '\r') --length;
    refuseAbove(length);
    if (isWhole) return take(length, newline + 1);
    start = text.size();
    if (!receive()) break;
  }
  const std::size_t rest = received().size();
  refuseAbove(rest);
  if (rest == 0) return std::nullopt;
  return take(rest, rest);
}

std::optional<std::string> BufferedStream::readUntil(std::string_view delimiter,
                                                     std::size_t limit) {
  requireDelimiter(delimiter);
  const Reading reading(*this);
  for (std::size_t start = 0;;) {
    const std::string_view text = received();
    const std::size_t found = text.find(delimiter, start);
    if (found <= limit && found != std::string_view::npos) {
      return take(found, found + delimiter.size());
    }
    if (found != std::string_view::npos || !mayStillBegin(delimiter, text, limit)) {
      throw LimitError("reading from " + describe() +
                       " until a delimiter: not within the limit of " + std::to_string(limit) +
                       " bytes; give readUntil a larger one, or pass over it with skipUntil");
    }
    start = nextStart(delimiter, text);
    if (!receive()) break;
  }
  if (received().empty()) return std::nullopt;
  throw ConnectionClosed(std::errc::connection_aborted,
                         "reading from " + describe() + ": the stream ended after " +
                             std::to_string(received().size()) + " bytes, before the delimiter");
}

void BufferedStream::readExactly(MutableBytes into) {
  const Reading reading(*this);
  const auto fail = [this, &into](std::size_t count) {
    throw ConnectionClosed(std::errc::connection_aborted,
                           "reading from " + describe() + ": the stream ended after " +
                               std::to_string(count) + " of " + std::to_string(into.size()) +
                               " bytes");
  };
  if (into.size() <= kReadAheadBytes) {
    while (received().size() < into.size()) {
      if (!receive()) fail(received().size());
    }
    takeInto(into);
    return;
  }
  std::size_t done = takeInto(into);
  try {
    while (done < into.size()) {
      const std::size_t count = stream_->readSome(into.subspan(done));
      if (count == 0) fail(done);
      done += count;
    }
  } catch (...) {
    putBack(into.first(done));
    throw;
  }
}

std::string BufferedStream::readExactly(std::size_t count, std::size_t limit) {
  if (count > limit) {
    throw LimitError("reading " + std::to_string(count) + " bytes from " + describe() +
                     ": more than the limit of " + std::to_string(limit) +
                     "; give readExactly a larger one, or memory of your own");
  }
  std::string bytes(count, '\0');
  readExactly(std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
  return bytes;
}

bool BufferedStream::skipUntil(std::string_view delimiter) {
  requireDelimiter(delimiter);
  const Reading reading(*this);
  for (;;) {
    const std::string_view text = received();
    const std::size_t found = text.find(delimiter);
    if (found != std::string_view::npos) {
      begin_ += found + delimiter.size();
      return true;
    }
    begin_ += nextStart(delimiter, text);
    if (!receive()) break;
  }
  begin_ = end_;
  return false;
}

std::string_view BufferedStream::peek(std::size_t atLeast) {
  if (atLeast > kPeekMax) {
    throw LimitError("peeking at " + std::to_string(atLeast) + " bytes of " + describe() +
                     ": more than the limit of " + std::to_string(kPeekMax) +
                     "; read them with readExactly");
  }
  const Reading reading(*this);
  while (received().size() < atLeast && receive()) {
  }
  return received();
}

std::size_t BufferedStream::readSome(MutableBytes into, std::error_code& error) {
  error.clear();
  const Reading reading(*this, error);
  if (error || into.empty()) return 0;
  if (!received().empty()) return takeInto(into);
  if (into.size() >= kReadAheadBytes) return stream_->readSome(into, error);
  end_ += stream_->readSome(roomToReceive(), error);
  return takeInto(into);
}

std::string_view BufferedStream::received() const noexcept {
  return {reinterpret_cast<const char*>(input_.data()) + begin_, end_ - begin_};
}

bool BufferedStream::receive() {
  const std::size_t count = stream_->readSome(roomToReceive());
  end_ += count;
  return count > 0;
}

MutableBytes BufferedStream::roomToReceive() {
  constexpr std::size_t kEnough = kReadAheadBytes / 2;
  if (begin_ == end_) {
    begin_ = end_ = 0;
    // What one long line needed is not kept for ever.
    if (input_.size() > kReadAheadBytes) input_ = std::vector<std::byte>(kReadAheadBytes);
  }
  if (input_.size() - end_ < kEnough && begin_ > 0) {
    std::copy(input_.data() + begin_, input_.data() + end_, input_.data());
    end_ -= begin_;
    begin_ = 0;
  }
  if (input_.size() - end_ < kEnough) {
    input_.resize(std::max(kReadAheadBytes, 2 * input_.size()));
  }
  return MutableBytes(input_).subspan(end_);
}

std::string BufferedStream::take(std::size_t count, std::size_t consumed) {
  std::string taken(received().substr(0, count));
  begin_ += consumed;
  return taken;
}

std::size_t BufferedStream::takeInto(MutableBytes into) noexcept {
  const std::size_t count = std::min(into.size(), end_ - begin_);
  std::copy_n(input_.data() + begin_, count, into.data());
  begin_ += count;
  return count;
}

void BufferedStream::putBack(Bytes bytes) {
  input_.assign(bytes.begin(), bytes.end());
  begin_ = 0;
  end_ = bytes.size();
}

// --- writing ---

void BufferedStream::write(Bytes from) {
  const detail::Occupancy::Visit visit(inside_);
  const std::lock_guard turn(writeTurn_);
  std::error_code error;
  if (!isOpen()) {
    error = closedError();
  } else if (from.size() > outputMax_ - std::min(outputMax_, output_.size())) {
    send(error);
    if (!error && from.size() > outputMax_) {
      stream_->writeAll(from, error);
      from = {};
    }
  }
  if (error) stream_->fail(error, "writing to");
  output_.insert(output_.end(), from.begin(), from.end());
}

void BufferedStream::flush() {
  std::error_code error;
  writeAll(Bytes(), error);
  if (error) stream_->fail(error, "writing to");
}

void BufferedStream::writeAll(Bytes from, std::error_code& error) {
  error.clear();
  const detail::Occupancy::Visit visit(inside_);
  const std::lock_guard turn(writeTurn_);
  if (!isOpen()) {
    error = closedError();
    return;
  }
  if (!output_.empty() && from.size() <= outputMax_) {
    sendWith(from, error);
    return;
  }
  send(error);
  if (!error) stream_->writeAll(from, error);
}

void BufferedStream::fail(std::error_code code, const char* tried) const {
  stream_->fail(code, tried);
  std::terminate();  // g++ does not see that a virtual function never returns
}

void BufferedStream::shutdownWrite() {
  const detail::Occupancy::Visit visit(inside_);
  const std::lock_guard turn(writeTurn_);
  std::error_code error;
  send(error);
  if (error) stream_->fail(error, "writing to");
  stream_->shutdownWrite();
}

void BufferedStream::close() {
  const CancelShield shield;
  stream_->close();
  inside_.waitUntilEmpty();
}

void BufferedStream::send(std::error_code& error) {
  if (output_.empty()) return;
  stream_->writeAll(output_, error);
  if (!error) output_.clear();
}

// One write of both. If it fails, `more` was never in the buffer: its writer has been told.
void BufferedStream::sendWith(Bytes more, std::error_code& error) {
  struct Restore {
    std::vector<std::byte>& output;
    std::size_t before;
    ~Restore() { output.resize(std::min(output.size(), before)); }
  };
  const Restore restore{output_, output_.size()};
  output_.insert(output_.end(), more.begin(), more.end());
  send(error);
}

}  // namespace plait::net
