// How a TLS stream begins, and how it gives up.

#include <mutex>
#include <utility>

#include "plait/timeout.h"
#include "tls_state.h"

namespace plait::net::detail {

using Visit = Occupancy::Visit;

namespace {

constexpr Duration kAlertTimeout = std::chrono::milliseconds(100);  // to tell why we give up

}  // namespace

void TlsState::handshake(std::error_code& error) {
  const Visit visit(inside_);
  if (!mayBegin(error)) return;
  shakeHands(error);
}

bool TlsState::shakeHands(std::error_code& error) {
  if (established_) return true;
  const std::lock_guard turn(handshakeTurn_);
  if (established_) return true;
  if (handshakeError_) {
    error = handshakeError_;
    return false;
  }
  if (!isOpen()) {
    error = closedError();
    return false;
  }
  try {
    withTimeout(options_.handshakeTimeout, [this, &error] { drive(error); });
  } catch (const TimeoutError& timeout) {
    failHandshake(std::make_error_code(std::errc::timed_out), timeout.what());
    error = handshakeError_;
  }
  if (error && !handshakeError_) failHandshake(error, error.message());
  established_ = !error;
  return established_;
}

// A kill in here leaves it where it is: the next who calls goes on.
void TlsState::drive(std::error_code& error) {
  const std::lock_guard turn(writeTurn_);
  for (;;) {
    const Engine::Result result = engine_.handshake();
    if (result == Engine::Result::failed) return giveUp(error);
    sendOrKeep(error);
    if (error || result == Engine::Result::done) return;
    if (result == Engine::Result::ended || !receive(error)) {
      if (!error) error = TlsErrc::truncated;
      return;
    }
  }
}

void TlsState::failHandshake(std::error_code code, std::string reason) {
  handshakeError_ = code;
  handshakeReason_ = std::move(reason);
}

// The engine has failed; its last output is an alert that tells the peer why.
void TlsState::giveUp(std::error_code& error) {
  error = engine_.failedWith();
  if (!established_) failHandshake(error, engine_.failure());
  if (broken_ || engine_.output().empty()) return;
  try {
    std::error_code ignored;
    withTimeout(kAlertTimeout, [this, &ignored] { send(ignored); });
  } catch (const TimeoutError&) {
  }
}

}  // namespace plait::net::detail
