#include <algorithm>
#include <utility>

#include "plait/cancellation.h"
#include "plait/http_app.h"
#include "plait/report.h"
#include "route.h"

namespace plait::http {

App::App() = default;
App::App(const App&) = default;
App::App(App&&) noexcept = default;
App& App::operator=(const App&) = default;
App& App::operator=(App&&) noexcept = default;
App::~App() = default;

void App::addRoute(std::string_view method, std::string_view pattern, Handler handler) {
  routes_.push_back(std::make_shared<const detail::Route>(
      detail::Route::parse(method, pattern, std::move(handler))));
}

void App::addMount(std::string_view prefix, Handler handler) {
  routes_.push_back(
      std::make_shared<const detail::Route>(detail::Route::mount(prefix, std::move(handler))));
}

void App::use(Wrapper wrapper) { wrappers_.push_back(std::move(wrapper)); }
void App::onError(ErrorHandler handler) { errorHandler_ = std::move(handler); }

Response App::operator()(Request& request) const { return callWrapped(request, 0); }

Response App::callWrapped(Request& request, std::size_t wrapper) const {
  if (wrapper == wrappers_.size()) return dispatch(request);
  return wrappers_[wrapper](request, Next(*this, wrapper + 1));
}

Response App::respond(Request& request) const {
  try {
    return (*this)(request);
  } catch (const Cancellation&) {
    throw;
  } catch (...) {
    return errorResponse(request);
  }
}

Response App::errorResponse(Request& request) const {
  try {
    throw;
  } catch (const HttpError& error) {
    return errorResponse(request, error);
  } catch (...) {
    // What the end of the client's connection made the handler throw is nobody's fault.
    if (request.state().body.isBroken()) throw;
    reportError(
        "the handler of " + std::string(request.method()) + " " + std::string(request.target()),
        std::current_exception());
  }
  return errorResponse(request, HttpError(500, "Internal Server Error"));
}

Response App::errorResponse(Request& request, const HttpError& error) const {
  const std::string& allowed = request.state().allowed;
  if (errorHandler_) {
    try {
      Response response = errorHandler_(request, error);
      if (error.status() == 405 && !allowed.empty()) response.with("Allow", allowed);
      return response;
    } catch (const Cancellation&) {
      throw;
    } catch (...) {
      reportError("the error handler of " + std::string(request.target()),
                  std::current_exception());
    }
  }
  const bool isAnswer = error.status() >= 400 && error.status() <= 599;
  const int status = isAnswer ? error.status() : 500;
  Response response = Response::text(std::string(reasonOf(status)) + "\n", status);
  if (status == 405 && !allowed.empty()) response.with("Allow", allowed);
  return response;
}

namespace {

// The methods of this path's routes, for Allow.
void addMethod(std::string& allowed, std::string_view method) {
  const std::string padded = ", " + allowed + ",";
  if (padded.find(", " + std::string(method) + ",") != std::string::npos) return;
  if (!allowed.empty()) allowed += ", ";
  allowed += method;
  if (method == "GET") addMethod(allowed, "HEAD");
}

// Not "//host/": that would lead elsewhere.
Response redirectToSlash(const detail::RequestState& request) {
  std::string_view path = request.rawPath;
  while (path.starts_with("//")) path.remove_prefix(1);
  std::string location = std::string(path) + "/";
  if (!request.query.empty()) location.append("?").append(request.query);
  return Response::redirect(location, 308);
}

}  // namespace

Response App::dispatch(Request& request) const {
  detail::RequestState& state = request.state();
  const std::string_view path = state.rest.empty() ? "/" : state.rest;
  std::string allowed;
  bool wantsSlash = false;
  for (const auto& route : routes_) {
    if (!path.starts_with('/')) break;  // OPTIONS *, CONNECT
    const detail::Match match = route->match(path, state);
    if (match == detail::Match::no) continue;
    if (!route->takes(request.method())) {
      addMethod(allowed, route->method);
      continue;
    }
    if (match == detail::Match::withSlash) {
      wantsSlash = true;
      continue;
    }
    if (!route->method.empty()) return route->handler(request);
    state.rest = path.substr(route->pattern.size());
    return route->handler(request);
  }
  if (wantsSlash) return redirectToSlash(state);
  if (request.method() == "OPTIONS" && (path == "*" || !allowed.empty())) {
    addMethod(allowed, "OPTIONS");
    return Response(204).with("Allow", allowed);
  }
  if (allowed.empty()) throw HttpError(404, "no route for " + std::string(request.path()));
  addMethod(allowed, "OPTIONS");
  state.allowed = std::move(allowed);
  throw HttpError(405,
                  std::string(request.method()) + " is not for " + std::string(request.path()));
}

}  // namespace plait::http
