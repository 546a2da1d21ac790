#include "deflate_negotiation.h"

#include <algorithm>
#include <charconv>

namespace plait::http::detail {
namespace {

constexpr std::string_view kName = "permessage-deflate";
constexpr int kBitsMin = 8;
constexpr int kBitsMax = 15;
constexpr int kOwnBitsMin = 9;  // zlib cannot compress with less

// The four parameters, as an offer or an answer has them.
struct Parameters {
  bool serverNoTakeover = false;
  bool clientNoTakeover = false;
  std::optional<int> serverBits;
  std::optional<int> clientBits;
  bool saysClientBits = false;  // maybe without a value, in an offer
};

std::optional<int> parseBits(std::string_view text) {
  int bits = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits);
  const bool isWhole = error == std::errc() && end == text.data() + text.size();
  if (!isWhole || text.starts_with('0') || bits < kBitsMin || bits > kBitsMax) return std::nullopt;
  return bits;
}

// False for a parameter that is unknown, comes again, or has no value where it needs one.
bool addParameter(const ExtensionParameter& parameter, bool isOffer, Parameters& into) {
  const auto addFlag = [&parameter](bool& flag) {
    if (flag || parameter.value) return false;
    return flag = true;
  };
  const auto addBits = [&parameter](std::optional<int>& bits) {
    if (bits || !parameter.value) return false;
    bits = parseBits(*parameter.value);
    return bits.has_value();
  };
  if (equalsNoCase(parameter.name, "server_no_context_takeover")) {
    return addFlag(into.serverNoTakeover);
  }
  if (equalsNoCase(parameter.name, "client_no_context_takeover")) {
    return addFlag(into.clientNoTakeover);
  }
  if (equalsNoCase(parameter.name, "server_max_window_bits")) return addBits(into.serverBits);
  if (!equalsNoCase(parameter.name, "client_max_window_bits") || into.saysClientBits) return false;
  into.saysClientBits = true;
  return (isOffer && !parameter.value) || addBits(into.clientBits);
}

std::optional<Parameters> parse(const Extension& extension, bool isOffer) {
  if (!equalsNoCase(extension.name, kName)) return std::nullopt;
  Parameters parameters;
  for (const ExtensionParameter& each : extension.parameters) {
    if (!addParameter(each, isOffer, parameters)) return std::nullopt;
  }
  return parameters;
}

std::string write(const Parameters& parameters) {
  std::string text(kName);
  if (parameters.serverNoTakeover) text += "; server_no_context_takeover";
  if (parameters.clientNoTakeover) text += "; client_no_context_takeover";
  if (parameters.serverBits) {
    text += "; server_max_window_bits=" + std::to_string(*parameters.serverBits);
  }
  if (parameters.saysClientBits) {
    text += "; client_max_window_bits";
    if (parameters.clientBits) text += "=" + std::to_string(*parameters.clientBits);
  }
  return text;
}

std::optional<int> unlessMost(int bits) {
  return bits < kBitsMax ? std::optional(bits) : std::nullopt;
}

}  // namespace

std::string deflateOffer(const WebSocketCompression& wanted) {
  Parameters offer;
  offer.serverNoTakeover = !wanted.peerContextTakeover;
  offer.clientNoTakeover = !wanted.contextTakeover;
  offer.serverBits = unlessMost(wanted.peerWindowBits);
  // Without a value it says that a server may ask for less.
  offer.saysClientBits = true;
  offer.clientBits = unlessMost(wanted.windowBits);
  return write(offer);
}

std::optional<DeflateAgreement> agreeOnDeflate(const std::vector<Extension>& offers,
                                               const WebSocketCompression& wanted) {
  for (const Extension& each : offers) {
    const std::optional<Parameters> offer = parse(each, true);
    if (!offer) continue;
    const int ownBits = std::min(offer->serverBits.value_or(kBitsMax), wanted.windowBits);
    if (ownBits < kOwnBitsMin) continue;

    Parameters answer;
    answer.serverNoTakeover = offer->serverNoTakeover || !wanted.contextTakeover;
    answer.clientNoTakeover = offer->clientNoTakeover || !wanted.peerContextTakeover;
    if (offer->serverBits || ownBits < kBitsMax) answer.serverBits = ownBits;
    int peerBits = kBitsMax;
    if (offer->saysClientBits) {
      peerBits = std::min(offer->clientBits.value_or(kBitsMax), wanted.peerWindowBits);
      answer.clientBits = unlessMost(peerBits);
      answer.saysClientBits = answer.clientBits.has_value();
    }

    DeflateAgreement agreement{wanted, write(answer)};
    agreement.compression.windowBits = ownBits;
    agreement.compression.peerWindowBits = peerBits;
    agreement.compression.contextTakeover = !answer.serverNoTakeover;
    agreement.compression.peerContextTakeover = !answer.clientNoTakeover;
    return agreement;
  }
  return std::nullopt;
}

std::optional<WebSocketCompression> deflateAnswered(const Extension& answer,
                                                    const WebSocketCompression& offered) {
  const std::optional<Parameters> said = parse(answer, false);
  if (!said) return std::nullopt;
  // What we asked of the server it has to promise.
  if (!offered.peerContextTakeover && !said->serverNoTakeover) return std::nullopt;
  if (offered.peerWindowBits < kBitsMax &&
      said->serverBits.value_or(kBitsMax) > offered.peerWindowBits) {
    return std::nullopt;
  }
  WebSocketCompression agreed = offered;
  agreed.peerWindowBits = said->serverBits.value_or(kBitsMax);
  agreed.peerContextTakeover = !said->serverNoTakeover;
  agreed.windowBits = std::min(offered.windowBits, said->clientBits.value_or(kBitsMax));
  agreed.contextTakeover = offered.contextTakeover && !said->clientNoTakeover;
  if (agreed.windowBits < kOwnBitsMin) return std::nullopt;
  return agreed;
}

}  // namespace plait::http::detail
