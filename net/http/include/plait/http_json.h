// JSON for the client, by Boost.JSON: an option of the build (-Djson=enabled) and a library of its
// own, libplait_http_json, so that libplait does not need Boost.JSON. Who calls these includes
// <boost/json.hpp> and links with it.
#pragma once

#include <cstddef>

#include "plait/http_client.h"

namespace boost::json {
class value;
}

namespace plait::http {

inline constexpr std::size_t kJsonDepthMax = 32;  // of arrays and objects in each other

// The body, whatever its Content-Type. May switch. Throws: HttpError (502) for what is no JSON or
// too deep, saying where; as ClientResponse::body().
boost::json::value json(ClientResponse& response);
boost::json::value json(ClientResponse&& response);

// As application/json.
ClientBody jsonBody(const boost::json::value& value);

}  // namespace plait::http
