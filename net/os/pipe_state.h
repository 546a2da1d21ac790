// What a PipeStream is behind its movable handle: any descriptor that is read and written.
#pragma once

#include <cstdint>
#include <string>
#include <system_error>

#include "plait/detail/descriptor.h"
#include "plait/detail/write_turns.h"
#include "plait/stream.h"

namespace plait::os::detail {

using net::Bytes;
using net::MutableBytes;
using plait::detail::Op;
using plait::detail::OpKind;

class PipeState final {
 public:
  PipeState(int number, std::string name, bool owned);

  std::size_t readSome(MutableBytes into, std::error_code& error);
  void writeAll(Bytes from, std::error_code& error);
  void shutdownWrite(std::error_code& error);
  std::string describe() const;

  plait::detail::Descriptor descriptor;
  net::detail::WriteTurns writers;

 private:
  enum class Direction : std::uint8_t { in, out, both };

  // Runs the op; if it has to wait for the descriptor first, polls for `events`.
  std::int32_t transfer(Op& op, std::uint32_t events, const char* what);

  std::string name_;
  Direction direction_ = Direction::out;
  bool isSocket_ = false;
  bool pollsFirst_ = false;
  bool isTerminal_ = false;
  bool reading_ = false;
  bool writeEnded_ = false;
};

}  // namespace plait::os::detail
