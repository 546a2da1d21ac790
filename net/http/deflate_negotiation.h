// How client and server agree on permessage-deflate (RFC 7692, 7.1).
#pragma once

#include <optional>
#include <string>

#include "extension_list.h"
#include "plait/websocket.h"

namespace plait::http::detail {

// What a client that wants `wanted` offers.
std::string deflateOffer(const WebSocketCompression& wanted);

struct DeflateAgreement {
  WebSocketCompression compression;  // the server's
  std::string answer;
};
// Of a server: the first offer that it can keep to; nothing if there is none.
std::optional<DeflateAgreement> agreeOnDeflate(const std::vector<Extension>& offers,
                                               const WebSocketCompression& wanted);

// Of a client: what it has to keep to; nothing if it cannot, or must not, accept this answer to its
// offer.
std::optional<WebSocketCompression> deflateAnswered(const Extension& answer,
                                                    const WebSocketCompression& offered);

}  // namespace plait::http::detail
