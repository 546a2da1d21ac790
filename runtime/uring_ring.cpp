#include "uring_ring.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "plait/detail/mask.h"
#include "plait/detail/raw.h"
#include "plait/error.h"

namespace plait::detail::uring {
namespace {

struct SetupFlag {
  const char* name;
  unsigned flags;
};

// In the order in which they are given up when an older kernel refuses them.
constexpr SetupFlag kSetupFlags[] = {
    {"no_sqarray", kSetupNoSqArray},
    {"defer_taskrun", IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG},
    {"single_issuer", IORING_SETUP_SINGLE_ISSUER},
    {"coop_taskrun", IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG},
    {"submit_all", IORING_SETUP_SUBMIT_ALL},
};

constexpr unsigned kCompletionsPerEntry = 8;
constexpr std::size_t kEntriesMin = 32;
constexpr unsigned kFeaturesNeeded =
    IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG;

std::string wayOut(int error) {
  switch (error) {
    case EPERM:
    case ENOSYS:
      return "io_uring is refused here (a container's seccomp filter, the sysctl "
             "kernel.io_uring_disabled, or an old kernel); allow it, or run on Linux 6.1 or newer";
    case ENOMEM:
      return "not enough locked memory: raise RLIMIT_MEMLOCK (ulimit -l) or use a smaller queue";
    case EMFILE:
    case ENFILE:
      return "no file descriptor left: raise RLIMIT_NOFILE (ulimit -n)";
    default:
      return "see io_uring_setup(2)";
  }
}

}  // namespace

Ring::Ring(std::size_t entries) {
  setUp(entries);
  map();
  enterDescriptor_ = descriptor_;
  enterFlags_ = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
  if ((parameters_.features & kFeatureNoIowait) != 0) {
    const bool masked = isMasked("no_iowait");
    if (!masked) enterFlags_ |= kEnterNoIowait;
    (masked ? info_.masked : info_.features).emplace_back("no_iowait");
  }
  probeOperations();
  registerAndClose();
}

void Ring::setUp(std::size_t entries) {
  unsigned wanted = 0;
  for (const SetupFlag& flag : kSetupFlags) {
    if (isMasked(flag.name)) {
      info_.masked.emplace_back(flag.name);
    } else if ((flag.flags & IORING_SETUP_COOP_TASKRUN) == 0) {
      wanted |= flag.flags;
    }
  }
  // Deferred task work needs a single issuer, and replaces the cooperative one.
  if ((wanted & IORING_SETUP_SINGLE_ISSUER) == 0) wanted &= ~unsigned{IORING_SETUP_DEFER_TASKRUN};
  std::size_t dropped = 0;
  for (;;) {
    if ((wanted & IORING_SETUP_DEFER_TASKRUN) == 0 && !isMasked("coop_taskrun") && dropped < 4) {
      wanted |= IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
    }
    parameters_ = {};
    parameters_.flags = wanted | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
    parameters_.cq_entries = static_cast<unsigned>(entries) * kCompletionsPerEntry;
    const long result = raw::setupRing(static_cast<unsigned>(entries), &parameters_);
    if (result >= 0) {
      descriptor_ = static_cast<int>(result);
      break;
    }
    // The ring's memory counts as locked: a small one is better than none.
    if (result == -ENOMEM && entries > kEntriesMin) {
      entries /= 2;
      continue;
    }
    if (result != -EINVAL || dropped == std::size(kSetupFlags)) {
      const int error = static_cast<int>(-result);
      IoError refused(error, "setting up io_uring with " + std::to_string(entries) + " entries");
      refused.addNote(wayOut(error));
      throw refused;
    }
    wanted &= ~kSetupFlags[dropped++].flags;
  }
  for (const SetupFlag& flag : kSetupFlags) {
    if ((wanted & flag.flags) == flag.flags) info_.features.emplace_back(flag.name);
  }
  if ((parameters_.features & kFeaturesNeeded) != kFeaturesNeeded) {
    raw::close(descriptor_);
    throw IoError(ENOSYS, "using io_uring: this kernel lacks timeouts on enter (Linux 5.11)");
  }
}

void Ring::map() {
  const auto& sq = parameters_.sq_off;
  const auto& cq = parameters_.cq_off;
  const bool hasArray = (parameters_.flags & kSetupNoSqArray) == 0;
  const std::size_t sqBytes = sq.array + (hasArray ? parameters_.sq_entries * sizeof(unsigned) : 0);
  const std::size_t cqBytes = cq.cqes + parameters_.cq_entries * sizeof(io_uring_cqe);
  ringsBytes_ = std::max(sqBytes, cqBytes);
  const auto mapAt = [this](std::size_t bytes, off_t what) {
    void* const start = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                               descriptor_, what);
    if (start == MAP_FAILED) {
      const int error = errno;
      raw::close(descriptor_);
      throw IoError(error, "mapping an io_uring of " + std::to_string(bytes) + " bytes");
    }
    // A fork must not let the child consume the parent's completions.
    ::madvise(start, bytes, MADV_DONTFORK);
    return static_cast<std::byte*>(start);
  };
  rings_ = mapAt(ringsBytes_, IORING_OFF_SQ_RING);
  slots_ = reinterpret_cast<io_uring_sqe*>(
      mapAt(parameters_.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES));
  const auto word = [this](unsigned offset) {
    return reinterpret_cast<unsigned*>(rings_ + offset);
  };
  sqHead_ = word(sq.head);
  sqTail_ = word(sq.tail);
  sqFlags_ = word(sq.flags);
  cqHead_ = word(cq.head);
  cqTail_ = word(cq.tail);
  completions_ = reinterpret_cast<io_uring_cqe*>(rings_ + cq.cqes);
  sqEntries_ = parameters_.sq_entries;
  sqMask_ = *word(sq.ring_mask);
  cqMask_ = *word(cq.ring_mask);
  // Without NO_SQARRAY the kernel reads slot numbers from an array; ours never change.
  for (unsigned i = 0; hasArray && i < sqEntries_; ++i) word(sq.array)[i] = i;
}

void Ring::probeOperations() {
  constexpr unsigned kOperations = 64;
  alignas(io_uring_probe)
      std::byte space[sizeof(io_uring_probe) + kOperations * sizeof(io_uring_probe_op)] = {};
  auto* const probe = reinterpret_cast<io_uring_probe*>(space);
  if (raw::registerRing(descriptor_, IORING_REGISTER_PROBE, probe, kOperations) < 0) return;
  for (unsigned i = 0; i < probe->ops_len && i < kOperations; ++i) {
    if ((probe->ops[i].flags & IO_URING_OP_SUPPORTED) != 0) operations_ |= std::uint64_t{1} << i;
  }
}

bool Ring::hasOperation(unsigned opcode) const noexcept {
  return opcode < 64 && (operations_ >> opcode & 1) != 0;
}

void Ring::registerAndClose() {
  if (isMasked("registered_ring")) {
    info_.masked.emplace_back("registered_ring");
    return;
  }
  io_uring_rsrc_update update{};
  update.offset = ~0U;  // any free place
  update.data = static_cast<std::uint64_t>(descriptor_);
  if (raw::registerRing(descriptor_, IORING_REGISTER_RING_FDS, &update, 1) != 1) return;
  const int index = static_cast<int>(update.offset);
  // Without registrations through the index, the slot could not be given back once the descriptor
  // is closed: an empty, refused unregistration tells.
  io_uring_rsrc_update nothing{};
  nothing.offset = ~0U - 1;
  const long answer =
      raw::registerRing(index, IORING_UNREGISTER_RING_FDS | kRegisterUseRegistered, &nothing, 1);
  enterDescriptor_ = index;
  enterFlags_ |= IORING_ENTER_REGISTERED_RING;
  registered_ = true;
  info_.features.emplace_back("registered_ring");
  if (answer != -EINVAL && answer != 0) return;
  raw::close(descriptor_);
  descriptor_ = -1;
  info_.features.emplace_back("no_descriptor");
}

Ring::~Ring() {
  if (abandoned_) return;
  if (registered_) {
    io_uring_rsrc_update update{};
    update.offset = static_cast<unsigned>(enterDescriptor_);
    const unsigned through = descriptor_ < 0 ? kRegisterUseRegistered : 0;
    raw::registerRing(descriptor_ < 0 ? enterDescriptor_ : descriptor_,
                      IORING_UNREGISTER_RING_FDS | through, &update, 1);
  }
  ::munmap(slots_, sqEntries_ * sizeof(io_uring_sqe));
  ::munmap(rings_, ringsBytes_);
  if (descriptor_ >= 0) raw::close(descriptor_);
}

io_uring_sqe* Ring::slot() noexcept {
  if (queued() == sqEntries_) return nullptr;
  io_uring_sqe* const sqe = &slots_[tail_ & sqMask_];
  ++tail_;
  std::memset(sqe, 0, sizeof *sqe);
  return sqe;
}

unsigned Ring::queued() const noexcept {
  return tail_ - __atomic_load_n(sqHead_, __ATOMIC_ACQUIRE);
}

long Ring::enter(bool wait, Duration timeout) noexcept {
  __atomic_store_n(sqTail_, tail_, __ATOMIC_RELEASE);
  __kernel_timespec time{};
  io_uring_getevents_arg argument{};
  argument.sigmask_sz = _NSIG / 8;
  if (wait) timeout = raw::onePiece(timeout);
  if (wait && timeout != kForever) {
    time.tv_sec = timeout.count() / 1'000'000'000;
    time.tv_nsec = timeout.count() % 1'000'000'000;
    argument.ts = reinterpret_cast<std::uint64_t>(&time);
  }
  return raw::enter(enterDescriptor_, queued(), wait ? 1 : 0, enterFlags_, &argument,
                    sizeof argument);
}

bool Ring::hasCompletions() const noexcept {
  if (*cqHead_ != __atomic_load_n(cqTail_, __ATOMIC_ACQUIRE)) return true;
  return (__atomic_load_n(sqFlags_, __ATOMIC_RELAXED) & kFlagsThatCall) != 0;
}

}  // namespace plait::detail::uring
