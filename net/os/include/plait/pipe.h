// Pipes, terminals and whatever else is read and written by descriptor, as streams; and the
// process's own standard streams.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "plait/stream.h"

namespace plait::os {

namespace detail {
class PipeState;
}

// One descriptor as a stream: an end of a pipe, a FIFO, a terminal, a device. The descriptor's
// flags stay as they are: O_NONBLOCK may be set or not. Reading the writing end, or the other way
// round, is an IoError (EBADF).
class PipeStream final : public net::Stream {
 public:
  PipeStream() noexcept;  // closed
  // Takes over the descriptor; one that is not `owned` stays open when the stream closes. `name` is
  // for messages. Throws: std::logic_error off a loop.
  explicit PipeStream(int descriptor, std::string name = "pipe", bool owned = true);
  PipeStream(PipeStream&&) noexcept;
  PipeStream& operator=(PipeStream&&) noexcept;
  // Closes; nobody may be parked in it.
  ~PipeStream() override;

  using Stream::readSome;
  using Stream::writeAll;
  std::size_t readSome(net::MutableBytes into, std::error_code& error) override;
  void writeAll(net::Bytes from, std::error_code& error) override;
  void shutdownWrite() override;  // of a writing end: closes it
  void close() override;
  bool isOpen() const noexcept override;
  std::string describe() const override;

  int descriptor() const noexcept;  // stays this stream's; -1 if closed
  int detach();                     // gives it away; nobody may be parked in it

  detail::PipeState* state() const noexcept { return state_.get(); }

 private:
  std::unique_ptr<detail::PipeState> state_;
};

// {reading end, writing end}, close-on-exec. Never switches. Throws: IoError.
std::pair<PipeStream, PipeStream> pipe();

// Opens a FIFO or a device, parked until the other end of a FIFO is there too. May switch. Throws:
// IoError.
PipeStream openPipe(std::string path, bool forWriting);

// Descriptors 0, 1 and 2 as streams of this loop, which do not own them: a file, a pipe, a
// terminal. Several objects may stand for the same descriptor. Throw: IoError if it is closed.
PipeStream standardInput();
PipeStream standardOutput();
PipeStream standardError();

struct TerminalSize {
  unsigned columns = 0;
  unsigned rows = 0;
};

// Never switch. Throw: IoError for what is no terminal, but isTerminal().
bool isTerminal(int descriptor) noexcept;
TerminalSize terminalSize(int descriptor);

// The terminal gives each key at once and shows none, as editors want it, as long as it lives; also
// restored when the process exits in order.
class RawTerminal final {
 public:
  explicit RawTerminal(int descriptor = 0);
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal();

 private:
  struct Saved;
  std::unique_ptr<Saved> saved_;
};

}  // namespace plait::os
