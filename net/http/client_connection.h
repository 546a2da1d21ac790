// A connection to a server or proxy, with what has been read ahead of it.
#pragma once

#include <memory>
#include <string>

#include "message_reader.h"
#include "plait/http_error.h"
#include "plait/stream.h"
#include "plait/tcp.h"
#include "plait/time.h"

namespace plait::http::detail {

class ClientConnection final {
 public:
  // `socket` is what `stream` is, or what is below it.
  ClientConnection(std::unique_ptr<net::Stream> stream, const net::SocketStream& socket,
                   const Limits& limits)
      : stream_(std::move(stream)),
        socket_(socket),
        reader_(*stream_, MessageReader::Kind::response, limits) {}

  net::Stream& stream() noexcept { return *stream_; }
  MessageReader& reader() noexcept { return reader_; }

  // Whether it is open and nothing has come that was not asked for. Never switches.
  bool isQuiet() const;

  // For what comes after HTTP.
  std::unique_ptr<net::Stream> takeStream() noexcept { return std::move(stream_); }

  TimePoint idleSince{};

 private:
  std::unique_ptr<net::Stream> stream_;
  const net::SocketStream& socket_;
  MessageReader reader_;
};

}  // namespace plait::http::detail
