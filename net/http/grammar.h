// The grammar of HTTP/1 messages: Boost.Beast's parser, and what is refused beyond it. The only
// file that knows Beast is grammar.cpp. Knows no stream; who feeds it has whole heads, whole chunk
// lines and whole trailers, because resuming inside of a line is where parsers begin to differ.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "message_reader.h"

namespace plait::http::detail {

class Grammar final {
 public:
  Grammar(MessageReader::Kind kind, std::size_t fieldsMax);
  Grammar(const Grammar&) = delete;
  Grammar& operator=(const Grammar&) = delete;
  ~Grammar();

  // Begins a message: `head` with the empty line that ends it. Throws: HttpError.
  void parseHead(std::string_view head, Head& into);
  // A chunk's line, and with the last chunk the trailer up to its empty line; `line` may have more
  // behind it. Returns the bytes used. Throws: HttpError.
  std::size_t parseChunkLine(std::string_view line);
  // Moves body bytes of `from` to `into`, which may be the same; returns how many. While
  // dataLeft() > 0.
  std::size_t takeBody(net::Bytes from, net::MutableBytes into);
  void endOfStream();  // of a body that ends so

  bool isChunked() const noexcept;
  bool hasLength() const noexcept;
  bool endsWithStream() const noexcept;
  std::uint64_t length() const noexcept;
  std::uint64_t dataLeft()
      const noexcept;  // body bytes that come next; 0: a chunk line, or the end
  bool isDone() const noexcept;
  bool keepsAlive() const noexcept;  // as far as version and Connection say
  const Fields& trailers() const noexcept;

  // `status` is for a request; a response that breaks the rules is a bad gateway's (502).
  [[noreturn]] void refuse(int status, const char* why) const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace plait::http::detail
