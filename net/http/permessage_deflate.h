// The compression of RFC 7692: raw DEFLATE, each message flushed to a byte's end, and without the
// four bytes that every such flush ends with.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "plait/stream.h"
#include "plait/websocket.h"

namespace plait::http::detail {

class Deflater final {
 public:
  // Throws: std::bad_alloc.
  explicit Deflater(const WebSocketCompression& agreed);
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  ~Deflater();

  // Compresses a message, or the next part of one, into `into`, whose memory is used again.
  void compress(net::Bytes part, bool last, std::string& into);
  // What was compressed last was not sent: nothing will refer to it.
  void forget() noexcept;

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
  bool keepsContext_;
};

class Inflater final {
 public:
  // Throws: std::bad_alloc.
  explicit Inflater(const WebSocketCompression& agreed);
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater();

  // Inflates from `from`, which loses what was used up, and returns how many bytes it wrote. Less
  // than `into` has room for means that all of `from` was used up. Throws: WebSocketError for what
  // is not DEFLATE.
  std::size_t inflate(net::Bytes& from, net::MutableBytes into);
  // The same when the message has no more: called until it returns less than `into` has room for.
  std::size_t finish(net::MutableBytes into);

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
  bool keepsContext_;
  net::Bytes tail_;  // what is left of the four bytes
};

}  // namespace plait::http::detail
