// The sim kernel: a loop on virtual descriptors, a virtual network and a virtual clock, for tests
// that are fast, exact about time and the same at every run. Nothing leaves the process and nothing
// sleeps: when all fibers wait, the clock jumps to what comes next. Each loop has a network of its
// own, in which the loopback addresses, unix paths and pipes exist; 192.0.2.0/24, 198.51.100.0/24,
// 203.0.113.0/24 and 2001:db8::/32 are hosts that never answer. Real descriptors and files are not
// reachable from it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "plait/time.h"

namespace plait {

// Everything random is drawn from `seed`: equal options and an equal program give an equal run, as
// long as no other thread takes part. Rates are probabilities from 0 to 1.
struct SimOptions {
  // Deterministic and first in, first out, without faults: the defaults.
  static SimOptions calm() { return {}; }
  // Everything that a real kernel may do to a correct program, short of errors; see errorRate.
  static SimOptions hostile(std::uint64_t seed);

  std::uint64_t seed = 1;

  // Reads and writes move a part of what they could. Never with MSG_WAITALL, for a datagram, or for
  // a write to a pipe that the system promises to keep whole.
  bool shortTransfers = false;
  // Completions come in random order; those of one descriptor and direction keep theirs.
  bool reorder = false;
  // What happened is told up to `latencyMax` later, and a cancel arrives as late.
  bool delays = false;
  Duration latencyMax = std::chrono::milliseconds(1);

  // How often an operation that could complete when its cancel arrives does so.
  double cancelLossRate = 0;
  // How often a multishot operation ends with a result although more would come.
  double multishotEndRate = 0;
  // How often an operation fails as a real one may: a tcp connection is reset at both ends, a
  // connect is refused or times out, a connection is aborted before its accept, a udp send finds no
  // buffer.
  double errorRate = 0;

  // Virtual time that passes at each reading of the clock. With 0 the clock moves only while
  // everything waits, so a program that is never idle sees neither timers nor delayed completions.
  Duration clockStep = Duration::zero();

  std::size_t descriptorsMax = 65'536;  // open at once; beyond it, EMFILE
  std::size_t pipeBytes = 65'536;
  std::size_t socketBytes = 65'536;  // of each direction; SO_SNDBUF changes a socket's own

  // Closing a descriptor under an operation in flight is a bug: it aborts. False: it is counted,
  // the operation goes on and the descriptor's end is seen only after it, as on Linux.
  bool abortOnCloseInFlight = true;
};

}  // namespace plait
