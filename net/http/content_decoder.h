// Undoes a Content-Encoding: gzip or deflate, the latter as zlib or raw, for servers do both.
#pragma once

#include <memory>
#include <string_view>

#include "plait/stream.h"

namespace plait::http::detail {

class ContentDecoder final {
 public:
  // Null for a coding that is none of these, and for several at once.
  static std::unique_ptr<ContentDecoder> make(std::string_view coding);
  ~ContentDecoder();

  // Decodes from the front of `from`, which loses what was used; returns the bytes in `into`. With
  // neither space nor input left, 0. Never switches. Throws: HttpError for what cannot be decoded.
  std::size_t decode(net::Bytes& from, net::MutableBytes into);
  // There is no more input. Throws: HttpError if it ended in the middle.
  void end() const;

 private:
  struct State;
  explicit ContentDecoder(bool isGzip);
  void begin(std::byte first);

  std::unique_ptr<State> state_;
};

}  // namespace plait::http::detail
