// What the load generators share: connecting, the clock, and the lines that a driver sends them.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iostream>
#include <sstream>
#include <string>

inline constexpr unsigned kStallSeconds = 20;
inline constexpr unsigned kConnectSeconds = 60;

[[noreturn]] inline void die(const std::string& what) {
  std::cerr << "load: " << what << ": " << std::strerror(errno) << '\n';
  std::exit(1);
}

inline std::uint64_t nanosecondsNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(now.tv_nsec);
}

inline sockaddr_in addressOf(const std::string& endpoint) {
  const std::size_t colon = endpoint.rfind(':');
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  if (colon == std::string::npos ||
      inet_pton(AF_INET, endpoint.substr(0, colon).c_str(), &peer.sin_addr) != 1) {
    errno = EINVAL;
    die("not an IPv4 HOST:PORT: " + endpoint);
  }
  peer.sin_port = htons(static_cast<std::uint16_t>(std::stoi(endpoint.substr(colon + 1))));
  return peer;
}

// From 127.0.0.1, or for a `source` above 0 from one of the addresses behind it.
inline int connectTo(const sockaddr_in& peer, std::size_t source) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // BBR paces, even over loopback, and scatters the figures.
  setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
  if (source > 0) {
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    sockaddr_in local{};
    local.sin_family = AF_INET;
    local.sin_addr.s_addr = htonl(INADDR_LOOPBACK + static_cast<std::uint32_t>(source));
    if (bind(fd, reinterpret_cast<sockaddr*>(&local), sizeof local) != 0) die("bind");
  }
  if (connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof peer) != 0) die("connect");
  return fd;
}

inline void raiseDescriptorLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// A server that stops answering must not hang the driver: alarm(2) ends the program.
inline void dieWhenStalled() {
  std::signal(SIGALRM, [](int) {
    constexpr char kMessage[] = "load: the server stopped answering\n";
    [[maybe_unused]] const ssize_t n = write(STDERR_FILENO, kMessage, sizeof kMessage - 1);
    _exit(1);
  });
}

// Calls `run(seconds, warmup)` for each line `run SECONDS [WARMUP_SECONDS]` until `quit`.
template <class F>
void obeyLines(F run, std::size_t connections) {
  std::cout << "{\"ready\": " << connections << "}" << std::endl;
  for (std::string line; std::getline(std::cin, line) && line != "quit";) {
    std::istringstream words(line);
    std::string verb;
    double seconds = 0;
    double warmup = 0;
    words >> verb >> seconds >> warmup;
    if (verb != "run" || seconds <= 0) {
      std::cout << "{\"error\": \"expected: run SECONDS [WARMUP_SECONDS] | quit\"}" << std::endl;
      continue;
    }
    run(seconds, warmup);
  }
}
