// A pattern of paths, and what is called for those that match.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plait/http_app.h"
#include "request_state.h"

namespace plait::http::detail {

enum class Converter : std::uint8_t { literal, string, integer, real, path, uuid };

struct Segment {
  Converter converter;
  std::string text;  // the literal, or the parameter's name
};

enum class Match : std::uint8_t { no, yes, withSlash };  // withSlash: if the path ended with one

struct Route {
  // Throws: std::invalid_argument.
  static Route parse(std::string_view method, std::string_view pattern, Handler handler);
  static Route mount(std::string_view prefix, Handler handler);

  // Fills in the request's parameters if it matches. `path` begins with '/', not decoded.
  Match match(std::string_view path, RequestState& request) const;
  bool takes(std::string_view requestMethod) const noexcept;

  std::string method;  // empty: a mount
  std::string pattern;
  std::vector<Segment> segments;
  bool isLiteral = true;  // no converter in it
  Handler handler;
};

}  // namespace plait::http::detail
