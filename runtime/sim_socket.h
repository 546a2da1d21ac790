// What a sim descriptor stands for. A Description lives while a descriptor or an operation in
// flight refers to it, as the kernel's open file description does.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "plait/time.h"
#include "sim_address.h"

namespace plait::detail::sim {

struct Description;
struct Flight;  // an operation in flight: sim_kernel.h

// Bytes on their way from one description to another.
struct Channel {
  std::size_t room() const noexcept {
    return bytes.size() < capacity ? capacity - bytes.size() : 0;
  }

  std::deque<std::byte> bytes;
  std::size_t capacity = 0;
  bool finished = false;          // nothing more will be written
  bool abandoned = false;         // nobody will read any more
  Description* reader = nullptr;  // null once released
  Description* writer = nullptr;
};

struct Datagram {
  std::vector<std::byte> payload;
  Address source;
};

// Operations of one direction on one description happen, and are told, in the order of submission.
enum class Direction : std::uint8_t { in, out, none };

// Completions of one direction that are not told yet, and the place of the last of them.
struct Lane {
  int pending = 0;
  std::pair<TimePoint, std::uint64_t> last;
};

enum class Type : std::uint8_t { pipe, stream, datagram };

struct Description final : std::enable_shared_from_this<Description> {
  Description(Type itsType, int itsDomain)
      : type(itsType), domain(itsDomain), local(Address::anyOf(itsDomain)) {}

  bool isInternet() const noexcept;
  std::uint32_t addressBytes() const noexcept;  // the least that an address of it has
  bool isTcp() const noexcept { return type == Type::stream && isInternet(); }
  std::uint32_t readiness() const noexcept;        // the events of poll(2)
  int option(int level, int name) const noexcept;  // 0 if it was never set

  const Type type;
  const int domain;  // 0 for a pipe

  Address local;
  Address remote;
  bool bound = false;
  bool connected = false;
  bool listening = false;
  bool readShut = false;
  bool writeShut = false;
  bool closed = false;    // no descriptor refers to it
  bool released = false;  // nor an operation: it has ended
  int error = 0;          // told once, by the next operation or SO_ERROR
  std::map<std::pair<int, int>, std::vector<std::byte>> options;

  std::shared_ptr<Channel> in;  // each shared with the other end
  std::shared_ptr<Channel> out;

  std::deque<std::shared_ptr<Description>> backlog;  // connections waiting for an accept
  std::size_t backlogMax = 0;

  std::deque<Datagram> mail;
  std::size_t mailBytes = 0;
  std::weak_ptr<Description> partner;  // a connected unix datagram socket's

  // Who waits for room in the backlog or the mail.
  std::vector<std::weak_ptr<Description>> roomWaiters;

  // The kernel's: operations that wait, in order, and all that are in flight.
  std::vector<Flight*> waiting;
  std::array<Lane, 2> lanes;
  int users = 0;
  bool touched = false;
};

}  // namespace plait::detail::sim
