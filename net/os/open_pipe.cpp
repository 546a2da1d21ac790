// An open(2) that waits for the other end of a FIFO would hold a thread: one of the pool, or one of
// the few workers that the kernel has for all operations on files. So the end is opened without
// waiting, and the fiber looks after the other one.
//
// A reader counts as one as soon as its end is open, so a writer's open succeeds. That a writer has
// come shows by what it writes, or by its going; of one that only keeps it open tee(2) tells, which
// finds an end (0) while there is no writer and nothing yet (EAGAIN) when there is. A writer's open
// is refused (ENXIO) until there is a reader.

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "file_state.h"
#include "plait/detail/await.h"
#include "plait/detail/descriptor.h"
#include "plait/greenlet.h"
#include "plait/pipe.h"
#include "plait/timeout.h"

namespace plait::os {
namespace {

using plait::detail::Descriptor;
using plait::detail::Op;
using plait::detail::OpKind;

constexpr Duration kRetryFirst = std::chrono::milliseconds(1);
constexpr Duration kRetryMost = std::chrono::milliseconds(50);

class Patience final {
 public:
  Duration next() noexcept { return std::exchange(wait_, std::min(2 * wait_, kRetryMost)); }

 private:
  Duration wait_ = kRetryFirst;
};

bool isFifo(int number) noexcept {
  struct stat status{};
  return ::fstat(number, &status) == 0 && S_ISFIFO(status.st_mode);
}

// True if bytes came, or a writer came and went; false after `wait`.
bool pollForInput(Descriptor& end, Duration wait) {
  return withTimeout(
      wait,
      [&end] {
        Op op(OpKind::poll);
        op.flags = POLLIN;
        const std::int32_t result = end.await(op, "open");
        if (result < 0 && result != -EINTR) throw IoError(-result, "waiting for a writer");
        return result > 0;
      },
      false);
}

void waitForWriter(Descriptor& end) {
  std::array<int, 2> ends{};
  Op op(OpKind::pipe);
  op.buffer = ends.data();
  const std::int32_t result = plait::detail::callKernel(op);
  if (result < 0) throw IoError(-result, "making a pipe");
  const Descriptor scratchOut(ends[0]);
  const Descriptor scratchIn(ends[1]);
  Patience patience;
  while (!pollForInput(end, patience.next())) {
    if (::tee(end.number(), ends[1], 1, SPLICE_F_NONBLOCK) != 0) return;
  }
}

std::int32_t openWriter(const std::string& path) {
  Patience patience;
  for (;;) {
    const std::int32_t result = detail::openNumber(path, O_WRONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (result != -ENXIO) return result;
    // Also of a socket and of a device that is not there, which will not come.
    struct stat status{};
    if (::stat(path.c_str(), &status) == 0 && !S_ISFIFO(status.st_mode)) return result;
    sleep(patience.next());
  }
}

}  // namespace

PipeStream openPipe(std::string path, bool forWriting) {
  std::string name = "pipe " + path;
  const std::int32_t number =
      forWriting ? openWriter(path) : detail::openNumber(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
  if (number < 0) throw IoError(-number, "opening " + name);
  Descriptor end(number);
  if (!forWriting && isFifo(number)) waitForWriter(end);
  // As an open that waits would have left it.
  ::fcntl(number, F_SETFL, ::fcntl(number, F_GETFL) & ~O_NONBLOCK);
  return PipeStream(end.release(), std::move(name));
}

}  // namespace plait::os
