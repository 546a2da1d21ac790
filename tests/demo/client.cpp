#include "client.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string_view>

using namespace plait;

namespace {

// "p17" is who sits at place 17; this reads the 17, and moves `text` behind it.
std::uint64_t takeNumber(std::string_view& text) {
  std::uint64_t number = ~std::uint64_t{0};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

std::uint64_t nanosecondsNow() {
  return static_cast<std::uint64_t>(now().time_since_epoch().count());
}

}  // namespace

Client::Client(Tally& tally, const Seat& seat, std::uint64_t seed)
    : tally_(tally),
      seat_(seat),
      random_(static_cast<std::minstd_rand::result_type>(seed)),
      hearing_(seat.places) {}

void Client::join(const std::string& endpoint, TaskGroup& fibers) {
  stream_ = net::connect(endpoint);
  ++tally_.connections;
  fibers.spawn([this] { hear(); });
  stream_.writeAll("/join room" + std::to_string(seat_.room) + "\n");
  catchUp();
}

void Client::talk(Duration pause, Event& stop) {
  std::uniform_int_distribution<Duration::rep> pauses(0, 2 * pause.count());
  while (!stop.wait(Duration(pauses(random_)))) {
    // NUMBER TIME
    stream_.writeAll(std::to_string(said_) + " " + std::to_string(nanosecondsNow()) + "\n");
    ++said_;
    ++tally_.said;
    ownHeard_.acquire();
  }
  catchUp();
}

// The server answers this after all that it was told before.
void Client::catchUp() {
  stream_.writeAll("/nick p" + std::to_string(seat_.place) + "\n");
  answers_.acquire();
}

void Client::leave() {
  stream_.writeAll("/quit\n");
  stream_.shutdownWrite();
}

void Client::hear() {
  try {
    net::BufferedStream lines(stream_);
    while (const auto line = lines.readLine()) hearLine(*line);
  } catch (const Error& error) {
    std::fprintf(stderr, "\n%s\n", error.what());
    ++tally_.faults;
  }
  --tally_.connections;
}

// "p17: NUMBER TIME", or an answer that begins with a star.
void Client::hearLine(const std::string& line) {
  std::string_view rest = line;
  if (rest.starts_with('*')) return answers_.release();
  rest.remove_prefix(1);
  const std::size_t speaker = takeNumber(rest);
  rest.remove_prefix(std::min<std::size_t>(rest.size(), 2));
  const std::uint64_t number = takeNumber(rest);
  rest.remove_prefix(std::min<std::size_t>(rest.size(), 1));
  const std::uint64_t time = takeNumber(rest);

  if (!hearing_.hear(speaker, number)) ++tally_.faults;
  ++tally_.heard;
  tally_.latency.record(nanosecondsNow() - time);
  tally_.recent.record(nanosecondsNow() - time);
  if (speaker == seat_.place) ownHeard_.release();
}
