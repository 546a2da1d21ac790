// Base64 as RFC 4648 writes it, padded.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "plait/stream.h"

namespace plait::http::detail {

std::string toBase64(net::Bytes bytes);
// Nothing for what toBase64() would not have written: other characters, a wrong length or padding,
// bits that are lost.
std::optional<std::string> fromBase64(std::string_view text);

// "Basic dXNlcjpwYXNz", as the fields Authorization and Proxy-Authorization want it.
std::string basicAuthorization(const std::string& user, const std::string& password);

}  // namespace plait::http::detail
