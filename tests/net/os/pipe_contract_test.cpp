// The stream contract over pipes: two of them, one in each direction.

#include "plait/pipe.h"
#include "stream_contract.h"

namespace plait::test {
namespace {

class Duplex final : public net::Stream {
 public:
  Duplex(os::PipeStream in, os::PipeStream out) : in_(std::move(in)), out_(std::move(out)) {}

  using Stream::readSome;
  using Stream::writeAll;
  std::size_t readSome(net::MutableBytes into, std::error_code& error) override {
    return in_.readSome(into, error);
  }
  void writeAll(net::Bytes from, std::error_code& error) override { out_.writeAll(from, error); }
  void shutdownWrite() override { out_.shutdownWrite(); }
  void close() override {
    in_.close();
    out_.close();
  }
  bool isOpen() const noexcept override { return in_.isOpen(); }
  std::string describe() const override { return in_.describe() + ", " + out_.describe(); }

 private:
  os::PipeStream in_;
  os::PipeStream out_;
};

StreamPair pipes() {
  auto [readForth, writeForth] = os::pipe();
  auto [readBack, writeBack] = os::pipe();
  return {std::make_unique<Duplex>(std::move(readBack), std::move(writeForth)),
          std::make_unique<Duplex>(std::move(readForth), std::move(writeBack))};
}

const StreamMaker kPipes(
    {.name = "pipes on uring", .kernel = "uring", .make = pipes, .raisesPipeSignal = true});
const StreamMaker kPipesSim({.name = "pipes on sim", .kernel = "sim", .make = pipes});
const StreamMaker kPipesHostile({.name = "pipes on a hostile sim",
                                 .kernel = "sim",
                                 .make = pipes,
                                 .sim = SimOptions::hostile(seed())});

}  // namespace
}  // namespace plait::test
