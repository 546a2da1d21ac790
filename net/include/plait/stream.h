// What every byte stream offers: tcp, unix and paired sockets, memory streams, and what is layered
// on them. The throwing calls say what was tried on what; the overloads with an error code are for
// who expects failure as part of the day. A kill or an expired Timeout is thrown by both.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include "plait/error.h"

namespace plait::net {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

inline Bytes asBytes(std::string_view text) noexcept {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

class Stream {
 public:
  virtual ~Stream() = default;

  // Reads at least one byte into `into`; returns the count, 0 at end of stream or for an empty
  // `into`. One reader at a time. After an exception an unknown prefix of `into` is overwritten; a
  // kill loses nothing that had arrived. May switch. Throws: IoError, ConnectionClosed,
  // ConcurrentUseError.
  std::size_t readSome(MutableBytes into);
  virtual std::size_t readSome(MutableBytes into, std::error_code& error) = 0;

  // Writes all of `from`. Several writers are served one after the other, each call whole. A kill
  // or timeout in the middle leaves the stream half written: it then refuses further writes. May
  // switch. Throws: IoError, ConnectionClosed.
  void writeAll(Bytes from);
  void writeAll(std::string_view text) { writeAll(asBytes(text)); }
  virtual void writeAll(Bytes from, std::error_code& error) = 0;
  void writeAll(std::string_view text, std::error_code& error) { writeAll(asBytes(text), error); }

  // Tells the peer that nothing more will be written; reading goes on. May switch. Throws: IoError.
  virtual void shutdownWrite() = 0;

  // Ends the stream: fibers parked in it get ConnectionClosed, and it returns when they have left
  // it. Again is no error. May switch; completes also if the caller is killed meanwhile.
  virtual void close() = 0;

  virtual bool isOpen() const noexcept = 0;
  virtual std::string describe() const = 0;  // "tcp 127.0.0.1:80 <- 127.0.0.1:51234"

  // How many bytes of a write that a kill or an error interrupted were sent before; 0: none was
  // interrupted, or this stream does not know. Never switches.
  virtual std::size_t interruptedAfter() const noexcept { return 0; }
  // Throws what the error code of a failed call stands for; streams that know more than the code
  // say it. Never switches.
  [[noreturn]] virtual void fail(std::error_code code, const char* tried) const;

 protected:
  Stream() = default;
  Stream(Stream&&) = default;
  Stream& operator=(Stream&&) = default;
};

// Throws the error that `code` stands for: ConnectionClosed for a closed or reset connection,
// ConcurrentUseError, TimeoutError, else IoError; the message is "<tried> <what>: <reason>".
[[noreturn]] void throwStreamError(std::error_code code, const char* tried,
                                   const std::string& what);

}  // namespace plait::net
