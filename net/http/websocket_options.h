// What the options of a WebSocket have to be.
#pragma once

#include "plait/websocket.h"

namespace plait::http::detail {

// Throws: std::invalid_argument for what makes no sense.
void requireSense(const WebSocketOptions& options);

}  // namespace plait::http::detail
