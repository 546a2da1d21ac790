#include "connection.h"

#include <array>
#include <cerrno>
#include <stdexcept>

#include "plait/cancel_shield.h"
#include "plait/cancellation.h"
#include "plait/report.h"

namespace plait::detail {
namespace {

constexpr std::size_t kReadBytes = 16'384;

}  // namespace

Connection::Connection(net::SocketStream stream, std::shared_ptr<Protocol> protocol)
    : stream_(std::move(stream)),
      protocol_(std::move(protocol)),
      peer_(stream_.peerAddress()),
      host_(stream_.localAddress()),
      name_(stream_.describe()) {
  drained_.set();
  mayRead_.set();
}

// --- the reader

void Connection::serve(const std::function<void()>& made, const Ended& ended) {
  const auto self = shared_from_this();
  const auto finish = [this, &ended](const Failure& reason) {
    const CancelShield shield;
    end(reason);
    if (ended) ended(reason);
  };
  try {
    protocol_->makeConnection(self);
    if (made) made();
    readAll();
  } catch (const Cancellation&) {
    abortConnection();
    finish(Failure(ConnectionAborted(ECANCELED, name_)));
    throw;
  } catch (const ConnectionDone& reason) {
    return finish(Failure(reason));
  } catch (const ConnectionLost& reason) {
    return finish(Failure(reason));
  } catch (const ConnectionAborted& reason) {
    return finish(Failure(reason));
  } catch (...) {
    reportError("a protocol on " + name_, std::current_exception());
    abortConnection();
    return finish(Failure());
  }
}

// Throws: the reason for the end.
void Connection::readAll() {
  std::array<std::byte, kReadBytes> bytes;
  for (;;) {
    mayRead_.wait();
    std::error_code error;
    const std::size_t count = stream_.readSome(bytes, error);
    if (aborted_ || writeError_ || error) reasonOf(error).raise();
    // What the peer says to a connection that is being closed is read, so that the close does not
    // reset it, and dropped.
    if (losing_ && count > 0) continue;
    if (count == 0) return endOfInput();
    // What came while it was being paused waits here.
    mayRead_.wait();
    protocol_->dataReceived({reinterpret_cast<const char*>(bytes.data()), count});
  }
}

// The peer writes no more. Throws: the reason for the end.
void Connection::endOfInput() {
  auto* const half = dynamic_cast<HalfCloseableProtocol*>(protocol_.get());
  if (half != nullptr && !losing_) {
    half->readConnectionLost();
    while (!writeLost_ && connected_ && stream_.isOpen()) outputOver_.wait();
  }
  if (aborted_ || writeError_) reasonOf({}).raise();
  throw ConnectionDone(std::make_error_code(std::errc::not_connected),
                       name_ + " was closed in order");
}

Failure Connection::reasonOf(const std::error_code& error) const {
  if (aborted_) return Failure(ConnectionAborted(ECONNABORTED, name_));
  if (writeError_) {
    return Failure(ConnectionLost(writeError_.value(), "writing to " + name_));
  }
  if (losing_) {
    return Failure(ConnectionDone(std::make_error_code(std::errc::not_connected),
                                  name_ + " was closed in order"));
  }
  return Failure(ConnectionLost(error.value(), "reading from " + name_));
}

// No more calls after it; the stream is closed and the writer gone.
void Connection::end(const Failure& reason) {
  connected_ = false;
  buffer_.clear();
  drained_.set();
  if (Producer* const producer = std::exchange(producer_, nullptr)) {
    try {
      producer->stopProducing();
    } catch (...) {
      reportError("stopProducing() on " + name_, std::current_exception());
    }
  }
  if (writer_) writer_.kill();
  stream_.close();
  // From here on the protocol owns its transport, and not the other way round.
  const std::shared_ptr<Protocol> protocol = std::move(protocol_);
  try {
    protocol->connectionLost(reason);
  } catch (...) {
    reportError("connectionLost() on " + name_, std::current_exception());
  }
}

void Connection::pauseProducing() { mayRead_.clear(); }
void Connection::resumeProducing() { mayRead_.set(); }

// --- the writer

void Connection::write(std::string_view data) {
  if (!mayWrite()) return;
  buffer_.append(data);
  if (buffer_.size() > kWriteHighWater) pauseProducer();
  startWriter();
  // The writer, on which a producer writes, must not wait for itself.
  if (buffer_.size() <= kWriteBufferMax || current() == writer_) return;
  drained_.clear();
  while (connected_ && !drained_.isSet()) drained_.wait();
}

void Connection::writeSequence(std::span<const std::string> pieces) {
  for (const std::string& each : pieces) write(each);
}

void Connection::loseConnection() {
  if (!connected_ || losing_) return;
  losing_ = true;
  startWriter();
}

void Connection::loseWriteConnection() {
  if (!mayWrite()) return;
  losingWrite_ = true;
  startWriter();
}

void Connection::abortConnection() {
  if (!connected_ || aborted_) return;
  aborted_ = true;
  losing_ = true;
  mayRead_.set();
  outputOver_.set();
  if (stream_.isOpen()) {
    try {
      stream_.setResetOnClose(true);
    } catch (const IoError&) {
      // A unix socket has no reset.
    }
  }
  buffer_.clear();
  // Closing waits for those who are inside the stream, which its caller may be.
  spawn([self = shared_from_this()] { self->stream_.close(); });
}

void Connection::startWriter() {
  if (writing_) return;
  writing_ = true;
  writer_ = spawn([self = shared_from_this()] {
    struct Over {
      Connection& connection;
      ~Over() { connection.writing_ = false; }
    };
    const Over over{*self};
    self->writeAll();
  });
}

void Connection::writeAll() {
  while (writeOnce() || feedProducer()) continue;
  if (!connected_) return;
  // With a producer, loseConnection() waits for its end; unregisterProducer() comes here again.
  if (producer_ != nullptr) return;
  if (losing_) {
    mayRead_.set();
    outputOver_.set();
    stream_.close();
    return;
  }
  if (!losingWrite_ || writeLost_) return;
  writeLost_ = true;
  outputOver_.set();
  stream_.shutdownWrite();
  if (auto* const half = dynamic_cast<HalfCloseableProtocol*>(protocol_.get())) {
    half->writeConnectionLost();
  }
}

// False if nothing waited.
bool Connection::writeOnce() {
  if (buffer_.empty() || !connected_ || aborted_) return false;
  sending_.swap(buffer_);
  buffer_.clear();
  drained_.set();
  std::error_code error;
  stream_.writeAll(sending_, error);
  sending_.clear();
  if (error && !aborted_ && !writeError_) {
    writeError_ = error;
    connected_ = false;
    outputOver_.set();
    stream_.close();
    return false;
  }
  return true;
}

bool Connection::feedProducer() {
  if (producer_ == nullptr || !connected_ || (streaming_ && !producerPaused_)) return false;
  producerPaused_ = false;
  producer_->resumeProducing();
  return !buffer_.empty();
}

// --- producers

void Connection::registerProducer(Producer& producer, bool streaming) {
  if (producer_ != nullptr) {
    throw std::logic_error("registerProducer() on " + name_ +
                           ", which has a producer that has not been unregistered");
  }
  if (!connected_ || aborted_) return producer.stopProducing();
  producer_ = &producer;
  streaming_ = streaming;
  producerPaused_ = false;
  if (!streaming) startWriter();
}

void Connection::unregisterProducer() {
  producer_ = nullptr;
  if (connected_ && (losing_ || losingWrite_)) startWriter();
}

void Connection::pauseProducer() {
  if (producer_ == nullptr || !streaming_ || producerPaused_) return;
  producerPaused_ = true;
  producer_->pauseProducing();
}

}  // namespace plait::detail
