// The kernel backend on io_uring. Every operation is one SQE whose user_data is its Op's address;
// cancels and the wake-up carry tags instead, so their completions touch no Op.

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "direct_call.h"
#include "plait/detail/kernel.h"
#include "plait/detail/mask.h"
#include "plait/detail/process.h"
#include "plait/detail/raw.h"
#include "plait/error.h"
#include "uring_ring.h"

namespace plait::detail {
namespace {

constexpr std::uint64_t kIgnored = 1;
constexpr std::uint64_t kWake = 2;
constexpr std::int32_t kRestartSystemCall = 512;  // the kernel's ERESTARTSYS

class UringKernel final : public Kernel {
 public:
  explicit UringKernel(std::size_t entries) : ring_(entries) {
    ring_.info().name = "uring";
    ring_.info().reason = "io_uring is available";
    doorbell_ = {ring_.completionsHead(), ring_.completionsTail(), ring_.flags(),
                 uring::Ring::kFlagsThatCall};
    chooseWake();
  }

  ~UringKernel() override {
    if (abandoned_) return;
    PLAIT_ASSERT(inFlight_ == 0 || operationsAbandoned_);
    if (wakeArmed_ && inFlight_ == 0) endWake();
    if (wakeEvent_ >= 0) raw::close(wakeEvent_);
  }

  void submit(Op& op) noexcept override {
    PLAIT_ASSERT(!op.inFlight);
    op.inFlight = true;
    op.cancelRequested = false;
    ++inFlight_;
    io_uring_sqe* const sqe = takeSlot();
    if (sqe == nullptr) {
      op.kernelNext = refused_;
      refused_ = &op;
      submitted_ = true;
      return;
    }
    describe(op, *sqe);
    if (op.onWorker) sqe->flags |= IOSQE_ASYNC;
    sqe->user_data = reinterpret_cast<std::uint64_t>(&op);
  }

  void cancel(Op& op) noexcept override {
    PLAIT_ASSERT(op.inFlight);
    if (op.cancelRequested) return;
    op.cancelRequested = true;
    cancelBy([&op](io_uring_sqe& sqe) {
      ::io_uring_prep_cancel64(&sqe, reinterpret_cast<std::uint64_t>(&op), 0);
    });
  }

  void cancelDescriptor(int descriptor) noexcept override {
    cancelBy([descriptor](io_uring_sqe& sqe) {
      ::io_uring_prep_cancel_fd(&sqe, descriptor, IORING_ASYNC_CANCEL_ALL);
    });
  }

  std::int32_t call(Op& op) noexcept override { return directCall(op); }

  void turn(TimePoint deadline) override {
    const bool mayWait = deadline != TimePoint::min() && refused_ == nullptr;
    if (mayWait && !wakeArmed_) armWake();
    const bool wait = mayWait && !ring_.hasCompletions();
    Duration timeout = kForever;
    if (wait && deadline != kNever) {
      timeout = std::max(deadline - raw::monotonicNow(), Duration::zero());
    }
    ++counters_.enters;
    const long result = ring_.enter(wait, timeout);
    awake_.store(kAwake, std::memory_order_relaxed);
    // EBUSY and EAGAIN: the completion queue is full or memory is short; reaping makes room.
    if (result < 0 && result != -ETIME && result != -EINTR && result != -EBUSY &&
        result != -EAGAIN) {
      throw IoError(static_cast<int>(-result), "entering io_uring");
    }
    submitted_ = ring_.queued() > 0;
    reap();
    failRefused();
  }

  void announceSleep() noexcept override { awake_.store(kAsleep, std::memory_order_seq_cst); }

  void wake() noexcept override {
    if (awake_.exchange(kAwake, std::memory_order_seq_cst) == kAwake) return;
    if (wakeEvent_ < 0) {
      raw::futexWake(awake_, 1);
      return;
    }
    const std::uint64_t one = 1;
    raw::write(wakeEvent_, &one, sizeof one);
  }

  TimePoint now() const noexcept override { return raw::monotonicNow(); }
  std::size_t inFlight() const noexcept override { return inFlight_; }
  const KernelInfo& info() const noexcept override { return ring_.info(); }
  const KernelCounters& counters() const noexcept override { return counters_; }

  void abandonAfterFork() noexcept override {
    abandoned_ = true;
    ring_.abandon();
    if (wakeEvent_ >= 0) raw::close(wakeEvent_);  // the child's copy
  }

 private:
  static constexpr std::uint32_t kAsleep = 0;
  static constexpr std::uint32_t kAwake = 1;

  io_uring_sqe* takeSlot() noexcept {
    // A full queue is handed over early. Completions that come with it only enqueue Tasks.
    for (int attempt = 0; attempt < 2; ++attempt) {
      if (io_uring_sqe* const sqe = ring_.slot()) {
        submitted_ = true;
        ++counters_.submitted;
        return sqe;
      }
      ++counters_.enters;
      ring_.enter(false, kForever);
      reap();
    }
    return nullptr;
  }

  template <class Prepare>
  void cancelBy(Prepare prepare) noexcept {
    io_uring_sqe* sqe = takeSlot();
    // A cancel that is lost would leave its fiber parked for ever, so it insists; the kernel takes
    // submissions again as soon as completions are reaped.
    while (sqe == nullptr) sqe = takeSlot();
    prepare(*sqe);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = kIgnored;
  }

  static void describe(const Op& op, io_uring_sqe& sqe) noexcept {
    auto* const address = static_cast<sockaddr*>(op.buffer);
    auto* const message = static_cast<msghdr*>(op.buffer);
    auto* const pieces = static_cast<iovec*>(op.buffer);
    const int flags = static_cast<int>(op.flags);
    switch (op.kind) {
      case OpKind::nop:
        ::io_uring_prep_nop(&sqe);
        return;
      case OpKind::read:
        ::io_uring_prep_read(&sqe, op.descriptor, op.buffer, op.length, op.offset);
        return;
      case OpKind::write:
        ::io_uring_prep_write(&sqe, op.descriptor, op.buffer, op.length, op.offset);
        return;
      case OpKind::readPieces:
        ::io_uring_prep_readv(&sqe, op.descriptor, pieces, op.length, op.offset);
        return;
      case OpKind::writePieces:
        ::io_uring_prep_writev(&sqe, op.descriptor, pieces, op.length, op.offset);
        return;
      case OpKind::recv:
        ::io_uring_prep_recv(&sqe, op.descriptor, op.buffer, op.length, flags);
        return;
      case OpKind::send:
        ::io_uring_prep_send(&sqe, op.descriptor, op.buffer, op.length, flags | MSG_NOSIGNAL);
        return;
      case OpKind::recvMessage:
        ::io_uring_prep_recvmsg(&sqe, op.descriptor, message, op.flags);
        return;
      case OpKind::sendMessage:
        ::io_uring_prep_sendmsg(&sqe, op.descriptor, message, op.flags | MSG_NOSIGNAL);
        return;
      case OpKind::accept:
        ::io_uring_prep_accept(&sqe, op.descriptor, address, op.lengthInOut, flags);
        return;
      case OpKind::acceptMany:
        ::io_uring_prep_multishot_accept(&sqe, op.descriptor, nullptr, nullptr, flags);
        return;
      case OpKind::connect:
        ::io_uring_prep_connect(&sqe, op.descriptor, address, op.length);
        return;
      case OpKind::poll:
        ::io_uring_prep_poll_add(&sqe, op.descriptor, op.flags);
        return;
      case OpKind::close:
        ::io_uring_prep_close(&sqe, op.descriptor);
        return;
      case OpKind::open:
        ::io_uring_prep_openat(&sqe, AT_FDCWD, static_cast<const char*>(op.buffer),
                               flags | O_CLOEXEC, op.length);
        return;
      case OpKind::sync:
        ::io_uring_prep_fsync(&sqe, op.descriptor, flags != 0 ? IORING_FSYNC_DATASYNC : 0);
        return;
      case OpKind::splice:
        ::io_uring_prep_splice(&sqe, op.level, static_cast<std::int64_t>(op.offset), op.descriptor,
                               -1, op.length, op.flags);
        return;
      default:
        PLAIT_ASSERT(!"an operation for call(), not for submit()");
    }
  }

  void reap() noexcept {
    ring_.reap([this](std::uint64_t userData, std::int32_t result, std::uint32_t flags) {
      ++counters_.completed;
      if (userData == kIgnored) return;
      if (userData == kWake) {
        wakeArmed_ = false;
        return;
      }
      finish(*reinterpret_cast<Op*>(userData), result, (flags & IORING_CQE_F_MORE) != 0);
    });
  }

  void finish(Op& op, std::int32_t result, bool more) noexcept {
    PLAIT_ASSERT(op.inFlight);
    // What io-wq says of an operation that it gave up for a cancel or a signal; no errno of user
    // space.
    if (result == -kRestartSystemCall) result = op.cancelRequested ? -ECANCELED : -EINTR;
    if (!more) {
      op.inFlight = false;
      --inFlight_;
    }
    op.complete(op, result, more);
  }

  void failRefused() noexcept {
    while (refused_ != nullptr) {
      Op& op = *refused_;
      refused_ = op.kernelNext;
      finish(op, op.cancelRequested ? -ECANCELED : -EAGAIN, false);
    }
  }

  void chooseWake() {
    const bool futex = ring_.hasOperation(uring::kOpFutexWait);
    if (futex && !isMasked("futex")) {
      ring_.info().features.emplace_back("futex");
      return;
    }
    if (futex) ring_.info().masked.emplace_back("futex");
    wakeEvent_ = ::eventfd(0, EFD_CLOEXEC);
    if (wakeEvent_ < 0) throw IoError(errno, "making an eventfd to wake the loop by");
  }

  void armWake() noexcept {
    io_uring_sqe* const sqe = takeSlot();
    if (sqe == nullptr) return;
    if (wakeEvent_ < 0) {
      // Completes with -EAGAIN at once if somebody has called wake() since the announcement.
      ::io_uring_prep_rw(static_cast<int>(uring::kOpFutexWait), sqe, uring::kFutexSize32, &awake_,
                         0, kAsleep);
      sqe->addr3 = uring::kFutexMatchAny;
    } else {
      ::io_uring_prep_read(sqe, wakeEvent_, &wakeCount_, sizeof wakeCount_, 0);
    }
    sqe->user_data = kWake;
    wakeArmed_ = true;
  }

  // The kernel may still write wakeCount_: the read has to end before this object does.
  void endWake() noexcept {
    cancelBy([](io_uring_sqe& sqe) { ::io_uring_prep_cancel64(&sqe, kWake, 0); });
    while (wakeArmed_) {
      const long result = ring_.enter(!ring_.hasCompletions(), kForever);
      if (result < 0 && result != -EINTR && result != -EBUSY && result != -EAGAIN) return;
      reap();
    }
  }

  uring::Ring ring_;
  KernelCounters counters_;
  std::size_t inFlight_ = 0;
  Op* refused_ = nullptr;
  bool wakeArmed_ = false;
  bool abandoned_ = false;
  std::uint64_t wakeCount_ = 0;
  int wakeEvent_ = -1;
  std::atomic<std::uint32_t> awake_{kAwake};
};

}  // namespace

std::unique_ptr<Kernel> makeUringKernel(std::size_t queueEntries) {
  return std::make_unique<UringKernel>(queueEntries);
}

}  // namespace plait::detail
