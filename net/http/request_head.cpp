#include "request_head.h"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace plait::http::detail {
namespace {

bool isTokenCharacter(char c) noexcept {
  return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

void addIfMissing(Fields& fields, std::string_view name, std::string_view value) {
  if (!fields.has(name)) fields.add(name, value);
}

// Whether a server expects to be told that there is no body.
bool usuallyHasBody(std::string_view method) noexcept {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

}  // namespace

void mergeFields(Fields& into, const Fields& more) {
  for (const Field each : more) {
    if (equalsNoCase(each.name, "Content-Length") || equalsNoCase(each.name, "Transfer-Encoding")) {
      throw std::invalid_argument("the field " + std::string(each.name) +
                                  " follows from the body: give the request a body instead");
    }
    into.remove(each.name);
  }
  for (const Field each : more) into.add(each.name, each.value);
}

void addUsualFields(Fields& fields, const RequestLine& line, const ClientBody& body,
                    const SessionOptions& options, bool decompress) {
  addIfMissing(fields, "Host", line.url.authority());
  if (!options.userAgent.empty()) addIfMissing(fields, "User-Agent", options.userAgent);
  addIfMissing(fields, "Accept", "*/*");
  if (decompress) addIfMissing(fields, "Accept-Encoding", "gzip, deflate");
  if (!body.contentType().empty()) addIfMissing(fields, "Content-Type", body.contentType());
  if (body.isChunked()) {
    fields.set("Transfer-Encoding", "chunked");
  } else if (!body.isNone() || usuallyHasBody(line.method)) {
    fields.set("Content-Length", std::to_string(body.length()));
  }
}

std::string toText(const RequestLine& line, const Fields& fields) {
  std::string text(line.method);
  text += " ";
  if (line.isForwarded) text += line.url.origin();
  text += line.url.target() + " HTTP/1.1\r\n";
  // First, so that whoever looks at the beginning of a request sees whom it is for.
  if (const auto host = fields.find("Host")) text.append("Host: ").append(*host).append("\r\n");
  for (const Field each : fields) {
    if (equalsNoCase(each.name, "Host")) continue;
    text.append(each.name).append(": ").append(each.value).append("\r\n");
  }
  return text + "\r\n";
}

void checkMethod(std::string_view method) {
  if (method.empty() || !std::all_of(method.begin(), method.end(), isTokenCharacter)) {
    throw std::invalid_argument("a method is a token, as GET; this is none: '" +
                                std::string(method) + "'");
  }
  if (method == "CONNECT") {
    throw std::invalid_argument(
        "CONNECT makes a tunnel and no answer: name the proxy in the "
        "session's options, which does it for https");
  }
}

bool isIdempotent(std::string_view method) noexcept {
  constexpr std::array<std::string_view, 6> kMethods = {"GET",     "HEAD",  "PUT",
                                                        "OPTIONS", "TRACE", "DELETE"};
  return std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
}

}  // namespace plait::http::detail
