// How a TLS stream ends: our half of it, or all.

#include <array>
#include <mutex>
#include <utility>

#include "plait/cancel_shield.h"
#include "plait/timeout.h"
#include "tls_state.h"

namespace plait::net::detail {

using Visit = Occupancy::Visit;

void TlsState::shutdownWrite(std::error_code& error) {
  const Visit visit(inside_);
  if (!mayBegin(error)) return;
  if (!shakeHands(error)) return;
  const std::lock_guard turn(writeTurn_);
  if (!isOpen()) {
    error = closedError();
    return;
  }
  if (broken_) {
    error = std::make_error_code(std::errc::broken_pipe);
    return;
  }
  finishMessage(error);
  if (error) return;
  if (!std::exchange(writeEnded_, true) && engine_.closeNotify() == Engine::Result::failed) {
    return giveUp(error);
  }
  sendOrKeep(error);
}

// A writer in the middle of a record is not waited for: the peer learns from the lack of a
// close_notify that something is missing.
void TlsState::sayGoodbye() noexcept {
  if (!established_ || broken_ || !below_->isOpen() || !writeTurn_.tryLock()) return;
  const std::lock_guard turn(writeTurn_, std::adopt_lock);
  if (!std::exchange(writeEnded_, true) && engine_.closeNotify() != Engine::Result::done) return;
  try {
    withTimeout(options_.closeTimeout, [this] {
      std::error_code error;
      send(error);
    });
  } catch (const Error&) {  // the peer has gone, or does not read
  }
}

// Tickets that nobody has read are good for the next connection; and Linux resets a connection that
// is closed over unread bytes, which takes back what is still to be sent. Takes what is there.
void TlsState::takeTickets() noexcept {
  if (context_->isServer() || !established_ || reading_ || inputEnded_ || !below_->isOpen() ||
      !inputTurn_.tryLock()) {
    return;
  }
  const std::lock_guard turn(inputTurn_, std::adopt_lock);
  std::array<std::byte, 1024> notForUs;
  std::size_t count = 0;
  try {
    withTimeout(Duration::zero(), [this, &notForUs, &count] {
      std::error_code error;
      while (engine_.read(notForUs, count) == Engine::Result::done) {
      }
      if (engine_.isOver()) return;
      engine_.received(below_->readSome(engine_.room(), error));
      while (engine_.read(notForUs, count) == Engine::Result::done) {
      }
    });
  } catch (const Error&) {  // there is nothing
  }
}

void TlsState::close() {
  const CancelShield shield;  // what strikes the caller waits; the time for the goodbye does not
  {
    const std::lock_guard turn(closeTurn_);
    if (!std::exchange(closing_, true)) {
      sayGoodbye();
      takeTickets();
      below_->close();
    }
  }
  inside_.waitUntilEmpty();
}

}  // namespace plait::net::detail
