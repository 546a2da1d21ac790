// HTTP messages: what comes out does not depend on how the bytes were cut.

#include <array>
#include <string>

#include "fuzz_targets.h"
#include "message_reader.h"
#include "plait/error.h"
#include "scripted_stream.h"

namespace plait::fuzz {
namespace {

using http::detail::Head;
using http::detail::MessageReader;

constexpr std::size_t kMessagesMax = 8;  // of one input
constexpr std::size_t kAll = ~std::size_t{0};

void write(const http::Fields& fields, std::string& into) {
  for (const http::Field each : fields) {
    into.append(each.name).append("=").append(each.value).append("\n");
  }
}

// All messages of the input as one text, and how it ends.
std::string read(net::Bytes input, MessageReader::Kind kind, std::size_t piece) {
  ScriptedStream stream(input, piece);
  MessageReader reader(stream, kind, {.requestLine = 256, .header = 2'048, .fields = 20});
  std::string words;
  Head head;
  std::array<std::byte, 300> body;
  try {
    for (std::size_t n = 0; n < kMessagesMax && reader.readHead(head); ++n) {
      words += head.method + " " + head.target + " " + std::to_string(head.status) + head.reason +
               std::to_string(head.version) + "\n";
      write(head.fields, words);
      while (const std::size_t count = reader.readBody(body)) {
        words += asText(net::Bytes(body).first(count));
      }
      require(reader.isDone(), "a body that was read to its end is done");
      words += "\n";
      write(reader.trailers(), words);
      if (!reader.keepsAlive()) break;
    }
    words += "end";
  } catch (const http::HttpError& error) {
    words += "refused " + std::to_string(error.status());
  } catch (const ConnectionClosed&) {
    words += "cut short";
  }
  return words;
}

void readInPieces(net::Bytes input, MessageReader::Kind kind) {
  const std::string whole = read(input, kind, kAll);
  for (const std::size_t piece : {1, 7}) {
    require(read(input, kind, piece) == whole, "a message is the same however it was cut");
  }
}

void readBehind(std::string head, net::Bytes input) {
  head += asText(input);
  readInPieces(net::asBytes(head), MessageReader::Kind::request);
}

}  // namespace

void requestHead(net::Bytes input) { readInPieces(input, MessageReader::Kind::request); }

void responseHead(net::Bytes input) { readInPieces(input, MessageReader::Kind::response); }

void chunkedBody(net::Bytes input) {
  readBehind("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", input);
}

}  // namespace plait::fuzz
