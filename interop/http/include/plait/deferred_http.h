// HTTP for code that lives on Deferreds. Each call of <plait/http_client.h>, done by a greenlet of
// its own; and handlers for <plait/http_server.h> that answer by and by.
//
//   http::deferred::get("https://example.org/").addCallback(
//       [](http::ClientResponse response) { return http::deferred::body(std::move(response)); });
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "plait/deferred.h"
#include "plait/http_app.h"
#include "plait/http_client.h"
#include "plait/wait_for_deferred.h"

namespace plait::http::deferred {

// They fire with the answer when its head is here. cancel() kills the greenlet, which closes the
// connection; the Deferred has failed with GreenletKilled when that is done. A session has to live
// until then. Never switch. Fail: as Session::request. Throw: std::logic_error off a loop.
Deferred<ClientResponse> request(std::string_view method, std::string_view url,
                                 RequestOptions options = RequestOptions());
Deferred<ClientResponse> get(std::string_view url, RequestOptions options = RequestOptions());
Deferred<ClientResponse> head(std::string_view url, RequestOptions options = RequestOptions());
Deferred<ClientResponse> del(std::string_view url, RequestOptions options = RequestOptions());
Deferred<ClientResponse> post(std::string_view url, ClientBody body,
                              RequestOptions options = RequestOptions());
Deferred<ClientResponse> put(std::string_view url, ClientBody body,
                             RequestOptions options = RequestOptions());
Deferred<ClientResponse> patch(std::string_view url, ClientBody body,
                               RequestOptions options = RequestOptions());

Deferred<ClientResponse> request(Session& session, std::string_view method, std::string_view url,
                                 RequestOptions options = RequestOptions());
Deferred<ClientResponse> get(Session& session, std::string_view url,
                             RequestOptions options = RequestOptions());
Deferred<ClientResponse> head(Session& session, std::string_view url,
                              RequestOptions options = RequestOptions());
Deferred<ClientResponse> del(Session& session, std::string_view url,
                             RequestOptions options = RequestOptions());
Deferred<ClientResponse> post(Session& session, std::string_view url, ClientBody body,
                              RequestOptions options = RequestOptions());
Deferred<ClientResponse> put(Session& session, std::string_view url, ClientBody body,
                             RequestOptions options = RequestOptions());
Deferred<ClientResponse> patch(Session& session, std::string_view url, ClientBody body,
                               RequestOptions options = RequestOptions());

// The whole body. Never switches. Fails: as ClientResponse::body.
Deferred<std::string> body(ClientResponse response);
// get(), an error for a status of 400 or above, and the body. Never switches.
Deferred<std::string> getPage(std::string_view url, RequestOptions options = RequestOptions());

}  // namespace plait::http::deferred

namespace plait::http {

// A handler for App::route and App::mount out of one that returns a Deferred of a Response, or of
// what one can be made of. The connection's fiber waits for it; when the client goes away or the
// server stops, the kill cancels the Deferred and waits for its end, so that it may use the
// Request. What it fails with is what the handler throws.
template <class F>
auto deferredHandler(F handler) {
  return [handler = std::move(handler)](Request& request) mutable {
    return waitForDeferred(std::invoke(handler, request));
  };
}

}  // namespace plait::http
