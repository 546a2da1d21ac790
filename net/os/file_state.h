// What a File is behind its movable handle: its operations, told by error codes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <system_error>

#include "plait/detail/descriptor.h"
#include "plait/detail/write_turns.h"
#include "plait/file.h"

namespace plait::os::detail {

using plait::detail::Op;
using plait::detail::OpKind;

class FileState final {
 public:
  FileState(int number, std::string name);

  std::size_t readAt(std::uint64_t offset, MutableBytes into, std::error_code& error);
  std::size_t readAt(std::uint64_t offset, std::span<const MutableBytes> into,
                     std::error_code& error);
  // The bytes written: all of them, but after an error.
  std::size_t writeAt(std::uint64_t offset, Bytes from, std::error_code& error);
  std::size_t writeAt(std::uint64_t offset, std::span<const Bytes> from, std::error_code& error);

  // At the position.
  std::size_t readSome(MutableBytes into, std::error_code& error);
  // `written` grows as it goes on, so that it is known also if a kill leaves the frame.
  void writeAll(Bytes from, std::uint64_t& written, std::error_code& error);
  void sync(bool dataOnly, std::error_code& error);
  void close(std::error_code& error);

  const std::string& name() const noexcept { return name_; }

  plait::detail::Descriptor descriptor;
  net::detail::WriteTurns writers;  // of a FileStream
  std::uint64_t position = 0;

 private:
  class Positioned;

  std::int32_t await(Op& op, const char* what);

  std::string name_;
  bool isSeekable_ = true;
  bool writesAtPosition_ = true;  // false: of an appending file at its end, as the kernel knows it
  bool positioned_ = false;       // a call that moves the position is under way
};

// The error of a call that was `tried` on what is described. Does nothing without one.
void throwFileError(std::error_code code, const char* tried, const std::string& what);

// Opens `path` by the flags of open(2); negative errno. May switch.
std::int32_t openNumber(const std::string& path, int flags, std::uint32_t permissions);

}  // namespace plait::os::detail
