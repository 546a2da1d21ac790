// What the tests of HTTP share.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "fiber_test.h"
#include "message_reader.h"
#include "plait/http_error.h"
#include "plait/memory_stream.h"

namespace plait::test {

using namespace std::chrono_literals;

inline std::string readBody(http::detail::MessageReader& reader, std::size_t piece = 1'000) {
  std::string body;
  std::string part(piece, '\0');
  while (const std::size_t count =
             reader.readBody(std::as_writable_bytes(std::span(part.data(), part.size())))) {
    body.append(part, 0, count);
  }
  return body;
}

// Head, body and trailer as one text.
inline std::string inWords(const http::detail::Head& head, const std::string& body,
                           const http::Fields& trailers) {
  std::string text = head.method + " " + head.target + " " + std::to_string(head.status) + " " +
                     head.reason + " " + std::to_string(head.version) + "\n";
  for (const http::Field each : head.fields) {
    text.append(each.name).append("=").append(each.value).append("\n");
  }
  text += body + "\n";
  for (const http::Field each : trailers) {
    text.append(each.name).append("=").append(each.value).append("\n");
  }
  return text;
}

}  // namespace plait::test
