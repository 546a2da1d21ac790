// Memory for stacks: guards without mappings of their own. And what a ring may lock.
#include <signal.h>
#include <sys/resource.h>

#include <fstream>

#include "ring.h"
#include "support.h"

using namespace facts;

namespace {

// What the C library's headers do not name yet (Linux 6.13).
constexpr int kGuardInstall = 102;
constexpr int kGuardRemove = 103;

constexpr std::size_t kPage = 4096;

// Pages mapped the way a slab of stacks is.
class Region final {
 public:
  explicit Region(std::size_t pages) : size_(pages * kPage) {
    void* base = mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    REQUIRE(base != MAP_FAILED);
    base_ = static_cast<char*>(base);
  }
  ~Region() { munmap(base_, size_); }

  volatile char* page(std::size_t index) const { return base_ + index * kPage; }
  std::size_t size() const { return size_; }

  // 0 or the errno.
  int advise(std::size_t firstPage, std::size_t pages, int advice) const {
    return madvise(base_ + firstPage * kPage, pages * kPage, advice) == 0 ? 0 : errno;
  }
  // Not through libc: the sanitizers make its mlock do nothing.
  int lock(std::size_t firstPage, std::size_t pages) const {
    return syscall(SYS_mlock, base_ + firstPage * kPage, pages * kPage) == 0 ? 0 : errno;
  }

  // Lines of /proc/self/maps that overlap the region.
  int mappings() const {
    std::ifstream maps("/proc/self/maps");
    auto begin = reinterpret_cast<std::uintptr_t>(base_);
    int count = 0;
    for (std::string line; std::getline(maps, line);) {
      std::size_t dash = 0;
      std::uintptr_t from = std::stoull(line, &dash, 16);
      std::uintptr_t to = std::stoull(line.substr(dash + 1), nullptr, 16);
      if (from < begin + size_ && begin < to) ++count;
    }
    return count;
  }

 private:
  std::size_t size_;
  char* base_ = nullptr;
};

constexpr int kTouched = 0;
constexpr int kFaulted = 64;

// How a child fares that writes there: kTouched, or kFaulted plus the si_code of its SIGSEGV.
int touchInChild(volatile char* address) {
  return exitOf([address] {
    struct sigaction action{};
    action.sa_sigaction = [](int, siginfo_t* info, void*) { _exit(kFaulted + info->si_code); };
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, nullptr);
    *address = 1;
    return kTouched;
  });
}

bool isGuardMissing() {
  Region region(1);
  return isMissing(region.advise(0, 1, kGuardInstall) == 0, "MADV_GUARD_INSTALL (Linux 6.13)");
}

}  // namespace

TEST_CASE("a guarded page faults with SEGV_MAPERR in a forked child, its neighbours do not") {
  if (isGuardMissing()) return;
  Region region(3);

  int error = region.advise(1, 1, kGuardInstall);

  CHECK(error == 0);
  CHECK(touchInChild(region.page(1)) == kFaulted + SEGV_MAPERR);
  CHECK(touchInChild(region.page(0)) == kTouched);
  CHECK(touchInChild(region.page(2)) == kTouched);
}

TEST_CASE("guards do not split a mapping, while mprotect does") {
  if (isGuardMissing()) return;
  Region region(256);
  for (std::size_t page = 0; page < 256; ++page) *region.page(page) = 1;
  int before = region.mappings();

  for (std::size_t page = 0; page < 256; page += 4)
    REQUIRE(region.advise(page, 1, kGuardInstall) == 0);
  int withGuards = region.mappings();
  REQUIRE(mprotect(const_cast<char*>(region.page(128)), kPage, PROT_NONE) == 0);
  int withProtection = region.mappings();

  CHECK(before == 1);
  CHECK(withGuards == 1);
  CHECK(withProtection == 3);
}

TEST_CASE("a guard survives MADV_DONTNEED, which still empties the other pages") {
  if (isGuardMissing()) return;
  Region region(2);
  *region.page(1) = 7;
  REQUIRE(region.advise(0, 1, kGuardInstall) == 0);

  int error = region.advise(0, 2, MADV_DONTNEED);

  CHECK(error == 0);
  CHECK(touchInChild(region.page(0)) == kFaulted + SEGV_MAPERR);
  CHECK(*region.page(1) == 0);
}

TEST_CASE("a guard can be installed over pages in use, twice, and removed again") {
  if (isGuardMissing()) return;
  Region region(1);
  *region.page(0) = 7;

  CHECK(region.advise(0, 1, kGuardInstall) == 0);
  CHECK(region.advise(0, 1, kGuardInstall) == 0);
  CHECK(touchInChild(region.page(0)) == kFaulted + SEGV_MAPERR);
  CHECK(region.advise(0, 1, kGuardRemove) == 0);
  CHECK(touchInChild(region.page(0)) == kTouched);
  CHECK(*region.page(0) == 0);
}

TEST_CASE("a guard over locked memory is refused with EINVAL, where mprotect still works") {
  if (isGuardMissing()) return;
  Region region(2);
  if (isMissing(region.lock(0, 2) == 0, "mlock, by RLIMIT_MEMLOCK")) return;

  int error = region.advise(0, 1, kGuardInstall);
  int protection = mprotect(const_cast<char*>(region.page(0)), kPage, PROT_NONE);

  CHECK(error == EINVAL);
  CHECK(protection == 0);
  CHECK(touchInChild(region.page(0)) == kFaulted + SEGV_ACCERR);
}

TEST_CASE("a ring may fail with ENOMEM for a user whose RLIMIT_MEMLOCK is used up") {
  if (isRingMissing()) return;
  constexpr int kNotDropped = 1;

  int error = exitOf([] {
    rlimit none{};
    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0) return kNotDropped;
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) return kNotDropped;
    io_uring_params params{};
    return -std::min(io_uring_setup(8, &params), 0);
  });

  // Kernels differ in what they count; plait must take both answers.
  if (isMissing(error != kNotDropped, "dropping privileges")) return;
  CHECK((error == 0 || error == ENOMEM));
}

TEST_CASE("an advice that the kernel does not know gives EINVAL") {
  Region region(1);

  CHECK(region.advise(0, 1, 9999) == EINVAL);
}
