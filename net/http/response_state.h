// What a ClientResponse is behind its movable handle.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client_exchange.h"
#include "content_decoder.h"
#include "message_reader.h"
#include "plait/http_client.h"

namespace plait::http::detail {

class ResponseState final {
 public:
  ResponseState(std::unique_ptr<ClientExchange> e, Head h, Url u, std::vector<Url> redirects,
                bool decompress);

  std::size_t readSome(net::MutableBytes into);
  const std::string& body();
  bool isDone() const noexcept { return exchange->isDone() && ahead_.empty() && isDecoded_; }
  // Calls `write` with each piece that is left, at most `limit` bytes of them.
  template <class F>
  std::uint64_t forEachPiece(std::uint64_t limit, F&& write);

  const std::unique_ptr<ClientExchange> exchange;
  const Head head;
  const Url url;
  const std::vector<Url> history;

 private:
  static constexpr std::size_t kInputBytes = 16'384;
  bool receive();

  std::unique_ptr<ContentDecoder> decoder_;  // null: the body is taken as it comes
  std::unique_ptr<std::array<std::byte, kInputBytes>> input_;
  net::Bytes ahead_;  // of it: not decoded yet
  bool isDecoded_ = true;
  std::optional<std::string> body_;
};

inline constexpr std::size_t kPieceBytes = 65'536;

template <class F>
std::uint64_t ResponseState::forEachPiece(std::uint64_t limit, F&& write) {
  // Not on the stack: fibers' stacks are small.
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(kPieceBytes);
  std::uint64_t total = 0;
  while (const std::size_t count = readSome({buffer.get(), kPieceBytes})) {
    const net::Bytes piece(buffer.get(), count);
    if (count > limit - total) {
      write(piece.first(static_cast<std::size_t>(limit - total)));
      exchange->drop();
      throw LimitError(exchange->phases().describe("the body has more than the ") +
                       std::to_string(limit) + " bytes that it may have");
    }
    total += count;
    write(piece);
  }
  return total;
}

}  // namespace plait::http::detail
