// The stream of a connection as the server sees it: what is to be sent is collected, and leaves in
// one write before anything is waited for. So the responses of pipelined requests share a write,
// and no reader ever waits for a client that waits for us.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

#include "board.h"
#include "plait/file.h"
#include "plait/stream.h"

namespace plait::http::detail {

class Wire final : public net::Stream {
 public:
  // Both outlive it.
  Wire(net::Stream& below, Watch& watch) noexcept : below_(below), watch_(watch) {}

  // To be appended to.
  std::string& output() noexcept { return output_; }
  // Sends the output. May switch. Throws: ConnectionClosed, IoError, DeadlineExpired.
  void flush();
  // Once so much is collected there is no use in collecting more.
  void flushIfFull();
  // Sends what is in the output, then the file. May switch. Throws: as flush(); IoError.
  void sendFile(os::File& file, std::uint64_t offset, std::uint64_t count);
  // What a reader shall get before anything else.
  void putBack(std::string bytes) { leftover_ = std::move(bytes); }
  // Something went wrong below, or is half written.
  bool isBroken() const noexcept { return isBroken_; }
  // Tells the client by a reset that what it got is not all.
  void resetOnClose();

  using Stream::readSome;
  using Stream::writeAll;
  std::size_t readSome(net::MutableBytes into, std::error_code& error) override;
  void writeAll(net::Bytes from, std::error_code& error) override;
  void shutdownWrite() override;
  void close() override { below_.close(); }
  bool isOpen() const noexcept override { return below_.isOpen(); }
  std::string describe() const override { return below_.describe(); }

 private:
  void flush(std::error_code& error);
  Duration timeFor(std::size_t bytes) const noexcept;

  net::Stream& below_;
  Watch& watch_;
  std::string output_;
  std::string leftover_;
  bool isBroken_ = false;
};

}  // namespace plait::http::detail
