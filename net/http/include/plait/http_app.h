// What a server does with a request: routes by method and path, in the manner of Flask and Klein.
//
//   App app;
//   app.route("GET", "/users/<int:id>", [](Request& request) {
//     return "user " + std::to_string(request.intParameter("id"));
//   });
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/http_error.h"
#include "plait/http_request.h"
#include "plait/http_response.h"

namespace plait::http {

namespace detail {
class Connection;
struct Route;
}  // namespace detail

using Handler = std::function<Response(Request&)>;

// A handler that returns what a Response can be made of.
template <class F>
concept ReturnsResponse =
    std::invocable<F&, Request&> && ResponseLike<std::invoke_result_t<F&, Request&>>;
// A handler that writes its response piece by piece.
template <class F>
concept WritesResponse = std::invocable<F&, Request&, BodyWriter&> &&
                         std::is_void_v<std::invoke_result_t<F&, Request&, BodyWriter&>>;

// Handlers run on the connection's fiber and may block. Many run at once, so what they capture is
// shared by all requests; the copies of an App share its routes. An App does not change any more
// once a server has it.
class App final {
 public:
  // What stands inside of a wrapper: the wrappers after it, and at last the route's handler.
  class Next final {
   public:
    Next(const App& app, std::size_t wrapper) noexcept : app_(app), wrapper_(wrapper) {}
    Response operator()(Request& request) const { return app_.callWrapped(request, wrapper_); }

   private:
    const App& app_;
    std::size_t wrapper_;
  };
  using Wrapper = std::function<Response(Request&, const Next&)>;
  using ErrorHandler = std::function<Response(Request&, const HttpError&)>;

  // Adds a handler for a method ("GET" answers HEAD, too) and a pattern. In a pattern <name> or
  // <converter:name> stands for a whole segment, decoded after the path was split:
  //
  //   string (if none is said)  anything but nothing     int    "-7", within 64 bits
  //   path   the rest, with its '/'; only at the end     float  "1.5", "-2"
  //   uuid   32 hexadecimal digits as 8-4-4-4-12
  //
  // Of several patterns that match the first that was added counts. "/a/" is not "/a": a request
  // for "/a" where only "/a/" is known is redirected (308). A path that is known for other methods
  // gives 405 with Allow, and its OPTIONS are answered. Throws: std::invalid_argument for a pattern
  // that cannot be read.
  template <ReturnsResponse F>
  void route(std::string_view method, std::string_view pattern, F handler) {
    addRoute(method, pattern, asHandler(std::move(handler)));
  }
  template <WritesResponse F>
  void route(std::string_view method, std::string_view pattern, F handler) {
    addRoute(method, pattern, asHandler(std::move(handler)));
  }

  // Everything at and below a prefix, of any method, that no route before it takes; what is left of
  // the path is Request::rest(). An App is a handler, too. Throws: std::invalid_argument for a
  // prefix without a '/' in front.
  template <ReturnsResponse F>
  void mount(std::string_view prefix, F handler) {
    addMount(prefix, asHandler(std::move(handler)));
  }

  // Wraps all handlers of this App, the first one outermost: it may answer itself, or call `next`
  // and change the response. Answers to unknown paths and errors pass it as exceptions.
  void use(Wrapper wrapper);

  // Makes the answer to an HttpError that a handler threw, to unknown paths (404) and methods
  // (405), and to any other exception, which is reported first and is 500 here. Without it the
  // answer is the reason in plain text.
  void onError(ErrorHandler handler);

  // Finds and calls the handler. May switch. Throws: HttpError 404, 405; what the handler throws.
  Response operator()(Request& request) const;
  // The same, with all errors as responses. May switch. Throws: what cancels the fiber;
  // ConnectionClosed if the client has gone.
  Response respond(Request& request) const;

  App();
  App(const App&);
  App(App&&) noexcept;
  App& operator=(const App&);
  App& operator=(App&&) noexcept;
  ~App();

 private:
  friend class detail::Connection;

  // Copies of a Handler share the function, which need not be one that can be copied.
  template <ReturnsResponse F>
  static Handler asHandler(F handler) {
    return [shared = std::make_shared<F>(std::move(handler))](Request& request) {
      using T = std::remove_cvref_t<std::invoke_result_t<F&, Request&>>;
      return ResponseFrom<T>::make(std::invoke(*shared, request));
    };
  }
  template <WritesResponse F>
  static Handler asHandler(F handler) {
    return [shared = std::make_shared<F>(std::move(handler))](Request& request) {
      return Response::streamWithHead([shared, &request](BodyWriter& writer) {
        std::invoke(*shared, request, writer);  // the request outlives its response
      });
    };
  }
  void addRoute(std::string_view method, std::string_view pattern, Handler handler);
  void addMount(std::string_view prefix, Handler handler);
  Response callWrapped(Request& request, std::size_t wrapper) const;
  Response dispatch(Request& request) const;
  // Of the exception that is being handled.
  Response errorResponse(Request& request) const;
  Response errorResponse(Request& request, const HttpError& error) const;

  std::vector<std::shared_ptr<const detail::Route>> routes_;  // shared with copies
  std::vector<Wrapper> wrappers_;
  ErrorHandler errorHandler_;
};

}  // namespace plait::http
