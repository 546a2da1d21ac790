// Two connected streams without a descriptor: for tests, and for pipes between fibers of one loop.
// They keep the whole contract of Stream. Both ends belong to one loop's thread; either may die
// first.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "plait/stream.h"

namespace plait::net {

namespace detail {
class MemoryEnd;
}

inline constexpr std::size_t kMemoryStreamBytes = 65'536;  // on their way, in each direction

class MemoryStream final : public Stream {
 public:
  MemoryStream() noexcept;  // closed
  explicit MemoryStream(std::unique_ptr<detail::MemoryEnd> end) noexcept;
  MemoryStream(MemoryStream&& other) noexcept;
  MemoryStream& operator=(MemoryStream&& other) noexcept;
  // Closes; nobody may be parked in it.
  ~MemoryStream() override;

  using Stream::readSome;
  using Stream::writeAll;
  std::size_t readSome(MutableBytes into, std::error_code& error) override;
  void writeAll(Bytes from, std::error_code& error) override;
  // Waits for the writers that came before.
  void shutdownWrite() override;
  void close() override;
  bool isOpen() const noexcept override;
  std::string describe() const override;
  std::size_t interruptedAfter() const noexcept override;

 private:
  std::unique_ptr<detail::MemoryEnd> end_;
};

// A writer parks while `capacity` bytes of its direction wait to be read.
// Never switches. Throws: std::invalid_argument for a capacity of 0.
std::pair<MemoryStream, MemoryStream> memoryPair(std::size_t capacity = kMemoryStreamBytes);

}  // namespace plait::net
