// One connection of a server, from its first byte to its last.
#pragma once

#include <cstdint>
#include <exception>

#include "board.h"
#include "exchange.h"
#include "message_reader.h"
#include "plait/address.h"
#include "plait/http_request.h"
#include "plait/timeout.h"
#include "request_state.h"
#include "wire.h"

namespace plait::http::detail {

class Connection final : private BodySource {
 public:
  // Both outlive it. Made on the fiber that runs it.
  Connection(net::Stream& stream, const net::Address& peer, bool isSecure, Board& board);

  // Serves requests until one side ends it; what is left is to close the stream. May switch.
  // Throws: what cancels the fiber.
  void run();

 private:
  std::size_t readBody(net::MutableBytes into) override;
  const MessageReader& message() const noexcept override { return reader_; }
  net::Address peer() const override { return peer_; }
  std::string takeBuffered() override { return reader_.takeBuffered(); }
  bool isBroken() const noexcept override { return wire_.isBroken() || isBodyLost_; }

  void serve();
  bool waitForRequest();
  bool readHead();
  bool answer();
  Response respond();
  Response responseTo(const TimeoutExpired& expired);
  void send(Exchange& exchange, Response& response);
  Response lateResponse(Exchange& exchange, const std::exception_ptr& error);
  bool maySkipBody() const noexcept;
  bool skipBody();
  void leave();
  void log(int status, std::uint64_t bytes, TimePoint since);

  net::Stream& stream_;
  const net::Address peer_;
  Board& board_;
  Watch watch_;
  Wire wire_;
  MessageReader reader_;
  Request request_;
  RequestState& state_;
  const Exchange* exchange_ = nullptr;  // while its response is being sent
  std::size_t served_ = 0;
  bool hasAnswered_ = false;       // the head of the current request's response is on its way
  bool isContinueWanted_ = false;  // the client waits for "100 Continue"
  bool isBodyLost_ = false;
  bool isRefused_ = false;  // what the client sends is not understood any more
  std::uint64_t bodyBytes_ = 0;
  Duration bodyTime_{};  // spent in reading it
};

}  // namespace plait::http::detail
