// Streams that treat the bytes on their way as a bad network or a bad peer would.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "plait/memory_stream.h"
#include "plait/stream.h"

namespace plait::test {

using Record = std::vector<std::byte>;

// What a record begins with.
inline constexpr std::byte kAlert{21};
inline constexpr std::byte kApplicationData{23};

// One end of a memory pair. The functions are for the test to set, and to change at any time.
class WireEnd final : public net::Stream {
 public:
  explicit WireEnd(net::MemoryStream below) : below_(std::move(below)) {}

  // How many of the bytes that a reader has room for it may get.
  std::function<std::size_t(std::size_t)> pieceOf = [](std::size_t room) { return room; };
  // Gets each write as a whole before it goes out.
  std::function<void(Record&)> onWrite = [](Record&) {};
  bool failsWrites = false;  // as if the peer had gone, while reading goes on

  using Stream::readSome;
  using Stream::writeAll;
  std::size_t readSome(net::MutableBytes into, std::error_code& error) override {
    return below_.readSome(into.first(std::min(into.size(), pieceOf(into.size()))), error);
  }
  void writeAll(net::Bytes from, std::error_code& error) override {
    if (failsWrites) {
      error = std::make_error_code(std::errc::broken_pipe);
      return;
    }
    Record bytes(from.begin(), from.end());
    onWrite(bytes);
    below_.writeAll(bytes, error);
  }
  void shutdownWrite() override { below_.shutdownWrite(); }
  void close() override { below_.close(); }
  bool isOpen() const noexcept override { return below_.isOpen(); }
  std::string describe() const override { return "a wire"; }
  std::size_t interruptedAfter() const noexcept override { return below_.interruptedAfter(); }

 private:
  net::MemoryStream below_;
};

inline std::pair<WireEnd, WireEnd> wirePair(std::size_t capacity = net::kMemoryStreamBytes) {
  auto [a, b] = net::memoryPair(capacity);
  return {WireEnd(std::move(a)), WireEnd(std::move(b))};
}

inline WireEnd& wireOf(net::Stream& below) { return static_cast<WireEnd&>(below); }

// The TLS records in `bytes`, which holds whole ones.
inline std::vector<Record> recordsOf(net::Bytes bytes) {
  constexpr std::size_t kHeader = 5;
  std::vector<Record> records;
  while (bytes.size() >= kHeader) {
    const std::size_t length = kHeader + (std::to_integer<std::size_t>(bytes[3]) << 8) +
                               std::to_integer<std::size_t>(bytes[4]);
    const net::Bytes record = bytes.first(std::min(length, bytes.size()));
    records.emplace_back(record.begin(), record.end());
    bytes = bytes.subspan(record.size());
  }
  return records;
}

}  // namespace plait::test
