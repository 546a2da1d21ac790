// The smallest io_uring that a test can hold: raw syscalls, one mapping or two, no policy.
// Used by the thread that made it. Everything is visible, because the facts are about the details.
#pragma once

#include <liburing.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include <doctest/doctest.h>

namespace facts {

// What liburing 2.3 does not name yet.
inline constexpr unsigned kSetupNoSqArray = 1u << 16;
inline constexpr unsigned kRegisterUseRegisteredRing = 1u << 31;
inline constexpr int kOpFutexWait = 51;

// The flags plait's own ring has.
inline constexpr unsigned kRingFlags =
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL;

struct Completion {
  std::uint64_t tag;
  int result;
  unsigned flags;

  bool hasMore() const { return (flags & IORING_CQE_F_MORE) != 0; }
};

class Ring final {
 public:
  // Tag of the completion that wait() makes up when none comes.
  static constexpr std::uint64_t kNoTag = ~std::uint64_t{0};

  explicit Ring(unsigned setupFlags = kRingFlags, unsigned entries = 8, unsigned cqEntries = 0) {
    params_.flags = setupFlags | (cqEntries != 0 ? IORING_SETUP_CQSIZE : 0);
    params_.cq_entries = cqEntries;
    fd_ = io_uring_setup(entries, &params_);
    if (isRefused()) return;
    if (fd_ < 0) throw std::system_error(-fd_, std::generic_category(), "io_uring_setup");
    enterFd_ = fd_;
    // FEAT_SINGLE_MMAP is older than DEFER_TASKRUN: one mapping holds both queues.
    std::size_t size =
        std::max<std::size_t>(params_.sq_off.array + params_.sq_entries * sizeof(unsigned),
                              params_.cq_off.cqes + params_.cq_entries * sizeof(io_uring_cqe));
    queues_ = map(size, IORING_OFF_SQ_RING);
    sqes_ = map(params_.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES);
    sqTail_ = *at<unsigned>(params_.sq_off.tail);
    if ((setupFlags & kSetupNoSqArray) != 0) return;
    for (unsigned i = 0; i < params_.sq_entries; ++i) at<unsigned>(params_.sq_off.array)[i] = i;
  }

  ~Ring() {
    if (isRegistered()) releaseSlot();
    if (!queues_.empty()) munmap(queues_.data(), queues_.size());
    if (!sqes_.empty()) munmap(sqes_.data(), sqes_.size());
    if (fd_ >= 0) ::close(fd_);
  }

  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // 0, or the negative errno of a refusal; the constructor throws what is none.
  int error() const { return queues_.empty() ? fd_ : 0; }
  bool isRefused() const { return fd_ == -ENOSYS || fd_ == -EPERM || fd_ == -EINVAL; }
  const io_uring_params& params() const { return params_; }
  std::span<std::byte> mapping() const { return queues_; }
  unsigned sqFlags() const { return load(params_.sq_off.flags); }

  // The next submission entry, empty but for its tag. Entry flags come after the prep call, which
  // clears them.
  io_uring_sqe* queue(std::uint64_t tag) {
    auto* entry =
        reinterpret_cast<io_uring_sqe*>(sqes_.data()) + (sqTail_ & (params_.sq_entries - 1));
    *entry = io_uring_sqe{};
    entry->user_data = tag;
    ++sqTail_;
    return entry;
  }

  // Submits what is queued. Returns what the kernel returned, errors negative.
  int enter(unsigned completionsMin, unsigned flags, const void* arg = nullptr,
            std::size_t argSize = 0) {
    std::atomic_ref(*at<unsigned>(params_.sq_off.tail)).store(sqTail_, std::memory_order_release);
    unsigned queued = sqTail_ - load(params_.sq_off.head);
    long result = syscall(SYS_io_uring_enter, enterFd_, queued, completionsMin, flags | enterFlags_,
                          arg, argSize);
    return result < 0 ? -errno : static_cast<int>(result);
  }

  int submit() { return enter(0, 0); }

  int enterFor(std::chrono::nanoseconds timeout, unsigned completionsMin,
               const sigset_t* mask = nullptr) {
    __kernel_timespec limit{};
    limit.tv_sec = timeout.count() / 1'000'000'000;
    limit.tv_nsec = timeout.count() % 1'000'000'000;
    io_uring_getevents_arg arg{};
    arg.ts = reinterpret_cast<std::uintptr_t>(&limit);
    arg.sigmask = reinterpret_cast<std::uintptr_t>(mask);
    arg.sigmask_sz = 8;
    return enter(completionsMin, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, sizeof arg);
  }

  // The next completion already in the queue; no system call.
  std::optional<Completion> take() {
    unsigned head = load(params_.cq_off.head);
    if (head == load(params_.cq_off.tail)) return std::nullopt;
    const io_uring_cqe& entry =
        at<io_uring_cqe>(params_.cq_off.cqes)[head & (params_.cq_entries - 1)];
    Completion completion{entry.user_data, entry.res, entry.flags};
    std::atomic_ref(*at<unsigned>(params_.cq_off.head)).store(head + 1, std::memory_order_release);
    return completion;
  }

  std::vector<Completion> takeAll() {
    std::vector<Completion> all;
    while (auto completion = take()) all.push_back(*completion);
    return all;
  }

  // Submits, runs deferred work, and returns what is there without waiting.
  std::vector<Completion> reap() {
    enter(0, IORING_ENTER_GETEVENTS);
    return takeAll();
  }

  // Submits and waits for one completion. A broken fact must fail, not hang: after 10 s the tag
  // is kNoTag.
  Completion wait() {
    for (;;) {
      if (auto completion = take()) return *completion;
      int result = enterFor(std::chrono::seconds(10), 1);
      if (result < 0 && result != -EINTR) return {kNoTag, result, 0};
    }
  }

  // Registers the ring's descriptor with this thread and closes it; afterwards calls go by index.
  // Returns 1, or the kernel's negative errno.
  int registerAndClose() {
    io_uring_rsrc_update slot{};
    slot.offset = ~0u;
    slot.data = static_cast<std::uint64_t>(fd_);
    int result = registerCall(IORING_REGISTER_RING_FDS, &slot, 1);
    if (result != 1) return result;
    ::close(fd_);
    fd_ = -1;
    enterFd_ = static_cast<int>(slot.offset);
    enterFlags_ = IORING_ENTER_REGISTERED_RING;
    return result;
  }

  // Gives the slot back. Returns 1 if it was held.
  int releaseSlot() {
    io_uring_rsrc_update slot{};
    slot.offset = static_cast<unsigned>(enterFd_);
    int result = registerCall(IORING_UNREGISTER_RING_FDS, &slot, 1);
    if (result == 1) isReleased_ = true;
    return result;
  }

  int registerCall(unsigned opcode, const void* arg, unsigned count) {
    unsigned byIndex = enterFlags_ != 0 ? kRegisterUseRegisteredRing : 0;
    long result = syscall(SYS_io_uring_register, enterFd_, opcode | byIndex, arg, count);
    return result < 0 ? -errno : static_cast<int>(result);
  }

  // A registration that changes nothing: 0, or the negative errno registrations get.
  int registerNothing() {
    std::array<std::uint64_t, sizeof(io_uring_probe) / 8> space{};
    return registerCall(IORING_REGISTER_PROBE, space.data(), 0);
  }

  bool supports(int opcode) {
    std::array<std::uint64_t, (sizeof(io_uring_probe) + 256 * sizeof(io_uring_probe_op)) / 8>
        space{};
    if (registerCall(IORING_REGISTER_PROBE, space.data(), 256) < 0) return false;
    const auto* probe = reinterpret_cast<const io_uring_probe*>(space.data());
    const auto* ops = reinterpret_cast<const io_uring_probe_op*>(probe + 1);
    return opcode <= probe->last_op && (ops[opcode].flags & IO_URING_OP_SUPPORTED) != 0;
  }

 private:
  bool isRegistered() const { return enterFlags_ != 0 && !isReleased_; }

  std::span<std::byte> map(std::size_t size, off_t offset) {
    void* base =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, offset);
    REQUIRE(base != MAP_FAILED);
    return {static_cast<std::byte*>(base), size};
  }

  template <class T>
  T* at(unsigned offset) const {
    return reinterpret_cast<T*>(queues_.data() + offset);
  }

  unsigned load(unsigned offset) const {
    return std::atomic_ref(*at<unsigned>(offset)).load(std::memory_order_acquire);
  }

  io_uring_params params_{};
  int fd_ = -1;
  int enterFd_ = -1;
  unsigned enterFlags_ = 0;
  bool isReleased_ = false;
  unsigned sqTail_ = 0;
  std::span<std::byte> queues_;
  std::span<std::byte> sqes_;
};

// Says why the running test is left out. Use: if (isMissing(ring.error() == 0, "...")) return;
inline bool isMissing(bool isPresent, const std::string& reason) {
  if (!isPresent) MESSAGE("left out: " << reason);
  return !isPresent;
}

// True, with the reason printed, where io_uring is refused or older than plait's flags (6.1).
inline bool isRingMissing() {
  Ring probe;
  return isMissing(!probe.isRefused(),
                   "io_uring with DEFER_TASKRUN, errno " + std::to_string(-probe.error()));
}

}  // namespace facts
