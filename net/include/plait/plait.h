// All of plait's core: fibers, time, threads, and I/O that looks as if it blocked.
#pragma once

#include "plait/address.h"
#include "plait/async_result.h"
#include "plait/buffered_stream.h"
#include "plait/call_later.h"
#include "plait/cancel_shield.h"
#include "plait/cancellation.h"
#include "plait/copy.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/fiber_local.h"
#include "plait/fork.h"
#include "plait/greenlet.h"
#include "plait/greenlet_exit.h"
#include "plait/group.h"
#include "plait/imap.h"
#include "plait/kernel_info.h"
#include "plait/loop_handle.h"
#include "plait/memory_stream.h"
#include "plait/mutex.h"
#include "plait/no_switch_scope.h"
#include "plait/offload.h"
#include "plait/queue.h"
#include "plait/race.h"
#include "plait/report.h"
#include "plait/resolver.h"
#include "plait/run.h"
#include "plait/run_threads.h"
#include "plait/select.h"
#include "plait/semaphore.h"
#include "plait/server.h"
#include "plait/signal.h"
#include "plait/sim.h"
#include "plait/spawn_observer.h"
#include "plait/spawn_options.h"
#include "plait/statistics.h"
#include "plait/stream.h"
#include "plait/tcp.h"
#include "plait/thread_pool.h"
#include "plait/thread_safe.h"
#include "plait/time.h"
#include "plait/time_source.h"
#include "plait/timeout.h"
#include "plait/udp.h"
#include "plait/unix.h"

namespace plait {

// With `using namespace plait` a duration reads as 200ms or 2s.
using namespace std::chrono_literals;

}  // namespace plait
