// What a head is refused for although Beast's grammar lets it pass: pure questions about texts.
#pragma once

#include <string_view>

namespace plait::http::detail {

bool isAllDigits(std::string_view text) noexcept;  // at least one

// "HTTP/3.7" at the end of the first line: a version that somebody may speak, but not we.
bool namesOtherVersion(std::string_view head) noexcept;

// Of a Host field or an authority: what is in none of them is in nobody's interest to let pass.
bool isHost(std::string_view text) noexcept;

// Whether the target has the form that the method asks for: "/path", "http://host/path", "*" for
// OPTIONS, "host:port" for CONNECT.
bool isTarget(std::string_view method, std::string_view target) noexcept;

// The value of Transfer-Encoding: 0 if it is the one that we take, else the status.
int refusedEncoding(std::string_view value) noexcept;

}  // namespace plait::http::detail
