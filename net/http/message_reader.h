// Reads HTTP/1 messages off a stream, one after the other: the one place where bytes of the network
// are parsed as HTTP, for server and client. The grammar is Boost.Beast's; what it lets pass and
// what lets requests be smuggled is refused here (bare LF, obs-fold, both lengths, two Hosts).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "plait/http_error.h"
#include "plait/http_fields.h"
#include "plait/stream.h"

namespace plait::http::detail {

// The first lines of a message. Reused from message to message, it allocates nothing.
struct Head {
  std::string method;  // request
  std::string target;
  int status = 0;  // response
  std::string reason;
  int version = 11;  // 10 or 11
  Fields fields;
};

class MessageReader final {
 public:
  enum class Kind : bool { request, response };

  // `stream` outlives it. Nothing else reads it meanwhile.
  MessageReader(net::Stream& stream, Kind kind, const Limits& limits);
  MessageReader(const MessageReader&) = delete;
  MessageReader& operator=(const MessageReader&) = delete;
  ~MessageReader();

  // Whether the next message's first byte is here already (pipelined). Never switches.
  bool hasBuffered() const noexcept;
  // Parks until the next message's first byte is here; false at the end of the stream.
  // May switch. Throws: as Stream::readSome; HttpError for a flood of empty lines.
  bool waitForMessage();
  // The next head. False if the stream ends before its first byte. What is left of the body before
  // must have been read. May switch. Throws: HttpError with the status to answer (502 for a
  // response); ConnectionClosed if the stream ends in the middle; as Stream::readSome.
  bool readHead(Head& into);

  // Of the message whose head was read last.
  void expectNoBody();  // response to HEAD, or to a CONNECT that succeeded
  bool isChunked() const noexcept;
  bool hasLength() const noexcept;
  std::uint64_t length() const noexcept;  // Content-Length; 0 if it has none
  bool isDone() const noexcept;           // the whole body was read
  // At least one byte of the body, decoded of its chunks; 0 at its end. May switch. Throws:
  // HttpError; ConnectionClosed if the stream ends before the body does.
  std::size_t readBody(net::MutableBytes into);
  const Fields& trailers() const noexcept;  // once isDone()
  // Whether another message may follow on this connection. Of a body that ends with the stream:
  // false.
  bool keepsAlive() const noexcept;

  // What arrived behind the message and was not asked for: for an upgrade.
  std::string takeBuffered();

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace plait::http::detail
