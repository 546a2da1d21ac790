#include "plait/receivers.h"

#include <algorithm>
#include <utility>

#include "plait/error.h"

namespace plait {

// --- lines

void LineReceiver::lineLengthExceeded(std::string_view) { transport().loseConnection(); }

void LineReceiver::setRawMode() {
  raw_ = true;
  if (!busy_) process();
}

void LineReceiver::setLineMode(std::string_view extra) {
  raw_ = false;
  if (!extra.empty()) buffer_.insert(seen_, extra);
  if (!busy_) process();
}

void LineReceiver::sendLine(std::string_view line) {
  transport().write(std::string(line) + delimiter_);
}

std::string LineReceiver::clearLineBuffer() {
  std::string rest = buffer_.substr(seen_);
  buffer_.clear();
  seen_ = 0;
  return rest;
}

void LineReceiver::dataReceived(std::string_view data) {
  buffer_.append(data);
  // A call may change the mode, or hand data back: the loop below it sees that.
  if (!busy_) process();
}

void LineReceiver::process() {
  struct Busy {
    LineReceiver& receiver;
    explicit Busy(LineReceiver& r) : receiver(r) { receiver.busy_ = true; }
    ~Busy() {
      receiver.busy_ = false;
      receiver.buffer_.erase(0, std::exchange(receiver.seen_, 0));
    }
  };
  const Busy busy(*this);
  while (seen_ < buffer_.size() && !transport().isDisconnecting()) {
    if (raw_) {
      rawDataReceived(std::exchange(buffer_, {}).substr(std::exchange(seen_, 0)));
      continue;
    }
    const std::size_t end = buffer_.find(delimiter_, seen_);
    // The delimiter may have come in part.
    const std::size_t length =
        (end == std::string::npos ? buffer_.size() - delimiter_.size() + 1 : end) - seen_;
    const bool isTooLong = end == std::string::npos
                               ? buffer_.size() - seen_ > lineMax_ + delimiter_.size() - 1
                               : length > lineMax_;
    if (isTooLong) {
      const std::string rest = clearLineBuffer();
      return lineLengthExceeded(rest);
    }
    if (end == std::string::npos) return;
    const std::string line = buffer_.substr(seen_, length);
    seen_ = end + delimiter_.size();
    lineReceived(line);
  }
}

void LineOnlyReceiver::lineLengthExceeded(std::string_view) { transport().loseConnection(); }

void LineOnlyReceiver::sendLine(std::string_view line) {
  transport().write(std::string(line) + delimiter_);
}

void LineOnlyReceiver::dataReceived(std::string_view data) {
  buffer_.append(data);
  std::size_t seen = 0;
  for (;;) {
    const std::size_t end = buffer_.find(delimiter_, seen);
    if (end == std::string::npos || transport().isDisconnecting()) break;
    const std::string line = buffer_.substr(seen, end - seen);
    seen = end + delimiter_.size();
    if (line.size() > lineMax_) {
      buffer_.clear();
      return lineLengthExceeded(line);
    }
    lineReceived(line);
  }
  buffer_.erase(0, seen);
  if (buffer_.size() <= lineMax_ + delimiter_.size() - 1 || transport().isDisconnecting()) return;
  lineLengthExceeded(std::exchange(buffer_, {}));
}

// --- messages

void StringReceiver::lengthLimitExceeded(std::size_t) { transport().loseConnection(); }

void StringReceiver::dataReceived(std::string_view data) {
  buffer_.append(data);
  std::size_t seen = 0;
  while (!transport().isDisconnecting()) {
    const Frame frame = parse(std::string_view(buffer_).substr(seen));
    if (frame.state == Frame::State::incomplete) break;
    if (frame.state != Frame::State::complete) {
      buffer_.clear();
      return lengthLimitExceeded(frame.length);
    }
    const std::string message = buffer_.substr(seen + frame.begin, frame.length);
    seen += frame.end;
    stringReceived(message);
  }
  buffer_.erase(0, seen);
}

void NetstringReceiver::sendString(std::string_view message) {
  if (message.size() > messageMax_) {
    throw LimitError("a netstring of " + std::to_string(message.size()) + " bytes; at most " +
                     std::to_string(messageMax_));
  }
  transport().write(std::to_string(message.size()) + ":" + std::string(message) + ",");
}

StringReceiver::Frame NetstringReceiver::parse(std::string_view data) const {
  std::size_t length = 0;
  std::size_t digits = 0;
  while (digits < data.size() && data[digits] >= '0' && data[digits] <= '9') {
    length = length * 10 + static_cast<std::size_t>(data[digits] - '0');
    ++digits;
    if (length > messageMax_) return {Frame::State::tooLong, 0, length, 0};
  }
  if (digits > 1 && data[0] == '0') return {Frame::State::malformed};
  if (digits == data.size()) return {Frame::State::incomplete};
  if (digits == 0 || data[digits] != ':') return {Frame::State::malformed};
  const std::size_t begin = digits + 1;
  if (data.size() <= begin + length) return {Frame::State::incomplete};
  if (data[begin + length] != ',') return {Frame::State::malformed};
  return {Frame::State::complete, begin, length, begin + length + 1};
}

void IntNStringReceiver::sendString(std::string_view message) {
  const std::size_t longest = prefixBytes_ >= sizeof(std::size_t)
                                  ? messageMax_
                                  : (std::size_t{1} << (8 * prefixBytes_)) - 1;
  if (message.size() > std::min(longest, messageMax_)) {
    throw LimitError("a message of " + std::to_string(message.size()) + " bytes; at most " +
                     std::to_string(std::min(longest, messageMax_)));
  }
  std::string frame;
  for (std::size_t i = prefixBytes_; i-- > 0;) {
    frame += static_cast<char>(message.size() >> (8 * i) & 0xff);
  }
  transport().write(frame.append(message));
}

StringReceiver::Frame IntNStringReceiver::parse(std::string_view data) const {
  if (data.size() < prefixBytes_) return {Frame::State::incomplete};
  std::size_t length = 0;
  for (std::size_t i = 0; i < prefixBytes_; ++i) {
    length = length << 8 | static_cast<unsigned char>(data[i]);
  }
  if (length > messageMax_) return {Frame::State::tooLong, 0, length, 0};
  if (data.size() - prefixBytes_ < length) return {Frame::State::incomplete};
  return {Frame::State::complete, prefixBytes_, length, prefixBytes_ + length};
}

}  // namespace plait
