#include "connection.h"

#include <array>
#include <cerrno>
#include <stdexcept>

#include "plait/cancel_shield.h"
#include "plait/cancellation.h"
#include "plait/report.h"
#include "plait/tls.h"

namespace plait::detail {
namespace {

constexpr std::size_t kReadBytes = 16'384;

}  // namespace

net::SocketStream* socketOf(net::Stream& stream) noexcept {
  if (auto* const tls = dynamic_cast<net::TlsStream*>(&stream)) return socketOf(tls->below());
  return dynamic_cast<net::SocketStream*>(&stream);
}

Connection::Connection(std::unique_ptr<net::Stream> stream, std::shared_ptr<Protocol> protocol,
                       net::Address peer)
    : stream_(std::move(stream)),
      socket_(socketOf(*stream_)),
      protocol_(std::move(protocol)),
      peer_(peer),
      name_(stream_->describe()) {
  try {
    if (socket_ != nullptr) host_ = socket_->localAddress();
    if (socket_ != nullptr && peer_.family() == net::Family::none) peer_ = socket_->peerAddress();
  } catch (const IoError&) {
    // The peer has gone already; reading will tell.
  }
  drained_.set();
  mayRead_.set();
}

// --- the reader

void Connection::serve(const std::function<void()>& made, const Ended& ended) {
  const auto self = shared_from_this();
  Failure reason = closedInOrder();
  // Whatever happens in connectionLost(), its owner is told.
  struct Tell {
    const Ended& ended;
    const Failure& reason;
    ~Tell() {
      const CancelShield shield;
      if (ended) ended(reason);
    }
  };
  try {
    if (call([this, &self] { protocol_->makeConnection(self); })) {
      if (made) made();
      reason = readAll();
    }
    if (over_) reason = *over_;
  } catch (const Cancellation& cancellation) {
    const std::exception_ptr meaning = cancellation.asError();
    reason = meaning ? Failure(meaning) : Failure(ConnectionAborted(ECANCELED, name_));
    endWith(reason);
    const Tell tell{ended, reason};
    end(reason);
    throw;
  }
  const Tell tell{ended, reason};
  end(reason);
}

// A call of the protocol's. False if it threw: that is reported, and ends the connection.
template <class F>
bool Connection::call(F&& f) {
  calls_.lock();
  struct Unlock {
    Mutex& mutex;
    ~Unlock() { mutex.unlock(); }
  };
  const Unlock unlock{calls_};
  try {
    f();
    return true;
  } catch (const Cancellation&) {
    throw;
  } catch (...) {
    reportError("a protocol on " + name_, std::current_exception());
    endWith(Failure());
    return false;
  }
}

Failure Connection::readAll() {
  std::array<std::byte, kReadBytes> bytes;
  for (;;) {
    mayRead_.wait();
    if (over_) return *over_;
    std::error_code error;
    const std::size_t count = stream_->readSome(bytes, error);
    if (over_) return *over_;
    if (error) {
      // Of a stream that this side has closed, when all was sent.
      if (losing_ && outputOver_.isSet()) return closedInOrder();
      return lost(error, "reading from ");
    }
    if (count == 0) return endOfInput();
    // What came while it was being paused waits here. What comes to a connection that is being
    // closed is read, so that the close does not reset it, and dropped.
    mayRead_.wait();
    if (over_) return *over_;
    if (losing_) continue;
    const std::string_view data(reinterpret_cast<const char*>(bytes.data()), count);
    if (!call([this, data] { protocol_->dataReceived(data); })) return *over_;
  }
}

// The peer writes no more.
Failure Connection::endOfInput() {
  auto* const half = dynamic_cast<HalfCloseableProtocol*>(protocol_.get());
  if (half != nullptr && !losing_ && !call([half] { half->readConnectionLost(); })) return *over_;
  // What is still to be sent is sent first, by a protocol that wants that, or is closing.
  if (half != nullptr || losing_) outputOver_.wait();
  return over_ ? *over_ : closedInOrder();
}

Failure Connection::closedInOrder() const {
  return Failure(ConnectionDone(std::make_error_code(std::errc::not_connected),
                                name_ + " was closed in order"));
}

Failure Connection::lost(std::error_code error, const char* tried) const {
  const std::string what = tried + name_;
  if (error.category() == std::system_category()) {
    return Failure(ConnectionLost(error.value(), what));
  }
  return Failure(ConnectionLost(EPROTO, what + ": " + error.message()));
}

// Something has ended the connection: the reader sees it, and nobody waits for output any more.
void Connection::endWith(Failure reason) {
  if (!connected_ || over_) return;
  over_.emplace(std::move(reason));
  try {
    // What is unsent is thrown away, and the peer sees that.
    if (socket_ != nullptr && socket_->isOpen()) socket_->setResetOnClose(true);
  } catch (const IoError&) {
    // A unix socket has no reset.
  }
  mayRead_.set();
  drained_.set();
  outputOver_.set();
  // Closing waits for those who are inside the stream, which the caller may be.
  spawn([self = shared_from_this()] { self->closeStream(); });
}

// The stream is closed and the writer gone; then the last call.
void Connection::end(const Failure& reason) {
  {
    const CancelShield shield;
    connected_ = false;
    buffer_.clear();
    drained_.set();
    outputOver_.set();
    if (Producer* const producer = std::exchange(producer_, nullptr)) {
      try {
        producer->stopProducing();
      } catch (...) {
        reportError("stopProducing() on " + name_, std::current_exception());
      }
    }
    if (writer_) writer_.kill();
    closeStream();
  }
  // From here on the protocol owns its transport, and not the other way round. Its factory may well
  // remember it, so it lets go of that.
  const std::shared_ptr<Protocol> protocol = std::move(protocol_);
  struct Forget {
    Protocol& protocol;
    ~Forget() { protocol.setFactory(nullptr); }
  };
  const Forget forget{*protocol};
  try {
    protocol->connectionLost(reason);
  } catch (const Cancellation&) {
    throw;
  } catch (...) {
    reportError("connectionLost() on " + name_, std::current_exception());
  }
}

void Connection::pauseProducing() {
  if (!isDisconnecting()) mayRead_.clear();
}
void Connection::resumeProducing() { mayRead_.set(); }

// --- what may be asked for

void Connection::write(std::string_view data) {
  if (data.empty() || !mayWrite()) return;
  buffer_.append(data);
  if (buffer_.size() > kWriteHighWater && producer_ != nullptr && streaming_ && !producerPaused_) {
    producerPaused_ = true;
    producer_->pauseProducing();
  }
  startWriter();
  // The writer, on which a producer writes, must not wait for itself.
  if (buffer_.size() <= kWriteBufferMax || current() == writer_) return;
  drained_.clear();
  while (isConnected() && !drained_.isSet()) drained_.wait();
}

void Connection::writeSequence(std::span<const std::string> pieces) {
  for (const std::string& each : pieces) write(each);
}

void Connection::loseConnection() {
  if (isDisconnecting()) return;
  losing_ = true;
  mayRead_.set();
  startWriter();
}

void Connection::loseWriteConnection() {
  if (!mayWrite()) return;
  losingWrite_ = true;
  startWriter();
}

void Connection::abortConnection() {
  if (!isConnected()) return;
  buffer_.clear();
  losing_ = true;
  endWith(Failure(ConnectionAborted(ECONNABORTED, name_)));
}

void Connection::registerProducer(Producer& producer, bool streaming) {
  if (producer_ != nullptr) {
    throw std::logic_error("registerProducer() on " + name_ +
                           ", which has a producer that has not been unregistered");
  }
  if (!isConnected()) return producer.stopProducing();
  producer_ = &producer;
  streaming_ = streaming;
  producerPaused_ = false;
  if (!streaming) startWriter();
}

void Connection::unregisterProducer() {
  producer_ = nullptr;
  if (losing_ || losingWrite_) startWriter();
}

// --- the writer

void Connection::startWriter() {
  if (!isConnected()) return;
  if (writing_) {
    writeAgain_ = true;
    return;
  }
  writing_ = true;
  writer_ = spawn([self = shared_from_this()] {
    struct Over {
      Connection& connection;
      ~Over() { connection.writing_ = false; }
    };
    const Over over{*self};
    do {
      self->writeAgain_ = false;
      self->writeAll();
    } while (self->writeAgain_ && self->isConnected());
  });
}

void Connection::writeAll() {
  while (isConnected() && !buffer_.empty()) writeBuffer();
  if (!isConnected()) return;
  // A producer comes before a close: unregisterProducer() comes here again.
  if (producer_ != nullptr) return feedProducer();
  if (losing_) return close();
  if (losingWrite_ && !writeLost_) loseOutput();
}

void Connection::writeBuffer() {
  const std::string sending = std::exchange(buffer_, {});
  drained_.set();
  std::error_code error;
  stream_->writeAll(sending, error);
  if (error) endWith(lost(error, "writing to "));
}

void Connection::feedProducer() {
  if (streaming_ && !producerPaused_) return;
  producerPaused_ = false;
  try {
    producer_->resumeProducing();
  } catch (const Cancellation&) {
    throw;
  } catch (...) {
    reportError("resumeProducing() on " + name_, std::current_exception());
    endWith(Failure());
  }
}

void Connection::loseOutput() {
  try {
    stream_->shutdownWrite();
  } catch (const IoError& failed) {
    return endWith(
        Failure(ConnectionLost(failed.code().value(), "closing the output of " + name_)));
  }
  writeLost_ = true;
  if (auto* const half = dynamic_cast<HalfCloseableProtocol*>(protocol_.get())) {
    call([half] { half->writeConnectionLost(); });
  }
  outputOver_.set();
}

void Connection::close() {
  outputOver_.set();
  mayRead_.set();
  stream_->close();
}

void Connection::closeStream() {
  // TLS has no goodbye for a connection that is thrown away.
  if (over_ && socket_ != nullptr) socket_->close();
  stream_->close();
}

}  // namespace plait::detail
