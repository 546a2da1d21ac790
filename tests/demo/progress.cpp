#include "progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

using namespace plait;

ServerProbe::ServerProbe(const std::string& endpoint) : server_(net::connect(endpoint)) {}

// /list begins with "* N fibers, M kernel entries"; the answer to /nick tells where it ends.
ServerProbe::Answer ServerProbe::ask() {
  server_.writeAll("/list\n/nick probe\n");
  Answer answer;
  unsigned long long fibers = 0;
  unsigned long long enters = 0;
  while (const auto line = server_.readLine()) {
    if (line->starts_with("* you are")) break;
    if (std::sscanf(line->c_str(), "* %llu fibers, %llu", &fibers, &enters) == 2) {
      answer = {fibers, enters};
    }
  }
  return answer;
}

Progress::Progress(const ServerProcess& server, Tally& tally)
    : server_(server),
      tally_(tally),
      probe_(server.endpoint()),
      isTerminal_(::isatty(STDERR_FILENO) != 0),
      lastLook_(now()),
      lastHeard_(tally.heard),
      last_(probe_.ask()),
      firstEnters_(last_.enters),
      firstHeard_(tally.heard) {}

void Progress::show() {
  const ServerProbe::Answer answer = probe_.ask();
  const TimePoint time = now();
  const double seconds = std::chrono::duration<double>(time - lastLook_).count();
  const auto heard = static_cast<double>(tally_.heard - lastHeard_);
  const double resident = server_.residentMegabytes();
  std::fprintf(
      stderr,
      "%s%llu connections | %.0f messages/s | p99 %.2f ms | %llu + %zu fibers | server %.1f "
      "MB, %.3f enters/message%s",
      isTerminal_ ? "\r\033[K" : "", static_cast<unsigned long long>(tally_.connections),
      heard / std::max(seconds, 1e-9), tally_.recent.quantile(0.99) / 1e6,
      static_cast<unsigned long long>(answer.fibers), loopStatistics().stacks, resident,
      static_cast<double>(answer.enters - last_.enters) / std::max(heard, 1.0),
      isTerminal_ ? "" : "\n");
  lastLook_ = time;
  lastHeard_ = tally_.heard;
  last_ = answer;
  residentMax_ = std::max(residentMax_, resident);
  tally_.recent.clear();
}

void Progress::finish() {
  if (isTerminal_) std::fputc('\n', stderr);
}

double Progress::entersPerMessage() const noexcept {
  return static_cast<double>(last_.enters - firstEnters_) /
         std::max(1.0, static_cast<double>(lastHeard_ - firstHeard_));
}
