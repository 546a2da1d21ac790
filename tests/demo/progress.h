// The live line of the demo: what happened since the last look.
#pragma once

#include <cstdint>
#include <string>

#include "client.h"
#include "server_process.h"
#include <plait/plait.h>

// Asks the server about itself, as one more member.
class ServerProbe final {
 public:
  struct Answer {
    std::uint64_t fibers = 0;
    std::uint64_t enters = 0;  // of its loop, so far
  };

  // May switch. Throws: plait::Error.
  explicit ServerProbe(const std::string& endpoint);
  Answer ask();

 private:
  plait::net::BufferedStream server_;
};

class Progress final {
 public:
  Progress(const ServerProcess& server, Tally& tally);

  // Writes the line to standard error. May switch.
  void show();
  // Ends the line.
  void finish();

  // From the first look to the last.
  double entersPerMessage() const noexcept;
  double residentMegabytesMax() const noexcept { return residentMax_; }

 private:
  const ServerProcess& server_;
  Tally& tally_;
  ServerProbe probe_;
  bool isTerminal_;
  plait::TimePoint lastLook_;
  std::uint64_t lastHeard_ = 0;
  ServerProbe::Answer last_;
  std::uint64_t firstEnters_;
  std::uint64_t firstHeard_;
  double residentMax_ = 0;
};
