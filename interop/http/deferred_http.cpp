#include "plait/deferred_http.h"

#include "plait/wait_for_greenlet.h"

namespace plait::http::deferred {

Deferred<ClientResponse> request(std::string_view method, std::string_view url,
                                 RequestOptions options) {
  return deferToGreenlet([method = std::string(method), url = std::string(url),
                          options = std::move(options)]() mutable {
    return http::request(method, url, std::move(options));
  });
}

Deferred<ClientResponse> request(Session& session, std::string_view method, std::string_view url,
                                 RequestOptions options) {
  return deferToGreenlet([&session, method = std::string(method), url = std::string(url),
                          options = std::move(options)]() mutable {
    return session.request(method, url, std::move(options));
  });
}

namespace {

RequestOptions with(ClientBody body, RequestOptions options) {
  options.body = std::move(body);
  return options;
}

}  // namespace

Deferred<ClientResponse> get(std::string_view url, RequestOptions options) {
  return deferred::request("GET", url, std::move(options));
}
Deferred<ClientResponse> head(std::string_view url, RequestOptions options) {
  return deferred::request("HEAD", url, std::move(options));
}
Deferred<ClientResponse> del(std::string_view url, RequestOptions options) {
  return deferred::request("DELETE", url, std::move(options));
}
Deferred<ClientResponse> post(std::string_view url, ClientBody body, RequestOptions options) {
  return deferred::request("POST", url, with(std::move(body), std::move(options)));
}
Deferred<ClientResponse> put(std::string_view url, ClientBody body, RequestOptions options) {
  return deferred::request("PUT", url, with(std::move(body), std::move(options)));
}
Deferred<ClientResponse> patch(std::string_view url, ClientBody body, RequestOptions options) {
  return deferred::request("PATCH", url, with(std::move(body), std::move(options)));
}

Deferred<ClientResponse> get(Session& session, std::string_view url, RequestOptions options) {
  return deferred::request(session, "GET", url, std::move(options));
}
Deferred<ClientResponse> head(Session& session, std::string_view url, RequestOptions options) {
  return deferred::request(session, "HEAD", url, std::move(options));
}
Deferred<ClientResponse> del(Session& session, std::string_view url, RequestOptions options) {
  return deferred::request(session, "DELETE", url, std::move(options));
}
Deferred<ClientResponse> post(Session& session, std::string_view url, ClientBody body,
                              RequestOptions options) {
  return deferred::request(session, "POST", url, with(std::move(body), std::move(options)));
}
Deferred<ClientResponse> put(Session& session, std::string_view url, ClientBody body,
                             RequestOptions options) {
  return deferred::request(session, "PUT", url, with(std::move(body), std::move(options)));
}
Deferred<ClientResponse> patch(Session& session, std::string_view url, ClientBody body,
                               RequestOptions options) {
  return deferred::request(session, "PATCH", url, with(std::move(body), std::move(options)));
}

Deferred<std::string> body(ClientResponse response) {
  return deferToGreenlet(
      [response = std::move(response)]() mutable { return std::move(response).body(); });
}

Deferred<std::string> getPage(std::string_view url, RequestOptions options) {
  return deferToGreenlet([url = std::string(url), options = std::move(options)]() mutable {
    ClientResponse response = http::get(url, std::move(options));
    response.raiseForStatus();
    return std::move(response).body();
  });
}

}  // namespace plait::http::deferred
