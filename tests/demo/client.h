// One member of the chat: a fiber that hears and a fiber that talks, on a WebSocket of its own, as
// a page in a browser has it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "../bench/histogram.h"
#include "hearing.h"
#include <plait/plait.h>
#include <plait/websocket_client.h>

// What all clients count together.
struct Tally {
  std::uint64_t connections = 0;
  std::uint64_t said = 0;
  std::uint64_t heard = 0;
  std::uint64_t faults = 0;  // heard lines that were not the next of their speaker
  Histogram latency;         // nanoseconds from saying to hearing, in all
  Histogram recent;          // the same since the last look
};

// Where a client sits: the room, its place in it, and how many there are.
struct Seat {
  std::size_t room = 0;
  std::size_t place = 0;
  std::size_t places = 0;
};

class Client final {
 public:
  Client(Tally& tally, const Seat& seat, std::uint64_t seed);

  // Connects, takes the seat, and hears from then on in `fibers`. May switch. Throws: plait::Error.
  void join(const std::string& url, plait::TaskGroup& fibers);
  // Says something now and then, on average once in `pause`, and waits to hear it, until `stop` is
  // set. On return the server has passed on all of it. May switch.
  void talk(plait::Duration pause, plait::Event& stop);
  // On return this client has heard all that the server had passed on when it was called. May
  // switch.
  void catchUp();
  void leave();  // May switch.

  const Seat& seat() const noexcept { return seat_; }
  std::uint64_t said() const noexcept { return said_; }
  const Hearing& hearing() const noexcept { return hearing_; }

 private:
  void hear();
  void hearLine(std::string_view line);

  Tally& tally_;
  Seat seat_;
  std::minstd_rand random_;
  plait::http::WebSocket socket_;
  Hearing hearing_;
  std::uint64_t said_ = 0;
  plait::Semaphore ownHeard_{0};
  plait::Semaphore answers_{0};  // to /nick
};
