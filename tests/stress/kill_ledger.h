// The books of one direction of a connection: what was sent, what came, and whether the two agree.
// Every byte tells by its value which direction it belongs to and at which place, so that a lost, a
// doubled and a moved byte all show.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace plait::test {

class Flow final {
 public:
  explicit Flow(std::uint32_t number) noexcept : number_(number) {}

  // The first bytes of every direction are its number, by which a server knows its client.
  static constexpr std::size_t kHeaderBytes = 4;
  static std::uint32_t numberIn(std::span<const std::byte, kHeaderBytes> header) noexcept;

  std::string content(std::uint64_t from, std::size_t bytes) const;

  // A write begins; if it is struck it may leave a part of `bytes` behind.
  void attempt(std::size_t bytes) noexcept;
  void commit(std::size_t bytes) noexcept;
  // The write before was struck, and the stream refuses another: a part had been sent. `refusal` is
  // what it says; if it tells how many bytes, they are held to be the part.
  void breakOff(const std::string& refusal);
  // An end of the connection was closed: what was on its way may be lost.
  void cut() noexcept { cut_ = true; }

  // Checks what arrived next. Throws: std::runtime_error for a byte that is not the next one.
  void take(std::span<const std::byte> bytes);
  void end() noexcept { ended_ = true; }

  std::uint64_t sent() const noexcept { return committed_; }
  std::uint64_t received() const noexcept { return received_; }
  bool isStruck() const noexcept { return attempted_ > 0; }
  bool isBroken() const noexcept { return broken_; }
  bool isCut() const noexcept { return cut_; }
  bool isEnded() const noexcept { return ended_; }

  // Empty if received is what was sent; else a sentence.
  std::string disagreement() const;
  std::string describe() const;

 private:
  std::byte at(std::uint64_t place) const noexcept;

  std::uint32_t number_;
  std::uint64_t committed_ = 0;  // by writes that returned
  std::uint64_t attempted_ = 0;  // most bytes of a write that was struck since
  std::uint64_t received_ = 0;
  std::uint64_t part_ = 0;  // of a broken write, if it was told
  bool broken_ = false;
  bool cut_ = false;
  bool ended_ = false;
};

// Both directions, from the client's side.
struct Connection {
  explicit Connection(std::uint32_t number) : up(number * 2), down(number * 2 + 1) {}
  Flow up;
  Flow down;
};

}  // namespace plait::test
