// What the engine puts out must reach the peer in its order and without a gap, whoever caused it: a
// record that was encrypted and not sent ends the connection. So everything goes out under
// writeTurn_: a writer holds it for its whole call, and sends along whatever else is there; a
// reader that has something to send (an answer to a KeyUpdate) takes the turn only if it is free,
// and otherwise leaves it to the writer, who looks for output until there is none before it lets
// go. The handshake is in tls_handshake.cpp, the end in tls_end.cpp.

#include "tls_state.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <span>
#include <utility>

#include "plait/detail/waiter.h"

namespace plait::net::detail {

using Visit = Occupancy::Visit;

namespace {

// What reading may leave to a writer. A peer that only asks, and reads no answer, is not read on
// beyond it.
constexpr std::size_t kAnswersMax = 16'384;
constexpr std::size_t kRecordOverheadMax = 64;  // of the versions and ciphers that we speak

}  // namespace

TlsState::TlsState(std::unique_ptr<Stream> below, const TlsContext& context, TlsOptions options)
    : context_(context.state().shared_from_this()),
      below_(std::move(below)),
      options_(std::move(options)),
      engine_(context_, options_.serverName) {}

// The beginning of every call: false, with the error, on a closed stream. May switch.
bool TlsState::mayBegin(std::error_code& error) const {
  error.clear();
  plait::detail::checkpoint();
  if (isOpen()) return true;
  error = closedError();
  return false;
}

// ---- reading

std::size_t TlsState::readSome(MutableBytes into, std::error_code& error) {
  const Visit visit(inside_);
  error.clear();
  if (reading_) {
    error = busyError();
    return 0;
  }
  const Flagged reading(reading_);
  if (!mayBegin(error) || into.empty() || !shakeHands(error)) return 0;
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
    answer();
    if (!inputTurn_.tryLock()) {
      const std::lock_guard turn(inputTurn_);
      continue;  // who had it may have received what we want
    }
    const std::lock_guard turn(inputTurn_, std::adopt_lock);
    if (!receive(error)) {
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

// OpenSSL writes nothing while a message of the peer's has come in part, so a writer waits for the
// rest of it, and receives it itself if no reader does. With the write turn.
void TlsState::finishMessage(std::error_code& error) {
  while (!error && engine_.isInMessage()) {
    const std::lock_guard turn(inputTurn_);
    const Engine::Result result = engine_.handshake();
    if (result == Engine::Result::failed) return giveUp(error);
    if (engine_.isInMessage() && !receive(error) && !error) error = TlsErrc::truncated;
  }
}

// Sends what reading has put out, unless a writer will. That it cannot be sent ends writing only:
// there may be more to read.
void TlsState::answer() {
  if (engine_.output().empty()) return;
  if (engine_.output().size() > kAnswersMax) {
    writeTurn_.lock();
  } else if (!writeTurn_.tryLock()) {
    return;
  }
  const std::lock_guard turn(writeTurn_, std::adopt_lock);
  std::error_code ignored;
  if (!broken_) sendOrKeep(ignored);
  if (broken_) engine_.output().clear();
}

// ---- writing

// Sends all output there is, also what comes to it meanwhile. With the write turn.
void TlsState::send(std::error_code& error) {
  while (!engine_.output().empty()) {
    // Until it is gone it counts as lost, also if an exception leaves this frame.
    unsent_.clear();
    unsent_.swap(engine_.output());
    broken_ = true;
    below_->writeAll(unsent_, error);
    if (error) return;
    broken_ = false;
  }
  // One memory serves both, and a kill finds nothing in it.
  unsent_.clear();
  if (unsent_.capacity() > engine_.output().capacity()) unsent_.swap(engine_.output());
}

// As send(), but a kill leaves the output there for whoever sends next: for what is nobody's data.
// If a part of it is out by then, the stream below takes no more, and says so.
void TlsState::sendOrKeep(std::error_code& error) {
  try {
    send(error);
  } catch (...) {
    engine_.output().insert(engine_.output().begin(), unsent_.begin(), unsent_.end());
    broken_ = false;
    throw;
  }
}

// A write in its course. The connection counts as half written until all is sent.
class TlsState::Sending final {
 public:
  Sending(TlsState& state, std::size_t total) : state_(state), total_(total) {}
  Sending(const Sending&) = delete;
  Sending& operator=(const Sending&) = delete;
  ~Sending() {
    state_.engine_.releaseOutput();
    if (!state_.broken_) return;
    state_.brokenAfter_ = sent_ + plainBytesOf(state_.below_->interruptedAfter());
    state_.brokenOf_ = total_;
  }

  // Encrypts and sends the next of `from`, which begins with it.
  std::size_t sendBatch(Bytes from, std::error_code& error) {
    const std::size_t bytes = std::min(from.size(), kBatchBytes);
    recordCount_ = 0;
    state_.finishMessage(error);
    if (error) return 0;
    state_.engine_.output().reserve(bytes + kRecordOverheadMax * (1 + bytes / kRecordBytes));
    for (std::size_t done = 0; done < bytes;) {
      const Bytes record = from.subspan(done, std::min(bytes - done, kRecordBytes));
      if (state_.engine_.write(record) != Engine::Result::done) {
        state_.giveUp(error);
        return 0;
      }
      done += record.size();
      records_[recordCount_++] = {state_.engine_.output().size(), done};
    }
    state_.send(error);
    if (error) return 0;
    recordCount_ = 0;
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
    for (const Record& each : std::span(records_).first(recordCount_)) {
      if (each.cipherEnd <= cipherBytes) plain = each.plainEnd;
    }
    return plain;
  }

  TlsState& state_;
  const std::size_t total_;
  std::size_t sent_ = 0;
  // Of the batch under way.
  std::array<Record, kBatchBytes / kRecordBytes> records_;
  std::size_t recordCount_ = 0;
};

void TlsState::writeAll(Bytes from, std::error_code& error) {
  const Visit visit(inside_);
  if (!mayBegin(error)) return;
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
  if (!mayBegin(error)) return;
  if (!shakeHands(error)) return;
  const std::lock_guard turn(writeTurn_);
  if (broken_ || writeEnded_) {
    error = std::make_error_code(std::errc::broken_pipe);
    return;
  }
  finishMessage(error);
  if (error) return;
  if (engine_.updateKeys(peerToo) == Engine::Result::failed) return giveUp(error);
  sendOrKeep(error);
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
