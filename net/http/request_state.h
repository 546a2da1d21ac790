// What is behind a Request: filled in by the connection, reused from request to request.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "message_reader.h"
#include "plait/address.h"
#include "plait/http_request.h"

namespace plait::http::detail {

// Where a request's body comes from: its connection.
class BodySource {
 public:
  virtual std::size_t readBody(net::MutableBytes into) = 0;
  virtual const MessageReader& message() const noexcept = 0;
  virtual net::Address peer() const = 0;
  virtual std::string takeBuffered() = 0;  // what has come behind the request
  // Whether the client has gone, or what it sends is of no use any more.
  virtual bool isBroken() const noexcept = 0;

 protected:
  BodySource() = default;
  BodySource(const BodySource&) = default;
  BodySource& operator=(const BodySource&) = default;
  ~BodySource() = default;
};

struct RequestState {
  struct Parameter {
    std::string_view name;  // of the route
    std::string value;
  };

  RequestState(BodySource& source, const Limits& l, bool secure)
      : body(source), limits(l), isSecure(secure) {}

  // After `head` was read. Throws: HttpError for a target that cannot be decoded.
  void begin();
  Parameter& addParameter();
  void clearParameters() noexcept { parameterCount = 0; }

  BodySource& body;
  const Limits& limits;
  const bool isSecure;
  Head head;
  std::string_view rawPath;
  std::string_view query;
  std::string_view host;
  std::string_view rest;
  std::string_view path;              // rawPath, or decodedPath
  std::string decodedPath;            // only of a path with a '%'
  std::vector<Parameter> parameters;  // the first parameterCount are this request's
  std::size_t parameterCount = 0;
  std::optional<Parameters> queryParameters;
  std::string allowed;  // what a 405 has to name
};

}  // namespace plait::http::detail
