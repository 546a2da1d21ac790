// The list of a Sec-WebSocket-Extensions field: names with parameters.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plait/http_fields.h"

namespace plait::http::detail {

struct ExtensionParameter {
  std::string_view name;
  std::optional<std::string_view> value;  // without its quotes
};

struct Extension {
  std::string_view name;
  std::vector<ExtensionParameter> parameters;
};

// Of all fields of that name; views into them. Nothing if they cannot be read. A quoted value is
// taken only if it is a token, as the RFC asks.
std::optional<std::vector<Extension>> parseExtensions(const Fields& fields);

// The tokens of "a, b"; empty ones are left out.
std::vector<std::string_view> tokensOf(const Fields& fields, std::string_view name);

}  // namespace plait::http::detail
