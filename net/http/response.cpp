#include <utility>

#include "base64.h"
#include "plait/detail/digest.h"
#include "plait/http_response.h"

namespace plait::http {

Response::Response(int status) : status_(status) {}

Response::Response(int status, std::string body, std::string_view type)
    : status_(status), type_(type), body_(std::move(body)) {}

Response Response::text(std::string body, int status) {
  return {status, std::move(body), "text/plain; charset=utf-8"};
}

Response Response::html(std::string body, int status) {
  return {status, std::move(body), "text/html; charset=utf-8"};
}

Response Response::json(std::string body, int status) {
  return {status, std::move(body), "application/json"};
}

Response Response::redirect(std::string_view location, int status) {
  return Response(status).with("Location", location);
}

Response Response::file(std::string path, int status) {
  os::File file = os::File::open(path);
  const std::uint64_t size = file.size();
  return Response::file(std::move(file), 0, size, path, status);
}

Response Response::file(os::File file, std::uint64_t offset, std::uint64_t count,
                        std::string_view name, int status) {
  Response response(status);
  response.type_ = mediaTypeOf(name);
  response.body_ = FileBody{std::move(file), offset, count};
  return response;
}

Response Response::stream(Writer write, std::string_view type, int status) {
  Response response(status);
  response.type_ = type;
  response.body_ = StreamBody{std::move(write)};
  return response;
}

Response Response::streamWithHead(Writer write) {
  Response response;
  response.body_ = StreamBody{std::move(write), true};
  return response;
}

Response Response::upgrade(Fields fields, Upgraded talk) {
  Response response(101);
  response.fields_ = std::move(fields);
  response.body_ = UpgradeBody{std::move(talk)};
  return response;
}

Response& Response::with(std::string_view name, std::string_view value) & {
  fields_.set(name, value);
  return *this;
}

Response&& Response::with(std::string_view name, std::string_view value) && {
  fields_.set(name, value);
  return std::move(*this);
}

// FNV-1a, and the length: a validator, no protection against somebody who wants two contents to
// have one.
std::string etagOf(std::string_view content) {
  // Half of it is more than enough to tell what is the same, also against those who choose it.
  constexpr std::size_t kEtagBytes = 16;
  const auto digest = net::detail::sha256(net::asBytes(content));
  return "\"" + detail::toBase64(net::Bytes(digest).first(kEtagBytes)) + "\"";
}

}  // namespace plait::http
