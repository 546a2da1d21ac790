// WebSocket: frames, compression, and what is agreed on.

#include <array>
#include <string>
#include <utility>

#include "deflate_negotiation.h"
#include "fuzz_targets.h"
#include "permessage_deflate.h"
#include "scripted_stream.h"
#include "websocket_reader.h"

namespace plait::fuzz {
namespace {

using http::CloseCode;
using http::WebSocket;
using http::WebSocketClosed;
using http::WebSocketCompression;
using http::WebSocketError;
using http::WebSocketRole;
using http::detail::CloseFrame;
using http::detail::Deflater;
using http::detail::Inflater;
using http::detail::WebSocketReader;

constexpr std::size_t kAll = ~std::size_t{0};
constexpr std::size_t kMessageMax = 20'000;

class Recorder final : public WebSocketReader::Control {
 public:
  void onPing(net::Bytes payload) override { words.append("ping ").append(asText(payload)); }
  void onClose(CloseFrame frame) override {
    words += "close " + std::to_string(static_cast<int>(frame.code)) + frame.reason;
  }
  std::string words;
};

struct Setting {
  WebSocketRole role;
  http::WebSocketOptions options;
};

Setting settingOf(std::byte choice) {
  const auto bits = std::to_integer<unsigned>(choice);
  Setting setting{(bits & 1) != 0 ? WebSocketRole::client : WebSocketRole::server, {}};
  setting.options.messageMax = kMessageMax;
  if ((bits & 2) != 0) {
    setting.options.compression = WebSocketCompression{.peerContextTakeover = (bits & 4) != 0};
  }
  return setting;
}

// What the bytes mean, and how they end. `whole` is by receive(), or else in pieces.
std::string read(net::Bytes bytes, const Setting& setting, std::size_t piece, bool whole) {
  ScriptedStream stream(bytes, piece);
  Recorder recorder;
  WebSocketReader reader(stream, setting.role, setting.options, {}, recorder);
  std::array<std::byte, 100> buffer;
  WebSocket::Message message;
  try {
    if (whole) {
      while (reader.receive(message)) {
        require(message.data.size() <= kMessageMax, "a message is within its limit");
        recorder.words += (message.isText() ? "text " : "binary ") + message.data;
      }
    } else {
      while (reader.receiveSome(buffer)) {
      }
    }
  } catch (const WebSocketError& error) {
    recorder.words += "refused " + std::to_string(static_cast<int>(error.closeCode()));
  } catch (const WebSocketClosed&) {
    recorder.words += "cut short";
  }
  return recorder.words;
}

WebSocketCompression compressionOf(unsigned first, unsigned second) {
  WebSocketCompression compression;
  compression.level = static_cast<int>(1 + first % 9);
  compression.windowBits = static_cast<int>(9 + first / 9 % 7);
  compression.peerWindowBits = compression.windowBits;
  compression.contextTakeover = compression.peerContextTakeover = (second & 1) != 0;
  return compression;
}

// Until the message's end, or too much of it; false if it is no DEFLATE.
bool inflateAll(Inflater& inflater, net::Bytes from, std::size_t room, std::string& into) {
  std::string part(room, '\0');
  const auto out = std::as_writable_bytes(std::span(part));
  try {
    while (!from.empty() && into.size() < 1'000'000) {
      into.append(part, 0, inflater.inflate(from, out));
    }
    for (std::size_t count = room; count == room && into.size() < 1'000'000;) {
      count = inflater.finish(out);
      into.append(part, 0, count);
    }
  } catch (const WebSocketError& error) {
    require(error.closeCode() == CloseCode::invalidPayload, "what is no DEFLATE is 1007");
    return false;
  }
  return true;
}

}  // namespace

void webSocketFrames(net::Bytes input) {
  if (input.empty()) return;
  const Setting setting = settingOf(input[0]);
  const net::Bytes bytes = input.subspan(1);
  const std::string whole = read(bytes, setting, kAll, true);
  for (const std::size_t piece : {1, 7}) {
    require(read(bytes, setting, piece, true) == whole,
            "frames mean the same however they are cut");
  }
  read(bytes, setting, 5, false);
}

void permessageDeflate(net::Bytes input) {
  if (input.size() < 2) return;
  const auto first = std::to_integer<unsigned>(input[0]);
  const auto second = std::to_integer<unsigned>(input[1]);
  const WebSocketCompression compression = compressionOf(first, second);
  const net::Bytes bytes = input.subspan(2);
  const std::size_t room = 1 + second / 2;
  {
    Inflater inflater(compression);
    std::string text;
    if (inflateAll(inflater, bytes, room, text)) inflateAll(inflater, bytes, room, text);
  }

  Deflater deflater(compression);
  Inflater inflater(compression);
  std::string packed;
  for (int message = 0; message < 3; ++message) {
    std::string all;
    // In two parts; the first may be empty, or the second.
    const std::size_t cut = bytes.size() * static_cast<std::size_t>(message) / 2;
    deflater.compress(bytes.first(cut), false, packed);
    all += packed;
    deflater.compress(bytes.subspan(cut), true, packed);
    all += packed;
    std::string text;
    require(inflateAll(inflater, net::asBytes(all), room, text), "what was deflated inflates");
    require(text == asText(bytes), "it inflates to what it was");
    if (message == 1) deflater.forget();
  }
}

void extensions(net::Bytes input) {
  if (input.empty()) return;
  http::Fields fields;
  try {
    fields.add("Sec-WebSocket-Extensions", asText(input.subspan(1)));
  } catch (const std::invalid_argument&) {
    return;  // no value of a field
  }
  const auto offers = http::detail::parseExtensions(fields);
  if (!offers) return;
  const auto bits = std::to_integer<unsigned>(input[0]);
  const WebSocketCompression wanted = compressionOf(bits, bits);
  for (const http::detail::Extension& each : *offers) {
    http::detail::deflateAnswered(each, wanted);
  }
  const auto agreement = http::detail::agreeOnDeflate(*offers, wanted);
  if (!agreement) return;
  // What a server answers, a client can read; and it means the same on both sides.
  const http::Fields answer{{"Sec-WebSocket-Extensions", agreement->answer}};
  const auto answers = http::detail::parseExtensions(answer);
  require(answers && answers->size() == 1, "an answer is one extension");
  const auto client = http::detail::deflateAnswered(answers->front(), {});
  const WebSocketCompression& server = agreement->compression;
  if (!client) {
    // Our clients cannot compress with 8 bits; others can.
    require(server.peerWindowBits < 9, "an answer is acceptable");
    return;
  }
  require(client->windowBits == server.peerWindowBits, "a client compresses as agreed");
  require(client->peerWindowBits == server.windowBits, "a server compresses as agreed");
  require(client->contextTakeover == server.peerContextTakeover, "a client's context is as agreed");
  require(client->peerContextTakeover == server.contextTakeover, "a server's context is as agreed");
}

}  // namespace plait::fuzz
