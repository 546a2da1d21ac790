// Conditional requests and ranges, RFC 9110, 13 and 14.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "plait/http_fields.h"

namespace plait::http::detail {

// What tells one state of a resource from another.
struct Validator {
  std::string etag;  // in quotes
  std::chrono::sys_seconds modified;
};

// 304 or 412 if that is the answer, else 0. For GET and HEAD.
int statusOfConditions(const Fields& request, const Validator& validator);
// Whether a Range is meant for the resource as it is (If-Range).
bool rangeIsMeant(const Fields& request, const Validator& validator);

struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;  // 0: it cannot be satisfied
};

// Nothing for what is no single range of bytes: the answer is whole then.
std::optional<ByteRange> parseRange(std::string_view field, std::uint64_t size);

}  // namespace plait::http::detail
