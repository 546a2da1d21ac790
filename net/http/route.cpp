#include "route.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace plait::http::detail {
namespace {

[[noreturn]] void refuse(std::string_view pattern, const char* why) {
  throw std::invalid_argument("the pattern '" + std::string(pattern) + "': " + why);
}

Converter converterOf(std::string_view name, std::string_view pattern) {
  if (name == "string") return Converter::string;
  if (name == "int") return Converter::integer;
  if (name == "float") return Converter::real;
  if (name == "path") return Converter::path;
  if (name == "uuid") return Converter::uuid;
  refuse(pattern, "converters are string, int, float, path and uuid");
}

Segment segmentOf(std::string_view text, std::string_view pattern) {
  if (text.find_first_of("<>") == std::string_view::npos) {
    return {Converter::literal, std::string(text)};
  }
  if (text.size() < 3 || text.front() != '<' || text.back() != '>' ||
      text.find_first_of("<>", 1) != text.size() - 1) {
    refuse(pattern, "<name> stands for a whole segment");
  }
  text = text.substr(1, text.size() - 2);
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return {Converter::string, std::string(text)};
  if (colon + 1 == text.size()) refuse(pattern, "a parameter without a name");
  return {converterOf(text.substr(0, colon), pattern), std::string(text.substr(colon + 1))};
}

template <class T>
bool isNumber(std::string_view text) noexcept {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  return !std::is_floating_point_v<T> || std::isfinite(static_cast<double>(number));
}

bool isUuid(std::string_view text) noexcept {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool isDash = i == 8 || i == 13 || i == 18 || i == 23;
    if (isDash
            ? text[i] != '-'
            : std::string_view("0123456789abcdefABCDEF").find(text[i]) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

bool converts(Converter converter, std::string_view text) noexcept {
  switch (converter) {
    case Converter::integer:
      return isNumber<std::int64_t>(text);
    case Converter::real:
      return isNumber<double>(text);
    case Converter::uuid:
      return isUuid(text);
    default:
      return !text.empty();
  }
}

// Whether this piece of the path is what the segment wants; a parameter is kept. A '%' that cannot
// be decoded was refused before.
bool matchOne(const Segment& segment, std::string_view piece, RequestState& request) {
  if (piece.find('%') == std::string_view::npos) {
    if (segment.converter == Converter::literal) return segment.text == piece;
    if (!converts(segment.converter, piece)) return false;
    auto& parameter = request.addParameter();
    parameter.name = segment.text;
    parameter.value = piece;
    return true;
  }
  auto decoded = percentDecode(piece);
  if (!decoded) return false;
  if (segment.converter == Converter::literal) return segment.text == *decoded;
  if (!converts(segment.converter, *decoded)) return false;
  auto& parameter = request.addParameter();
  parameter.name = segment.text;
  parameter.value = std::move(*decoded);
  return true;
}

}  // namespace

Route Route::parse(std::string_view method, std::string_view pattern, Handler handler) {
  if (!pattern.starts_with('/')) refuse(pattern, "a pattern begins with '/'");
  if (method.empty()) refuse(pattern, "a route has a method");
  Route route{std::string(method), std::string(pattern), {}, true, std::move(handler)};
  for (std::string_view rest = pattern.substr(1);;) {
    const std::size_t slash = rest.find('/');
    route.segments.push_back(segmentOf(rest.substr(0, slash), pattern));
    const Segment& last = route.segments.back();
    if (last.converter != Converter::literal) route.isLiteral = false;
    for (std::size_t i = 0; i + 1 < route.segments.size(); ++i) {
      if (last.converter != Converter::literal &&
          route.segments[i].converter != Converter::literal &&
          route.segments[i].text == last.text) {
        refuse(pattern, "two parameters of one name");
      }
    }
    if (slash == std::string_view::npos) break;
    if (last.converter == Converter::path) refuse(pattern, "a path is the rest, so it comes last");
    rest.remove_prefix(slash + 1);
  }
  return route;
}

Route Route::mount(std::string_view prefix, Handler handler) {
  if (!prefix.starts_with('/')) refuse(prefix, "a mount begins with '/'");
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  return {"", std::string(prefix), {}, true, std::move(handler)};
}

bool Route::takes(std::string_view requestMethod) const noexcept {
  return method.empty() || method == requestMethod || (requestMethod == "HEAD" && method == "GET");
}

Match Route::match(std::string_view path, RequestState& request) const {
  if (method.empty()) {
    const bool below =
        path.starts_with(pattern) && (path.size() == pattern.size() || path[pattern.size()] == '/');
    return below ? Match::yes : Match::no;
  }
  request.clearParameters();
  if (isLiteral && path == pattern) return Match::yes;
  std::string_view rest = path.substr(1);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const Segment& segment = segments[i];
    if (segment.converter == Converter::path) {
      return matchOne(segment, rest, request) ? Match::yes : Match::no;
    }
    const std::size_t slash = rest.find('/');
    if (!matchOne(segment, rest.substr(0, slash), request)) return Match::no;
    const bool isLast = i + 1 == segments.size();
    if (slash == std::string_view::npos) {
      if (isLast) return Match::yes;
      // Only the empty segment behind a slash is wanting.
      const Segment& next = segments[i + 1];
      const bool wantsSlash =
          i + 2 == segments.size() && next.converter == Converter::literal && next.text.empty();
      return wantsSlash ? Match::withSlash : Match::no;
    }
    if (isLast) return Match::no;
    rest.remove_prefix(slash + 1);
  }
  return Match::no;
}

}  // namespace plait::http::detail
