// A stream that gives bytes which are there already, in pieces of one size, and swallows what is
// written: it never switches, so that a parser runs without a loop.
#pragma once

#include <algorithm>
#include <string>

#include "plait/stream.h"

namespace plait::fuzz {

class ScriptedStream final : public net::Stream {
 public:
  ScriptedStream(net::Bytes bytes, std::size_t piece) noexcept : left_(bytes), piece_(piece) {}

  using Stream::readSome;
  using Stream::writeAll;
  std::size_t readSome(net::MutableBytes into, std::error_code& error) override {
    error.clear();
    const std::size_t count = std::min({into.size(), left_.size(), piece_});
    std::copy_n(left_.data(), count, into.data());
    left_ = left_.subspan(count);
    return count;
  }
  void writeAll(net::Bytes, std::error_code& error) override { error.clear(); }
  void shutdownWrite() override {}
  void close() override {}
  bool isOpen() const noexcept override { return true; }
  std::string describe() const override { return "scripted stream"; }

 private:
  net::Bytes left_;
  std::size_t piece_;
};

}  // namespace plait::fuzz
