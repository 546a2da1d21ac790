// The first lines of a client's request.
#pragma once

#include <string>
#include <string_view>

#include "plait/http_client.h"

namespace plait::http::detail {

struct RequestLine {
  std::string_view method;
  const Url& url;
  bool isForwarded = false;  // by a proxy, which is told the whole URL
};

// `into` gains those of `more`, instead of its own of the same names. Throws: std::invalid_argument
// for names that are the client's business: Content-Length, Transfer-Encoding.
void mergeFields(Fields& into, const Fields& more);

// Adds what every request has and `fields` lacks. Never switches.
void addUsualFields(Fields& fields, const RequestLine& line, const ClientBody& body,
                    const SessionOptions& options, bool decompress);

std::string toText(const RequestLine& line, const Fields& fields);

// Throws: std::invalid_argument for a method that is no token, or CONNECT.
void checkMethod(std::string_view method);

// All but POST, PATCH and unknown ones: doing it twice is as good as once.
bool isIdempotent(std::string_view method) noexcept;

}  // namespace plait::http::detail
