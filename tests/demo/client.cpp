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

void Client::join(const std::string& url, TaskGroup& fibers) {
  socket_ = http::connectWebSocket(url);
  ++tally_.connections;
  fibers.spawn([this] { hear(); });
  socket_.sendText("/join room" + std::to_string(seat_.room));
  catchUp();
}

void Client::talk(Duration pause, Event& stop) {
  std::uniform_int_distribution<Duration::rep> pauses(0, 2 * pause.count());
  while (!stop.wait(Duration(pauses(random_)))) {
    // NUMBER TIME
    socket_.sendText(std::to_string(said_) + " " + std::to_string(nanosecondsNow()));
    ++said_;
    ++tally_.said;
    ownHeard_.acquire();
  }
  catchUp();
}

// The server answers this after all that it was told before.
void Client::catchUp() {
  socket_.sendText("/nick p" + std::to_string(seat_.place));
  answers_.acquire();
}

void Client::leave() { socket_.sendText("/quit"); }

void Client::hear() {
  try {
    // A message has one line or several.
    for (http::WebSocket::Message message; socket_.receive(message);) {
      for (std::string_view rest = message.data; !rest.empty();) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        hearLine(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "\n%s\n", error.what());
    ++tally_.faults;
  }
  --tally_.connections;
}

// "p17: NUMBER TIME", or an answer that begins with a star, or what was said before we came.
void Client::hearLine(std::string_view rest) {
  if (rest.starts_with('*')) return answers_.release();
  if (rest.starts_with('~')) return;
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
