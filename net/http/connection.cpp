#include "connection.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "plait/report.h"
#include "plait/timeout.h"

namespace plait::http::detail {

using namespace std::chrono_literals;

namespace {

// For a client to see the answer before the connection goes: what it still sends is read and
// dropped, or the kernel would answer it with a reset that overtakes the answer.
constexpr Duration kLingerTimeout = 2s;
constexpr std::uint64_t kLingerBytesMax = 4 << 20;
// Read and dropped at once. Not on the stack, which has one page that is touched less without them.
constexpr std::size_t kDropBytes = 4'096;

}  // namespace

Connection::Connection(net::Stream& stream, const net::Address& peer, bool isSecure, Board& board)
    : stream_(stream),
      peer_(peer),
      board_(board),
      watch_(board),
      wire_(stream, watch_),
      reader_(wire_, MessageReader::Kind::request, board.options.limits),
      request_(std::make_unique<RequestState>(static_cast<BodySource&>(*this), board.options.limits,
                                              isSecure)),
      state_(request_.state()) {}

void Connection::run() {
  int status = 0;
  try {
    serve();
  } catch (const DeadlineExpired& expired) {
    if (expired.phase() == Phase::head || expired.phase() == Phase::body) status = 408;
    if (expired.phase() == Phase::handler) status = 503;
    // What the client has not taken by now shall not stay in the kernel.
    if (wire_.isBroken()) wire_.resetOnClose();
  } catch (const HttpError& error) {
    ++board_.statistics.refused;
    status = error.status();
  } catch (const Error&) {
    // The client has gone, or is out of reach.
    return;
  } catch (const std::exception&) {
    if (!isBroken()) throw;
    return;
  }
  if (wire_.isBroken()) return;
  if (status != 0) isRefused_ = true;
  if (status != 0 && !hasAnswered_) {
    wire_.output().append(plainAnswer(board_, status));
    if (board_.options.accessLog) log(status, reasonOf(status).size() + 1, board_.time());
  }
  leave();
}

void Connection::serve() {
  while (waitForRequest() && readHead() && answer()) {
  }
}

bool Connection::waitForRequest() {
  const Watch::Scope scope(watch_, Phase::idle, board_.options.idleTimeout);
  const bool isThere = reader_.waitForMessage();
  watch_.settle();
  return isThere;
}

bool Connection::readHead() {
  const Watch::Scope scope(watch_, Phase::head, board_.options.headerTimeout);
  hasAnswered_ = false;
  isBodyLost_ = false;
  bodyBytes_ = 0;
  bodyTime_ = Duration::zero();
  state_.head.method.clear();
  if (!reader_.readHead(state_.head)) return false;
  watch_.settle();
  ++board_.statistics.requests;
  ++served_;
  state_.begin();
  isContinueWanted_ = false;
  if (state_.head.version < 11) return true;
  const auto expect = state_.head.fields.find("Expect");
  if (!expect) return true;
  if (!equalsNoCase(*expect, "100-continue")) throw HttpError(417, "an unknown expectation");
  isContinueWanted_ = !reader_.isDone();
  return true;
}

// Whether the connection goes on.
bool Connection::answer() {
  const TimePoint since = board_.options.accessLog ? now() : TimePoint();
  Response response = respond();
  // What writes its response may read the body meanwhile; only its end tells.
  const bool mayRead = std::holds_alternative<Response::StreamBody>(response.body());
  const bool closes = board_.isStopping || !reader_.keepsAlive() || isRefused_ ||
                      served_ >= board_.options.keepAliveRequestsMax ||
                      (!mayRead && !maySkipBody());
  Exchange exchange(wire_, watch_, state_, closes);
  send(exchange, response);
  if (board_.options.accessLog) log(exchange.status(), exchange.bodyBytes(), since);
  return !exchange.closes() && maySkipBody() && skipBody();
}

Response Connection::respond() {
  const Watch::Scope scope(watch_, Phase::handler, board_.options.handlerTimeout);
  try {
    Response response = board_.app.respond(request_);
    watch_.settle();
    return response;
  } catch (const TimeoutExpired& expired) {
    return responseTo(expired);
  }
}

// A Timeout of the handler's own that it did not catch: nobody else's, so an error like any other.
Response Connection::responseTo(const TimeoutExpired& expired) {
  try {
    throw TimeoutError(expired.message());
  } catch (const TimeoutError&) {
    return board_.app.errorResponse(request_);
  }
}

void Connection::send(Exchange& exchange, Response& response) {
  exchange_ = &exchange;
  struct Leaving {
    const Exchange*& exchange;
    ~Leaving() { exchange = nullptr; }
  } const leaving{exchange_};
  try {
    exchange.send(response);
    hasAnswered_ = true;
    return;
  } catch (const TimeoutExpired& expired) {
    response = lateResponse(exchange, std::make_exception_ptr(TimeoutError(expired.message())));
  } catch (const Cancellation&) {
    hasAnswered_ = exchange.hasBegun();
    throw;
  } catch (...) {
    response = lateResponse(exchange, std::current_exception());
  }
  // Not through this function: what fails once more is not asked a third time.
  exchange.send(response);
  hasAnswered_ = true;
}

// What to answer where the function of a response has thrown; throws if it is too late for that.
Response Connection::lateResponse(Exchange& exchange, const std::exception_ptr& error) {
  hasAnswered_ = exchange.hasBegun();
  if (isBroken()) std::rethrow_exception(error);
  if (hasAnswered_) {
    reportError("the response to " + state_.head.method + " " + state_.head.target, error);
    // The client sees that this is not all: the length or the last chunk is missing, or there is a
    // reset instead of an end.
    if (exchange.endsWithConnection()) {
      wire_.resetOnClose();
    } else {
      wire_.flush();
    }
    throw ConnectionClosed(ECONNABORTED, "sending a response");
  }
  try {
    std::rethrow_exception(error);
  } catch (...) {
    Response response = board_.app.errorResponse(request_);
    if (std::holds_alternative<Response::StreamBody>(response.body())) return Response(500);
    return response;
  }
}

std::size_t Connection::readBody(net::MutableBytes into) {
  if (reader_.isDone() || into.empty()) return 0;
  // Nobody can be told any more to go on once the head of the answer is out.
  const bool hasBegun = hasAnswered_ || (exchange_ != nullptr && exchange_->hasBegun());
  if (!hasBegun && std::exchange(isContinueWanted_, false) && !reader_.hasBuffered()) {
    wire_.output().append("HTTP/1.1 100 Continue\r\n\r\n");
  }
  const ServerOptions& options = board_.options;
  const std::size_t rate = std::max<std::size_t>(options.bytesPerSecondMin, 1);
  const Duration allowed = options.bodyTimeout == kForever
                               ? kForever
                               : options.bodyTimeout + std::chrono::seconds(bodyBytes_ / rate);
  const Watch::Scope scope(watch_, Phase::body,
                           allowed == kForever ? kForever : allowed - bodyTime_);
  const TimePoint before = board_.time();
  try {
    const std::size_t count = reader_.readBody(into);
    watch_.settle();
    bodyBytes_ += count;
    bodyTime_ += board_.time() - before;
    return count;
  } catch (const HttpError&) {
    isRefused_ = true;
    throw;
  } catch (const Error&) {
    isBodyLost_ = true;
    throw;
  }
}

// Whether what the handler left of the body is little enough to be read for the next request's
// sake.
bool Connection::maySkipBody() const noexcept {
  if (reader_.isDone()) return true;
  if (isContinueWanted_) return false;  // it may come, or not
  return reader_.isChunked() || reader_.length() - bodyBytes_ <= kDrainMax;
}

bool Connection::skipBody() {
  if (reader_.isDone()) return true;
  std::vector<std::byte> dropped(kDropBytes);
  std::uint64_t count = 0;
  while (!reader_.isDone() && count <= kDrainMax) count += readBody(dropped);
  return reader_.isDone();
}

// Sends what is left to be sent; and if the client may still be sending, waits for it to see that.
void Connection::leave() {
  try {
    wire_.flush();
    if (!isRefused_ && reader_.isDone() && !reader_.hasBuffered()) return;
    const Watch::Scope scope(watch_, Phase::linger, kLingerTimeout);
    stream_.shutdownWrite();
    std::vector<std::byte> dropped(kDropBytes);
    std::uint64_t count = 0;
    while (count < kLingerBytesMax) {
      const std::size_t more = stream_.readSome(dropped);
      if (more == 0) return;
      count += more;
    }
  } catch (const Error&) {
    // It has gone before us.
  } catch (const DeadlineExpired&) {
    // It takes too long.
  }
}

void Connection::log(int status, std::uint64_t bytes, TimePoint since) {
  AccessRecord record;
  record.peer = peer_;
  // None of it, where there was no head.
  if (!state_.head.method.empty()) {
    record.method = state_.head.method;
    record.target = state_.head.target;
    record.version = state_.head.version;
    record.userAgent = state_.head.fields.get("User-Agent");
    record.referer = state_.head.fields.get("Referer");
  }
  record.status = status;
  record.bytes = bytes;
  record.duration = now() - since;
  try {
    board_.options.accessLog(record);
  } catch (const Cancellation&) {
    throw;
  } catch (...) {
    reportError("the access log", std::current_exception());
  }
}

}  // namespace plait::http::detail
