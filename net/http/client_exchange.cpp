#include "client_exchange.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <stdexcept>
#include <utility>

#include "plait/cancel_shield.h"
#include "plait/tls.h"

namespace plait::http::detail {

// Who waits for the answer can be told meanwhile that the body cannot be sent on.
class ClientExchange::Watch final {
 public:
  Watch(ClientExchange& exchange, Visit& visit) : exchange_(exchange) { exchange.visit_ = &visit; }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() { exchange_.visit_ = nullptr; }

 private:
  ClientExchange& exchange_;
};

namespace {

std::string chunk(std::string_view piece) {
  std::array<char, 16> digits{};
  const auto [end, error] =
      std::to_chars(digits.data(), digits.data() + digits.size(), piece.size(), 16);
  std::string text(digits.data(), end);
  return text.append("\r\n").append(piece).append("\r\n");
}

constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace

ClientExchange::ClientExchange(std::shared_ptr<SessionState> session,
                               std::unique_ptr<ConnectionPool::Lease> lease, const Phases& phases)
    : session_(std::move(session)), lease_(std::move(lease)), phases_(phases) {}

ClientExchange::~ClientExchange() { drop(); }

bool ClientExchange::run(const std::string& head, std::shared_ptr<const ClientBody> body,
                         bool isHead, Head& into, Visit& visit) {
  body_ = std::move(body);
  ++session_->requests;
  const Watch watch(*this, visit);
  send(head, *body_);
  try {
    return readHead(isHead, into);
  } catch (const Error&) {
    // The connection may have been ended because of this.
    checkSending();
    throw;
  }
}

void ClientExchange::send(const std::string& head, const ClientBody& body) {
  const bool isShort = body.isNone() || (body.isText() && body.length() <= kSentAtOnceMax);
  try {
    phases_.run("sending the request", phases_.timeouts().send,
                [&] { connection().stream().writeAll(isShort ? head + body.text() : head); });
  } catch (const IoError&) {
    // It may have answered before it closed: that it wants no more of this.
    sendError_ = std::current_exception();
    return;
  } catch (const net::TlsError&) {
    sendError_ = std::current_exception();
    return;
  }
  if (isShort) return;
  sender_ = spawn([this, &body] { sendBody(body); });
  sender_.setName("the body of an HTTP request");
}

// On a fiber of its own, which the exchange outlives.
void ClientExchange::sendBody(const ClientBody& body) {
  try {
    Visit visit(*session_);
    writeBody(body);
  } catch (const TimeoutExpired& expired) {
    // The source's own: an error like any other.
    failSending(std::make_exception_ptr(TimeoutError(expired.message())));
  } catch (const Cancellation&) {
    throw;
  } catch (...) {
    if (!sendError_) failSending(std::current_exception());
  }
  if (limit_ != nullptr) limit_->restart(phases_.timeouts().firstByte);
}

void ClientExchange::writeBody(const ClientBody& body) {
  body.produce([this, &body](std::string_view piece) {
    if (piece.empty()) return;
    if (body.isChunked()) return write(chunk(piece));
    // A text comes as one piece: the limit is for each part of it.
    for (; !piece.empty(); piece.remove_prefix(std::min(piece.size(), kSentAtOnceMax))) {
      write(piece.substr(0, kSentAtOnceMax));
    }
  });
  if (body.isChunked() && !sendError_) write(kLastChunk);
}

void ClientExchange::write(std::string_view bytes) {
  try {
    phases_.run("sending the request's body", phases_.timeouts().send,
                [this, bytes] { connection().stream().writeAll(bytes); });
  } catch (const IoError&) {
    sendError_ = std::current_exception();
    throw;
  } catch (const net::TlsError&) {
    sendError_ = std::current_exception();
    throw;
  }
}

void ClientExchange::failSending(std::exception_ptr error) {
  sourceError_ = std::move(error);
  if (visit_ != nullptr) visit_->strike(sourceError_);
}

void ClientExchange::checkSending() const {
  if (sourceError_) std::rethrow_exception(sourceError_);
}

bool ClientExchange::readHead(bool isHead, Head& into) {
  MessageReader& reader = connection().reader();
  try {
    const bool hasCome = phases_.run("waiting for the answer's first byte",
                                     isSending() ? kForever : phases_.timeouts().firstByte,
                                     [&](Phases::Limit& limit) {
                                       limit_ = &limit;
                                       struct Forget {
                                         Phases::Limit*& pointer;
                                         ~Forget() { pointer = nullptr; }
                                       } const forget{limit_};
                                       return reader.waitForMessage();
                                     });
    if (!hasCome) return false;
  } catch (const TimeoutError&) {
    throw;
  } catch (const HttpError&) {
    throw;
  } catch (const Error&) {
    if (sourceError_ || session_->isClosed()) throw;
    answerError_ = std::current_exception();
    return false;
  }
  phases_.run("reading the answer's head", phases_.timeouts().idle, [&] {
    int informational = 0;
    do {
      if (!reader.readHead(into)) {
        throw ConnectionClosed(ECONNRESET, "waiting for the answer behind an informational one");
      }
      if (++informational > kInformationalMax) {
        throw HttpError(502, "more than " + std::to_string(kInformationalMax) +
                                 " informational answers came before the one that counts");
      }
    } while (into.status < 200 && into.status != 101);
  });
  if (isHead || into.status == 101) reader.expectNoBody();
  if (reader.hasLength()) length_ = reader.length();
  // Who is refused sends no more; and after 101 it is no HTTP any more.
  if ((into.status >= 400 && isSending()) || into.status == 101) mayBeKept_ = false;
  if (reader.isDone() && into.status != 101) endOfBody();
  return true;
}

void ClientExchange::throwNoAnswer() const {
  if (answerError_) std::rethrow_exception(answerError_);
  if (sendError_) std::rethrow_exception(sendError_);
  ConnectionClosed error(ECONNRESET, phases_.describe("waiting for the answer's first byte"));
  error.addNote(
      "the server has closed the connection without an answer; whether it has done what "
      "was asked is not known");
  throw error;
}

std::size_t ClientExchange::readBody(net::MutableBytes into) {
  if (done_ || into.empty()) return 0;
  if (visit_ != nullptr) {
    throw ConcurrentUseError(phases_.describe("reading the body by two fibers at once"));
  }
  const net::detail::Occupancy::Visit inside(inside_);
  Visit visit(*session_);
  const Watch watch(*this, visit);
  try {
    checkSending();
    const std::size_t count =
        phases_.run("reading the body", phases_.timeouts().idle,
                    [this, into] { return connection().reader().readBody(into); });
    // What has come is not held back until the request's body has gone.
    if (count == 0 || (connection().reader().isDone() && !isSending())) endOfBody();
    return count;
  } catch (...) {
    drop();
    throw;
  }
}

// Both directions have to end before the connection can serve again. An answer that refuses the
// request ends the other direction, too.
void ClientExchange::endOfBody() {
  if (isSending() && mayBeKept_ && connection().reader().keepsAlive()) {
    phases_.run("sending the request's body", kForever, [this] { sender_.join(); });
    checkSending();
  }
  const bool isSent = !sendError_ && !isSending();
  MessageReader& reader = connection().reader();
  trailers_ = reader.trailers();
  done_ = true;
  if (isSent && mayBeKept_ && reader.keepsAlive() && !reader.hasBuffered()) {
    lease_->giveBack();
  } else {
    drop();
  }
}

void ClientExchange::drop() {
  if (isSending()) {
    const CancelShield shield;
    sender_.kill();
  }
  // close() is inside the stream, and does it when it has left.
  if (!isClosing_) lease_->drop();
}

void ClientExchange::close() {
  const CancelShield shield;
  if (std::exchange(isClosing_, true)) return closed_.wait();
  const net::detail::Occupancy::Visit inSession(session_->inside());
  if (lease_->connection) lease_->connection->stream().close();
  while (!inside_.isEmpty()) inside_.waitUntilEmpty();
  drop();
  lease_->drop();
  closed_.set();
}

std::unique_ptr<net::Stream> ClientExchange::takeStream(std::string& ahead) {
  ahead = connection().reader().takeBuffered();
  done_ = true;
  std::unique_ptr<net::Stream> stream = lease_->connection->takeStream();
  lease_->drop();
  return stream;
}

ClientConnection& ClientExchange::connection() const {
  if (!lease_->connection) {
    throw ConnectionClosed(EBADF, phases_.describe("the connection was closed"));
  }
  return *lease_->connection;
}

}  // namespace plait::http::detail
