#include "conditional.h"

#include <algorithm>
#include <charconv>

#include "http_date.h"

namespace plait::http::detail {
namespace {

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Whether the list of tags in these fields has this one, or is "*". A tag may have a comma within
// its quotes.
bool hasTag(const Fields& fields, std::string_view name, std::string_view etag, bool weakCounts) {
  for (const Field field : fields) {
    if (!equalsNoCase(field.name, name)) continue;
    std::string_view rest = field.value;
    if (rest == "*") return true;
    while (!rest.empty()) {
      rest = trimmed(rest);
      const bool isWeak = rest.starts_with("W/");
      if (isWeak) rest.remove_prefix(2);
      const std::size_t end = rest.starts_with('"') ? rest.find('"', 1) : std::string_view::npos;
      if (end == std::string_view::npos) break;
      if (rest.substr(0, end + 1) == etag && (weakCounts || !isWeak)) return true;
      rest.remove_prefix(std::min(rest.find(',', end), rest.size()));
      if (rest.starts_with(',')) rest.remove_prefix(1);
    }
  }
  return false;
}

std::optional<std::uint64_t> numberOf(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) return UINT64_MAX;
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

int statusOfConditions(const Fields& request, const Validator& validator) {
  if (request.has("If-Match")) {
    if (!hasTag(request, "If-Match", validator.etag, false)) return 412;
  } else if (const auto text = request.find("If-Unmodified-Since")) {
    const auto since = parseDate(*text);
    if (since && validator.modified > *since) return 412;
  }
  if (request.has("If-None-Match")) {
    return hasTag(request, "If-None-Match", validator.etag, true) ? 304 : 0;
  }
  if (const auto text = request.find("If-Modified-Since")) {
    const auto since = parseDate(*text);
    if (since && validator.modified <= *since) return 304;
  }
  return 0;
}

bool rangeIsMeant(const Fields& request, const Validator& validator) {
  const auto text = request.find("If-Range");
  if (!text) return true;
  if (text->starts_with('"') || text->starts_with("W/")) return *text == validator.etag;
  const auto date = parseDate(*text);
  return date && *date == validator.modified;
}

std::optional<ByteRange> parseRange(std::string_view field, std::uint64_t size) {
  if (field.size() < 6 || !equalsNoCase(field.substr(0, 6), "bytes=")) return std::nullopt;
  const std::string_view range = trimmed(field.substr(6));
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view last = range.substr(dash + 1);
  if (dash == 0) {
    // The last so many.
    const auto count = numberOf(last);
    if (!count) return std::nullopt;
    const std::uint64_t some = std::min(*count, size);
    return ByteRange{size - some, some};
  }
  const auto from = numberOf(range.substr(0, dash));
  const auto to = last.empty() ? std::optional<std::uint64_t>(UINT64_MAX) : numberOf(last);
  if (!from || !to || *to < *from) return std::nullopt;
  if (*from >= size) return ByteRange{0, 0};
  return ByteRange{*from, std::min(*to, size - 1) - *from + 1};
}

}  // namespace plait::http::detail
