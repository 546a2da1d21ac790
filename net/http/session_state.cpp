#include "session_state.h"

#include <cerrno>
#include <utility>

#include "plait/cancel_shield.h"
#include "plait/error.h"

namespace plait::http::detail {
namespace {

ConnectionClosed closedError() {
  return ConnectionClosed(ECANCELED, "using an HTTP session that was closed");
}

std::optional<Url> parseBase(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return Url::parse(text);
}

}  // namespace

Visit::Visit(SessionState& session)
    : inside_(session.inside_), fiber_(plait::detail::Fiber::current("an HTTP request")) {
  session.requireOpen();
  blow_.beginScope(fiber_);
  session.visits_.append(*this);
}

Visit::~Visit() {
  unlink();
  blow_.unlink();
}

void Visit::strike(std::exception_ptr error) noexcept {
  if (error_) return;
  error_ = std::move(error);
  fiber_.strike(blow_);
}

void Visit::Blow::raise(plait::detail::Strike& strike) {
  std::rethrow_exception(static_cast<Blow&>(strike).visit.error_);
}

SessionState::SessionState(SessionOptions sessionOptions)
    : options(std::move(sessionOptions)),
      base(parseBase(options.baseUrl)),
      proxies(options.proxyFromEnvironment ? ProxyRules::fromEnvironment()
                                           : ProxyRules(options.proxy, options.noProxy)),
      pool({options.connectionsPerHost, options.connectionsMax, options.keepIdleFor}) {}

void SessionState::requireOpen() const {
  if (closed_) throw closedError();
}

void SessionState::close() {
  const CancelShield shield;
  if (!closed_) {
    closed_ = true;
    while (Visit* visit = visits_.pop()) visit->strike(std::make_exception_ptr(closedError()));
    pool.stopKeeping();
  }
  while (!inside_.isEmpty()) inside_.waitUntilEmpty();
  // Nobody is inside a call now, so nobody is inside a stream.
  pool.dropLeased();
}

}  // namespace plait::http::detail
