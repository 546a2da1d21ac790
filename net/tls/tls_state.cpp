// What the engine puts out must reach the peer in its order and without a gap, whoever caused it: a
// record that was encrypted and not sent ends the connection. So everything goes out under
// writeTurn_: a writer holds it for its whole call, and sends along whatever else is there; a
// reader that has something to send (an answer to a KeyUpdate) takes the turn only if it is free,
// and otherwise leaves it to the writer, who looks for output until there is none before it lets
// go.

#include "tls_state.h"

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <utility>

#include "plait/cancel_shield.h"
#include "plait/detail/waiter.h"
#include "plait/timeout.h"

namespace plait::net::detail {

using Visit = Occupancy::Visit;

namespace {

std::error_code closedError() noexcept { return {EBADF, std::system_category()}; }

constexpr Duration kAlertTimeout = std::chrono::milliseconds(100);  // to tell why we give up

}  // namespace

TlsState::TlsState(std::unique_ptr<Stream> below, const TlsContext& context, TlsOptions options)
    : context_(context.state().shared_from_this()),
      below_(std::move(below)),
      options_(std::move(options)),
      engine_(context_, options_.serverName) {}

// ---- the handshake

void TlsState::handshake(std::error_code& error) {
  const Visit visit(inside_);
  error.clear();
  plait::detail::checkpoint();
  if (!isOpen()) {
    error = closedError();
    return;
  }
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
    send(error);
    if (error || result == Engine::Result::done) return;
    if (!receive(error)) {
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

// ---- reading

std::size_t TlsState::readSome(MutableBytes into, std::error_code& error) {
  const Visit visit(inside_);
  error.clear();
  if (reading_) {
    error = std::make_error_code(std::errc::device_or_resource_busy);
    return 0;
  }
  struct Reading {
    bool& flag;
    explicit Reading(bool& f) : flag(f) { flag = true; }
    ~Reading() { flag = false; }
  };
  const Reading reading(reading_);
  plait::detail::checkpoint();
  if (!isOpen()) {
    error = closedError();
    return 0;
  }
  if (into.empty() || !shakeHands(error)) return 0;
  for (;;) {
    std::size_t count = 0;
    switch (engine_.read(into, count)) {
      case Engine::Result::done:
        return count;
      case Engine::Result::ended:
        return 0;
      case Engine::Result::failed:
        if (writeTurn_.tryLock()) {
          const std::lock_guard turn(writeTurn_, std::adopt_lock);
          giveUp(error);
        }
        error = engine_.failedWith();
        return 0;
      case Engine::Result::wantsInput:
        break;
    }
    // Nothing was taken from the engine in this round: a kill from here on loses nothing.
    sendIfNobodyDoes(error);
    if (error || !receive(error)) {
      if (!error && !options_.allowTruncation) error = TlsErrc::truncated;
      return 0;
    }
  }
}

// False at the end of the stream below, or with an error.
bool TlsState::receive(std::error_code& error) {
  if (!isOpen()) {
    error = closedError();
    return false;
  }
  if (inputEnded_) return false;
  const std::size_t count = below_->readSome(engine_.room(), error);
  if (error) return false;
  inputEnded_ = count == 0;
  engine_.received(count);
  return !inputEnded_;
}

void TlsState::sendIfNobodyDoes(std::error_code& error) {
  if (engine_.output().empty() || broken_ || !writeTurn_.tryLock()) return;
  const std::lock_guard turn(writeTurn_, std::adopt_lock);
  send(error);
}

// ---- writing

// Sends all output there is, also what comes to it meanwhile. With the write turn.
void TlsState::send(std::error_code& error) {
  while (!engine_.output().empty()) {
    // Until it is gone it counts as lost, also if an exception leaves this frame.
    const std::vector<std::byte> bytes = std::exchange(engine_.output(), {});
    broken_ = true;
    below_->writeAll(bytes, error);
    if (error) return;
    broken_ = false;
    // Its memory serves the next.
    if (engine_.output().empty()) {
      auto& memory = const_cast<std::vector<std::byte>&>(bytes);
      memory.clear();
      engine_.output().swap(memory);
      return;
    }
  }
}

// A write in its course. The connection counts as half written until all is sent.
class TlsState::Sending final {
 public:
  Sending(TlsState& state, std::size_t total) : state_(state), total_(total) {}
  Sending(const Sending&) = delete;
  Sending& operator=(const Sending&) = delete;
  ~Sending() {
    if (!state_.broken_) return;
    state_.brokenAfter_ = sent_ + plainBytesOf(state_.below_->interruptedAfter());
    state_.brokenOf_ = total_;
  }

  // Encrypts and sends the next of `from`, which begins with it.
  std::size_t sendBatch(Bytes from, std::error_code& error) {
    const std::size_t bytes = std::min(from.size(), kBatchBytes);
    records_.clear();
    for (std::size_t done = 0; done < bytes;) {
      const Bytes record = from.subspan(done, std::min(bytes - done, kRecordBytes));
      if (state_.engine_.write(record) != Engine::Result::done) {
        state_.giveUp(error);
        return 0;
      }
      done += record.size();
      records_.push_back({state_.engine_.output().size(), done});
    }
    state_.send(error);
    if (error) return 0;
    records_.clear();
    sent_ += bytes;
    return bytes;
  }

 private:
  struct Record {
    std::size_t cipherEnd;  // in the batch as it is sent
    std::size_t plainEnd;
  };

  // The peer can read whole records only.
  std::size_t plainBytesOf(std::size_t cipherBytes) const noexcept {
    std::size_t plain = 0;
    for (const Record& each : records_) {
      if (each.cipherEnd <= cipherBytes) plain = each.plainEnd;
    }
    return plain;
  }

  TlsState& state_;
  const std::size_t total_;
  std::size_t sent_ = 0;
  std::vector<Record> records_;  // of the batch under way
};

void TlsState::writeAll(Bytes from, std::error_code& error) {
  const Visit visit(inside_);
  error.clear();
  plait::detail::checkpoint();
  if (!isOpen()) {
    error = closedError();
    return;
  }
  if (from.empty() || !shakeHands(error)) return;
  const std::lock_guard turn(writeTurn_);
  // The last chance for a kill to do no harm.
  plait::detail::checkpoint();
  if (!isOpen()) {
    error = closedError();
  } else if (broken_ || writeEnded_) {
    error = std::make_error_code(std::errc::broken_pipe);
  }
  if (error) return;
  Sending sending(*this, from.size());
  while (!from.empty() && !error) from = from.subspan(sending.sendBatch(from, error));
}

void TlsState::updateKeys(bool peerToo, std::error_code& error) {
  const Visit visit(inside_);
  error.clear();
  plait::detail::checkpoint();
  if (!isOpen()) {
    error = closedError();
    return;
  }
  if (!shakeHands(error)) return;
  const std::lock_guard turn(writeTurn_);
  if (broken_ || writeEnded_) {
    error = std::make_error_code(std::errc::broken_pipe);
    return;
  }
  if (engine_.updateKeys(peerToo) == Engine::Result::failed) return giveUp(error);
  send(error);
}

// ---- the end

void TlsState::shutdownWrite(std::error_code& error) {
  const Visit visit(inside_);
  error.clear();
  plait::detail::checkpoint();
  if (!isOpen()) {
    error = closedError();
    return;
  }
  if (!shakeHands(error)) return;
  const std::lock_guard turn(writeTurn_);
  if (!isOpen()) {
    error = closedError();
    return;
  }
  if (broken_) error = std::make_error_code(std::errc::broken_pipe);
  if (broken_ || writeEnded_) return;
  writeEnded_ = true;
  if (engine_.closeNotify() == Engine::Result::failed) return giveUp(error);
  send(error);
}

// A writer in the middle of a record is not waited for: the peer learns from the lack of a
// close_notify that something is missing.
void TlsState::sayGoodbye() noexcept {
  if (!established_ || broken_ || writeEnded_ || !below_->isOpen() || !writeTurn_.tryLock()) return;
  const std::lock_guard turn(writeTurn_, std::adopt_lock);
  writeEnded_ = true;
  try {
    withTimeout(options_.closeTimeout, [this] {
      std::error_code error;
      if (engine_.closeNotify() == Engine::Result::done) send(error);
    });
  } catch (const Error&) {  // the peer has gone, or does not read
  }
}

void TlsState::close() {
  const CancelShield shield;  // what strikes the caller waits; the time for the goodbye does not
  {
    const std::lock_guard turn(closeTurn_);
    if (!std::exchange(closing_, true)) {
      sayGoodbye();
      below_->close();
    }
  }
  inside_.waitUntilEmpty();
}

// ---- words

std::string TlsState::describe() const {
  std::string text = "tls";
  if (established_) text = ::SSL_get_version(engine_.ssl());
  if (!options_.serverName.empty()) text += " " + options_.serverName;
  text += " over " + (closing_ ? std::string("a closed stream") : below_->describe());
  if (brokenOf_ > 0) {
    text += " (a write was interrupted after " + std::to_string(brokenAfter_) + " of " +
            std::to_string(brokenOf_) + " bytes; close it)";
  }
  return text;
}

void TlsState::fail(std::error_code code, const char* tried) const {
  const std::string subject = std::string(tried) + " " + describe();
  if (code == handshakeError_ && code) {
    const std::string message = "the TLS handshake of " + describe() + ": " + handshakeReason_;
    if (code == std::errc::timed_out) throw TimeoutError(message);
    if (code.category() == tlsCategory()) throw TlsError(code, message);
  }
  if (code.category() == tlsCategory()) {
    const bool hasReason = code == TlsErrc::failed && !engine_.failure().empty();
    throw TlsError(code, subject + ": " + (hasReason ? engine_.failure() : code.message()));
  }
  throwStreamError(code, tried, describe());
}

}  // namespace plait::net::detail
