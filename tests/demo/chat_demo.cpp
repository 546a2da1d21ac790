// The demo: starts the chat server, lets a thousand WebSocket clients talk in it, and checks that
// every message reached every member of its room exactly once and in one order.
//
//   chat_demo PATH_TO_CHAT_SERVER [--clients 1000] [--seconds 5]
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "client.h"
#include "progress.h"
#include "server_process.h"
#include <plait/plait.h>

using namespace plait;

namespace {

constexpr std::size_t kRoomPlaces = 20;
constexpr std::size_t kConnectingMax =
    256;                            // at once; the rest of the listener's backlog stays free
constexpr Duration kPause = 500ms;  // between two lines of a client, on average
constexpr Duration kLook = 500ms;
constexpr Duration kPatience = 60s;  // for what was said to arrive in the end
constexpr rlim_t kOtherDescriptors = 64;

struct Options {
  std::string server;
  std::size_t clients = 1000;
  double seconds = 5;
};

using Clients = std::vector<std::unique_ptr<Client>>;

[[noreturn]] void usage() {
  std::fprintf(stderr, "usage: chat_demo PATH_TO_CHAT_SERVER [--clients N] [--seconds N]\n");
  std::exit(2);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const bool hasValue = i + 1 < argc;
    if (std::strcmp(argv[i], "--clients") == 0 && hasValue) {
      options.clients = std::strtoul(argv[++i], nullptr, 10);
    } else if (std::strcmp(argv[i], "--seconds") == 0 && hasValue) {
      options.seconds = std::strtod(argv[++i], nullptr);
    } else if (argv[i][0] != '-' && options.server.empty()) {
      options.server = argv[i];
    } else {
      usage();
    }
  }
  if (options.server.empty() || options.clients == 0 || !(options.seconds > 0)) usage();
  return options;
}

// Each client is a descriptor here, and one in the server, which inherits the limit.
void allowDescriptors(std::size_t clients) {
  const rlim_t wanted = clients + kOtherDescriptors;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  if (limit.rlim_max < wanted) limit.rlim_max = wanted;
  if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) return;
  std::fprintf(stderr, "%zu clients need %llu descriptors; raise the hard limit (ulimit -Hn)\n",
               clients, static_cast<unsigned long long>(wanted));
  std::exit(2);
}

Clients makeClients(Tally& tally, std::size_t count) {
  const char* const seed = std::getenv("PLAIT_SEED");
  const std::size_t firstSeed = seed != nullptr ? std::strtoul(seed, nullptr, 10) : 1;
  Clients clients;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t room = i / kRoomPlaces;
    const std::size_t places = std::min(kRoomPlaces, count - room * kRoomPlaces);
    const Seat seat{room, i % kRoomPlaces, places};
    clients.push_back(std::make_unique<Client>(tally, seat, firstSeed + i));
  }
  return clients;
}

struct Verdict {
  std::uint64_t expected = 0;  // messages times members of their room
  std::uint64_t missing = 0;
  std::size_t otherOrder = 0;  // members who heard their room in another order than its first
};

Verdict judge(const Clients& clients) {
  Verdict verdict;
  for (std::size_t first = 0; first < clients.size(); first += kRoomPlaces) {
    const std::size_t places = clients[first]->seat().places;
    const std::uint64_t fingerprint = clients[first]->hearing().fingerprint();
    for (std::size_t listener = first; listener < first + places; ++listener) {
      const Hearing& hearing = clients[listener]->hearing();
      if (hearing.fingerprint() != fingerprint) ++verdict.otherOrder;
      for (std::size_t place = 0; place < places; ++place) {
        const std::uint64_t said = clients[first + place]->said();
        verdict.expected += said;
        verdict.missing += said - hearing.countOf(place);
      }
    }
  }
  return verdict;
}

void showWhile(Progress& progress, Duration time) {
  const TimePoint end = after(now(), time);
  while (now() < end) {
    sleep(std::min<Duration>(kLook, end - now()));
    progress.show();
  }
  progress.finish();
}

// True if everything was delivered.
bool summarize(const Clients& clients, const Tally& tally, const Progress& progress,
               double seconds) {
  const Verdict verdict = judge(clients);
  const bool good = tally.faults == 0 && verdict.missing == 0 && verdict.otherOrder == 0 &&
                    tally.heard == verdict.expected && tally.said > 0;
  std::printf("%zu clients in %zu rooms said %llu messages and heard %llu in %.1f s: %.0f/s\n",
              clients.size(), (clients.size() + kRoomPlaces - 1) / kRoomPlaces,
              static_cast<unsigned long long>(tally.said),
              static_cast<unsigned long long>(tally.heard), seconds,
              static_cast<double>(tally.heard) / seconds);
  std::printf("from saying to hearing: p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms\n",
              tally.latency.quantile(0.5) / 1e6, tally.latency.quantile(0.99) / 1e6,
              tally.latency.quantile(0.999) / 1e6);
  std::printf("the server entered the kernel %.3f times per message and held at most %.1f MB\n",
              progress.entersPerMessage(), progress.residentMegabytesMax());
  if (good) {
    std::printf("each message reached every member of its room exactly once, in the same order\n");
  } else {
    std::printf(
        "NOT DELIVERED as it should be: %llu of %llu missing, %llu out of their speaker's "
        "order or twice, %zu members heard another order\n",
        static_cast<unsigned long long>(verdict.missing),
        static_cast<unsigned long long>(verdict.expected),
        static_cast<unsigned long long>(tally.faults), verdict.otherOrder);
  }
  std::fflush(stdout);
  return good;
}

bool converse(const ServerProcess& server, const Options& options) {
  Tally tally;
  const Clients clients = makeClients(tally, options.clients);
  return withTaskGroup([&](TaskGroup& fibers) {
    Pool connecting(kConnectingMax);
    connecting.map(clients, [&](const auto& client) { client->join(server.liveUrl(), fibers); });

    Progress progress(server, tally);
    Event stop;
    std::vector<Greenlet<void>> talkers;
    for (const auto& client : clients) {
      talkers.push_back(fibers.spawn([&, &each = *client] { each.talk(kPause, stop); }));
    }
    const TimePoint begin = now();
    const std::chrono::duration<double> talking(options.seconds);
    showWhile(progress, std::chrono::duration_cast<Duration>(talking));
    const std::chrono::duration<double> talked = now() - begin;
    stop.set();

    // When the last talker has ended, all that was said is on its way to all members.
    withTimeout(kPatience, [&] {
      joinAllOrThrow(talkers);
      for (const auto& client : clients) client->catchUp();
    });
    const bool good = summarize(clients, tally, progress, talked.count());
    for (const auto& client : clients) client->leave();
    return good;
  });
}

}  // namespace

int main(int argc, char** argv) try {
  const Options options = parse(argc, argv);
  allowDescriptors(options.clients);
  ServerProcess server(options.server);
  const bool delivered = run([&] { return converse(server, options); });
  bool ended = true;
  if (::isatty(STDIN_FILENO) != 0) {
    std::printf("the server stays: open %s, or nc %s %s and /join ROOM; Ctrl-C ends it\n",
                server.page().c_str(), server.host().c_str(), server.port().c_str());
    std::fflush(stdout);
    ended = server.wait();
  } else {
    ended = server.stop();
  }
  if (!ended) std::fprintf(stderr, "the server ended with an error\n");
  return delivered && ended ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "chat_demo: %s\n", error.what());
  return 1;
}
