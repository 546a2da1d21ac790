#include "websocket_handshake.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "base64.h"
#include "deflate_negotiation.h"
#include "plait/detail/digest.h"
#include "websocket_mask.h"

namespace plait::http::detail {
namespace {

constexpr std::string_view kMagic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::string_view kVersion = "13";
constexpr std::size_t kKeyBytes = 16;

constexpr std::string_view kUpgrade = "Upgrade";
constexpr std::string_view kConnection = "Connection";
constexpr std::string_view kKeyField = "Sec-WebSocket-Key";
constexpr std::string_view kAcceptField = "Sec-WebSocket-Accept";
constexpr std::string_view kVersionField = "Sec-WebSocket-Version";
constexpr std::string_view kProtocolField = "Sec-WebSocket-Protocol";
constexpr std::string_view kExtensionsField = "Sec-WebSocket-Extensions";

HandshakeAnswer refusal(int status, std::string reason) {
  HandshakeAnswer answer;
  answer.status = status;
  answer.reason = std::move(reason);
  return answer;
}

bool isSameHost(std::string_view origin, std::string_view host) {
  try {
    const Url page = Url::parse(origin);
    const Url here = Url::parse(page.scheme + "://" + std::string(host));
    return page.host == here.host && page.port == here.port;
  } catch (const Error&) {
    return false;  // "null" is one
  }
}

// A page in a browser always says where it is from; what is no page may say anything.
bool isAllowedOrigin(const Fields& request, const WebSocketOptions& options) {
  const auto origin = request.find("Origin");
  if (!origin) return true;
  if (options.origins.empty()) return isSameHost(*origin, request.get("Host"));
  return std::any_of(
      options.origins.begin(), options.origins.end(),
      [origin](const std::string& each) { return each == "*" || equalsNoCase(each, *origin); });
}

std::string chooseProtocol(const Fields& request, const std::vector<std::string>& spoken) {
  const std::vector<std::string_view> asked = tokensOf(request, kProtocolField);
  for (const std::string& each : spoken) {
    if (std::find(asked.begin(), asked.end(), each) != asked.end()) return each;
  }
  return {};
}

[[noreturn]] void refuseAnswer(const Url& url, const std::string& why) {
  throw WebSocketError(CloseCode::protocolError,
                       "connecting to " + url.toString() + ": the server's answer " + why);
}

std::optional<WebSocketCompression> compressionAnswered(const Url& url, const Fields& answer,
                                                        const WebSocketOptions& options) {
  const auto extensions = parseExtensions(answer);
  if (!extensions) refuseAnswer(url, "has extensions that cannot be read");
  if (extensions->empty()) return std::nullopt;
  if (extensions->size() > 1 || !options.compression) {
    refuseAnswer(url, "has an extension that was not offered");
  }
  const auto agreed = deflateAnswered(extensions->front(), *options.compression);
  if (!agreed) refuseAnswer(url, "has an extension, or parameters of it, that were not offered");
  return agreed;
}

}  // namespace

std::string newWebSocketKey() {
  std::array<std::byte, kKeyBytes> bytes;
  fillRandom(bytes);
  return toBase64(bytes);
}

std::string acceptOf(std::string_view key) {
  return toBase64(net::detail::sha1(net::asBytes(std::string(key).append(kMagic))));
}

HandshakeAnswer answerHandshake(const HandshakeRequest& request, const WebSocketOptions& options) {
  const Fields& fields = request.fields;
  if (request.method != "GET") return refusal(405, "a WebSocket begins with GET");
  if (!fields.hasToken(kUpgrade, "websocket") || !fields.hasToken(kConnection, "upgrade")) {
    HandshakeAnswer answer = refusal(426, "this is for WebSockets only");
    answer.fields = {{kUpgrade, "websocket"}, {kConnection, kUpgrade}};
    return answer;
  }
  if (request.version < 11) return refusal(400, "a WebSocket needs HTTP/1.1");
  if (request.hasBody) return refusal(400, "a WebSocket's request has no body");
  if (fields.count(kVersionField) != 1 || fields.get(kVersionField) != kVersion) {
    HandshakeAnswer answer = refusal(426, "the version of WebSocket that is spoken here is 13");
    answer.fields = {{kVersionField, kVersion}};
    return answer;
  }
  const std::string_view key = fields.get(kKeyField);
  if (fields.count(kKeyField) != 1 || fromBase64(key).value_or("").size() != kKeyBytes) {
    return refusal(400, "Sec-WebSocket-Key is not 16 bytes in Base64");
  }
  const auto offers = parseExtensions(fields);
  if (!offers) return refusal(400, "Sec-WebSocket-Extensions cannot be read");
  if (!isAllowedOrigin(fields, options)) {
    return refusal(403, "pages of this origin may not connect");
  }

  HandshakeAnswer answer;
  answer.agreed = options;
  answer.protocol = chooseProtocol(fields, options.protocols);
  answer.fields = {{kUpgrade, "websocket"}, {kConnection, kUpgrade}, {kAcceptField, acceptOf(key)}};
  if (!answer.protocol.empty()) answer.fields.set(kProtocolField, answer.protocol);
  if (!options.compression) return answer;
  const auto agreement = agreeOnDeflate(*offers, *options.compression);
  answer.agreed.compression.reset();
  if (!agreement) return answer;
  answer.agreed.compression = agreement->compression;
  answer.fields.set(kExtensionsField, agreement->answer);
  return answer;
}

std::string handshakeRequest(const Url& url, std::string_view key, const WebSocketOptions& options,
                             const Fields& more) {
  Fields fields{{"Host", url.authority()},
                {kUpgrade, "websocket"},
                {kConnection, kUpgrade},
                {kKeyField, key},
                {kVersionField, kVersion}};
  for (const Field each : more) {
    if (fields.has(each.name) || equalsNoCase(each.name, kProtocolField) ||
        equalsNoCase(each.name, kExtensionsField)) {
      throw std::invalid_argument("connecting to " + url.toString() + ": the field '" +
                                  std::string(each.name) + "' is the handshake's own");
    }
  }
  std::string protocols;
  for (const std::string& each : options.protocols) {
    if (!protocols.empty()) protocols += ", ";
    protocols += each;
  }
  if (!protocols.empty()) fields.add(kProtocolField, protocols);
  if (options.compression) fields.add(kExtensionsField, deflateOffer(*options.compression));
  if (!url.user.empty() && !more.has("Authorization")) {
    fields.add("Authorization", basicAuthorization(url.user, url.password));
  }
  for (const Field each : more) fields.add(each.name, each.value);

  std::string text = "GET " + url.target() + " HTTP/1.1\r\n";
  for (const Field each : fields) {
    text.append(each.name).append(": ").append(each.value).append("\r\n");
  }
  return text + "\r\n";
}

HandshakeResult checkHandshake(const Url& url, std::string_view key, const Head& answer,
                               const WebSocketOptions& options) {
  const Fields& fields = answer.fields;
  if (answer.status != 101) {
    throw HttpError(answer.status, "connecting to " + url.toString() + ": the server answers " +
                                       std::to_string(answer.status) + " " + answer.reason);
  }
  if (!fields.hasToken(kUpgrade, "websocket") || !fields.hasToken(kConnection, "upgrade")) {
    refuseAnswer(url, "does not upgrade to websocket");
  }
  if (fields.count(kAcceptField) != 1 || fields.get(kAcceptField) != acceptOf(key)) {
    refuseAnswer(url, "is not to this request: Sec-WebSocket-Accept is wrong");
  }
  HandshakeResult result{options, std::string(fields.get(kProtocolField))};
  result.agreed.compression = compressionAnswered(url, fields, options);
  const bool wasAsked = std::find(options.protocols.begin(), options.protocols.end(),
                                  result.protocol) != options.protocols.end();
  if (fields.count(kProtocolField) > 1 || (fields.has(kProtocolField) && !wasAsked)) {
    refuseAnswer(url, "has a subprotocol that was not asked for");
  }
  return result;
}

}  // namespace plait::http::detail
