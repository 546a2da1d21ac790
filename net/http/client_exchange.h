// One request and its answer on one connection. A short request is sent by the fiber that asks; a
// long body by a fiber of its own, so that the server may answer, or refuse, before it has all.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <string>

#include "connection_pool.h"
#include "phases.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "session_state.h"

namespace plait::http::detail {

inline constexpr std::size_t kSentAtOnceMax = 65'536;  // bytes of a request without a fiber

class ClientExchange final {
 public:
  ClientExchange(std::shared_ptr<SessionState> session,
                 std::unique_ptr<ConnectionPool::Lease> lease, const Phases& phases);
  ClientExchange(const ClientExchange&) = delete;
  ClientExchange& operator=(const ClientExchange&) = delete;
  // Ends the sending, and the connection if it is still held.
  ~ClientExchange();

  // Sends, and reads the head of the answer. False if the connection ended before its first byte.
  // May switch. Throws: as Session::request.
  bool run(const std::string& head, std::shared_ptr<const ClientBody> body, bool isHead, Head& into,
           Visit& visit);
  // Why run() gave false.
  [[noreturn]] void throwNoAnswer() const;

  // At least one byte of the answer's body; 0 at its end. The connection is given back with the
  // last one if it can be used again, and ended by an exception. May switch.
  std::size_t readBody(net::MutableBytes into);
  bool isDone() const noexcept { return done_; }
  std::optional<std::uint64_t> length() const noexcept { return length_; }
  const Fields& trailers() const noexcept { return trailers_; }

  // Ends the sending and the connection. May switch: for the sending's end.
  void drop();
  // Ends the connection under whoever is inside; returns when they have left. May switch.
  void close();

  std::unique_ptr<net::Stream> takeStream(std::string& ahead);

  const Phases& phases() const noexcept { return phases_; }
  SessionState& session() const noexcept { return *session_; }

 private:
  class Watch;

  void send(const std::string& head, const ClientBody& body);
  void sendBody(const ClientBody& body);
  void writeBody(const ClientBody& body);
  void write(std::string_view bytes);
  bool readHead(bool isHead, Head& into);
  bool isSending() const noexcept { return sender_ && !sender_.isReady(); }
  void failSending(std::exception_ptr error);
  void checkSending() const;
  void endOfBody();
  ClientConnection& connection() const;

  std::shared_ptr<SessionState> session_;  // shared with its other calls
  std::unique_ptr<ConnectionPool::Lease> lease_;
  Phases phases_;
  std::shared_ptr<const ClientBody> body_;  // shared with the call, which may send it again
  Greenlet<void> sender_;                   // of a long body
  std::exception_ptr sendError_;    // the connection took no more: what the answer says counts
  std::exception_ptr sourceError_;  // the body could not be had, or not in time
  std::exception_ptr answerError_;  // instead of an answer
  Visit* visit_ = nullptr;          // who waits for the answer now
  Phases::Limit* limit_ = nullptr;  // of the first byte: counts from the end of the sending
  net::detail::Occupancy inside_;
  Event closed_;
  bool isClosing_ = false;
  bool mayBeKept_ = true;
  bool done_ = false;
  std::optional<std::uint64_t> length_;
  Fields trailers_;
};

}  // namespace plait::http::detail
