// Protocols that cut a stream into messages: lines, netstrings, strings with a length before them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "plait/protocol.h"

namespace plait {

inline constexpr std::size_t kLineReceiverMax = 16'384;    // bytes of a line, unless said otherwise
inline constexpr std::size_t kStringReceiverMax = 99'999;  // and of a netstring or a counted string

// Lines, and raw data between them when so told.
class LineReceiver : public Protocol {
 public:
  explicit LineReceiver(std::string delimiter = "\r\n", std::size_t lineMax = kLineReceiverMax)
      : delimiter_(std::move(delimiter)), lineMax_(lineMax) {}

  // Without its delimiter; good until it returns.
  virtual void lineReceived(std::string_view line) = 0;
  // In raw mode: whatever has come.
  virtual void rawDataReceived(std::string_view) {}
  // Longer than lineMax. By default the connection is closed; what else has come is in `line`.
  virtual void lineLengthExceeded(std::string_view line);

  // Takes effect at once, also for what has come already.
  void setRawMode();
  // `extra` is seen before what comes next, as if it had come.
  void setLineMode(std::string_view extra = {});
  // With the delimiter. May switch, as write().
  void sendLine(std::string_view line);
  // What has come and was not yet seen; it is forgotten.
  std::string clearLineBuffer();

  void dataReceived(std::string_view data) override;

 private:
  void process();

  std::string delimiter_;
  std::size_t lineMax_;
  std::string buffer_;
  std::size_t seen_ = 0;  // of the buffer
  bool raw_ = false;
  bool busy_ = false;
};

// Lines and nothing else.
class LineOnlyReceiver : public Protocol {
 public:
  explicit LineOnlyReceiver(std::string delimiter = "\r\n", std::size_t lineMax = kLineReceiverMax)
      : delimiter_(std::move(delimiter)), lineMax_(lineMax) {}

  virtual void lineReceived(std::string_view line) = 0;
  virtual void lineLengthExceeded(std::string_view line);
  void sendLine(std::string_view line);

  void dataReceived(std::string_view data) override;

 private:
  std::string delimiter_;
  std::size_t lineMax_;
  std::string buffer_;
};

// What messages of known length have in common.
class StringReceiver : public Protocol {
 public:
  virtual void stringReceived(std::string_view message) = 0;
  // A message of this length was announced, or this text is no message. By default the connection
  // is closed.
  virtual void lengthLimitExceeded(std::size_t length);
  virtual void sendString(std::string_view message) = 0;

  void dataReceived(std::string_view data) override;

 protected:
  struct Frame {
    enum class State : std::uint8_t { incomplete, complete, tooLong, malformed } state;
    std::size_t begin = 0;  // of the message, in the data
    std::size_t length = 0;
    std::size_t end = 0;  // of the frame
  };
  // The first message in `data`.
  virtual Frame parse(std::string_view data) const = 0;

 private:
  std::string buffer_;
};

// "5:hello,"
class NetstringReceiver : public StringReceiver {
 public:
  explicit NetstringReceiver(std::size_t messageMax = kStringReceiverMax)
      : messageMax_(messageMax) {}
  // Throws: LimitError beyond messageMax.
  void sendString(std::string_view message) override;

 protected:
  Frame parse(std::string_view data) const override;

 private:
  std::size_t messageMax_;
};

// A length of 1, 2 or 4 bytes, the most significant first, and the message.
class IntNStringReceiver : public StringReceiver {
 public:
  // Throws: LimitError for what the length cannot tell, or beyond messageMax.
  void sendString(std::string_view message) override;

 protected:
  IntNStringReceiver(std::size_t prefixBytes, std::size_t messageMax)
      : prefixBytes_(prefixBytes), messageMax_(messageMax) {}
  Frame parse(std::string_view data) const override;

 private:
  std::size_t prefixBytes_;
  std::size_t messageMax_;
};

class Int8StringReceiver : public IntNStringReceiver {
 public:
  explicit Int8StringReceiver(std::size_t messageMax = kStringReceiverMax)
      : IntNStringReceiver(1, messageMax) {}
};
class Int16StringReceiver : public IntNStringReceiver {
 public:
  explicit Int16StringReceiver(std::size_t messageMax = kStringReceiverMax)
      : IntNStringReceiver(2, messageMax) {}
};
class Int32StringReceiver : public IntNStringReceiver {
 public:
  explicit Int32StringReceiver(std::size_t messageMax = kStringReceiverMax)
      : IntNStringReceiver(4, messageMax) {}
};

}  // namespace plait
