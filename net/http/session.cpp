#include <utility>

#include "call.h"
#include "plait/http_client.h"

namespace plait::http {

Session::Session(SessionOptions options)
    : state_(std::make_shared<detail::SessionState>(std::move(options))) {}

Session::~Session() { state_->pool.stopKeeping(); }

ClientResponse Session::request(std::string_view method, std::string_view url,
                                RequestOptions options) {
  detail::Call call(state_, method, url, std::move(options));
  return ClientResponse(call.run());
}

ClientResponse Session::get(std::string_view url, RequestOptions options) {
  return request("GET", url, std::move(options));
}

ClientResponse Session::head(std::string_view url, RequestOptions options) {
  return request("HEAD", url, std::move(options));
}

ClientResponse Session::del(std::string_view url, RequestOptions options) {
  return request("DELETE", url, std::move(options));
}

ClientResponse Session::post(std::string_view url, ClientBody body, RequestOptions options) {
  options.body = std::move(body);
  return request("POST", url, std::move(options));
}

ClientResponse Session::put(std::string_view url, ClientBody body, RequestOptions options) {
  options.body = std::move(body);
  return request("PUT", url, std::move(options));
}

ClientResponse Session::patch(std::string_view url, ClientBody body, RequestOptions options) {
  options.body = std::move(body);
  return request("PATCH", url, std::move(options));
}

void Session::close() { state_->close(); }

CookieJar& Session::cookies() noexcept { return state_->jar; }

SessionStatistics Session::statistics() const noexcept {
  return {state_->pool.idle(), state_->pool.inUse(), state_->connected, state_->requests,
          state_->retries};
}

ClientResponse request(std::string_view method, std::string_view url, RequestOptions options) {
  return Session().request(method, url, std::move(options));
}

ClientResponse get(std::string_view url, RequestOptions options) {
  return request("GET", url, std::move(options));
}

ClientResponse head(std::string_view url, RequestOptions options) {
  return request("HEAD", url, std::move(options));
}

ClientResponse del(std::string_view url, RequestOptions options) {
  return request("DELETE", url, std::move(options));
}

ClientResponse post(std::string_view url, ClientBody body, RequestOptions options) {
  return Session().post(url, std::move(body), std::move(options));
}

ClientResponse put(std::string_view url, ClientBody body, RequestOptions options) {
  return Session().put(url, std::move(body), std::move(options));
}

ClientResponse patch(std::string_view url, ClientBody body, RequestOptions options) {
  return Session().patch(url, std::move(body), std::move(options));
}

}  // namespace plait::http
