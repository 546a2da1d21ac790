// The ring itself: when work runs, whose it is, and how it lives without a descriptor.
#include "ring.h"

#include <poll.h>

#include <thread>

#include "support.h"

using namespace facts;

namespace {

constexpr std::uint64_t kRecv = 1;

void queueNop(Ring& ring, std::uint64_t tag) { io_uring_prep_nop(ring.queue(tag)); }

// 0 if a nop makes its way through the ring.
int nopResult(Ring& ring) {
  queueNop(ring, 7);
  Completion completion = ring.wait();
  return completion.tag == 7 ? completion.result : -EIO;
}

bool canRegisterByIndex() {
  Ring ring;
  return ring.registerAndClose() == 1 && ring.registerNothing() == 0;
}

bool isIndexMissing() {
  return isMissing(canRegisterByIndex(), "IORING_REGISTER_USE_REGISTERED_RING (Linux 6.3)");
}

}  // namespace

TEST_CASE("with DEFER_TASKRUN a plain submit shows no completion but raises IORING_SQ_TASKRUN") {
  if (isRingMissing()) return;
  Ring ring(kRingFlags | IORING_SETUP_TASKRUN_FLAG);
  REQUIRE(ring.error() == 0);
  Pair pair = socketPair();
  std::array<char, 16> buffer{};
  io_uring_prep_recv(ring.queue(kRecv), pair.near.get(), buffer.data(), buffer.size(), 0);
  ring.submit();
  unsigned flagsBefore = ring.sqFlags();

  put(pair.far, "four");
  unsigned flagsWithWork = ring.sqFlags();
  queueNop(ring, 2);
  ring.submit();
  std::vector<Completion> submitted = ring.takeAll();
  std::vector<Completion> reaped = ring.reap();

  CHECK((flagsBefore & IORING_SQ_TASKRUN) == 0);
  CHECK((flagsWithWork & IORING_SQ_TASKRUN) != 0);
  REQUIRE(submitted.size() == 1);  // the nop completes while it is submitted
  CHECK(submitted[0].tag == 2);
  REQUIRE(reaped.size() == 1);
  CHECK(reaped[0].tag == kRecv);
  CHECK(reaped[0].result == 4);
  CHECK((ring.sqFlags() & IORING_SQ_TASKRUN) == 0);
}

TEST_CASE("without SETUP_TASKRUN_FLAG waiting work raises no flag") {
  if (isRingMissing()) return;
  Ring ring;
  Pair pair = socketPair();
  std::array<char, 16> buffer{};
  io_uring_prep_recv(ring.queue(kRecv), pair.near.get(), buffer.data(), buffer.size(), 0);
  ring.submit();

  put(pair.far, "four");

  CHECK((ring.sqFlags() & IORING_SQ_TASKRUN) == 0);
  CHECK(ring.reap().size() == 1);
}

TEST_CASE("completions beyond the queue are kept, flagged, and brought in order by GETEVENTS") {
  if (isRingMissing()) return;
  Ring ring(kRingFlags, 8, 8);
  REQUIRE(ring.params().cq_entries == 8);
  for (std::uint64_t tag = 0; tag < 40; ++tag) {
    queueNop(ring, tag);
    if (tag % 8 == 7) REQUIRE(ring.submit() == 8);
  }
  unsigned flagsFull = ring.sqFlags();

  std::vector<std::uint64_t> tags;
  for (std::vector<Completion> some = ring.takeAll(); !some.empty(); some = ring.reap()) {
    CHECK(some.size() <= 8);
    for (const Completion& completion : some) tags.push_back(completion.tag);
  }

  CHECK((ring.params().features & IORING_FEAT_NODROP) != 0);
  CHECK((flagsFull & IORING_SQ_CQ_OVERFLOW) != 0);
  REQUIRE(tags.size() == 40);
  CHECK(std::is_sorted(tags.begin(), tags.end()));
  CHECK((ring.sqFlags() & IORING_SQ_CQ_OVERFLOW) == 0);
}

TEST_CASE("a SINGLE_ISSUER ring answers EEXIST to any other thread") {
  if (isRingMissing()) return;
  Ring ring;
  int submitted = 0;
  int reaped = 0;
  int registered = 0;
  queueNop(ring, 7);

  std::thread([&ring, &submitted, &reaped, &registered] {
    submitted = ring.submit();
    reaped = ring.enter(0, IORING_ENTER_GETEVENTS);
    registered = ring.registerNothing();
  }).join();

  CHECK(submitted == -EEXIST);
  CHECK(reaped == -EEXIST);
  CHECK(registered == -EEXIST);
  CHECK(ring.wait().tag == 7);
}

TEST_CASE("a SINGLE_ISSUER ring answers EEXIST to a forked child") {
  if (isRingMissing()) return;
  Ring ring;
  queueNop(ring, 7);

  int childErrno = exitOf([&ring] { return -ring.submit(); });

  CHECK(childErrno == EEXIST);
  CHECK(ring.wait().tag == 7);
}

TEST_CASE("a DISABLED ring belongs to the thread that enables it") {
  if (isRingMissing()) return;
  Ring ring(kRingFlags | IORING_SETUP_R_DISABLED);
  REQUIRE(ring.error() == 0);
  queueNop(ring, 7);
  int disabled = ring.submit();
  Completion inOwner{};

  std::thread([&ring, &inOwner] {
    ring.registerCall(IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
    inOwner = ring.wait();
  }).join();

  CHECK(disabled == -EBADFD);
  CHECK(inOwner.tag == 7);
  CHECK(ring.enter(0, IORING_ENTER_GETEVENTS) == -EEXIST);
}

TEST_CASE("a registered ring works by index after its descriptor is closed") {
  if (isRingMissing() || isIndexMissing()) return;
  Ring ring;
  Pair pair = socketPair();
  std::array<char, 16> buffer{};

  int registered = ring.registerAndClose();
  io_uring_prep_recv(ring.queue(kRecv), pair.near.get(), buffer.data(), buffer.size(), 0);
  ring.submit();
  put(pair.far, "four");
  Completion received = ring.wait();

  CHECK(registered == 1);
  CHECK(received.tag == kRecv);
  CHECK(received.result == 4);
  CHECK(ring.registerNothing() == 0);
}

TEST_CASE("the index of a registered ring means nothing to another thread") {
  if (isRingMissing() || isIndexMissing()) return;
  Ring ring;
  REQUIRE(ring.registerAndClose() == 1);
  int fromStranger = 0;

  std::thread([&ring, &fromStranger] {
    fromStranger = ring.enter(0, IORING_ENTER_GETEVENTS);
  }).join();

  CHECK((fromStranger == -EINVAL || fromStranger == -EBADF));
}

TEST_CASE("a registered ring's slot can be given back, and one thread has 16 of them") {
  if (isRingMissing() || isIndexMissing()) return;
  for (int i = 0; i < 40; ++i) {
    Ring ring;
    CHECK(ring.registerAndClose() == 1);
    CHECK(ring.releaseSlot() == 1);
    CHECK(ring.enter(0, IORING_ENTER_GETEVENTS) == -EBADF);
  }

  std::array<Ring, 16> held;
  Ring oneTooMany;
  for (Ring& ring : held) CHECK(ring.registerAndClose() == 1);

  CHECK(oneTooMany.registerAndClose() == -EBUSY);
}

TEST_CASE("giving back the slot lets go of the descriptors that pending operations held") {
  if (isRingMissing() || isIndexMissing()) return;
  Pair pair = socketPair();
  std::array<char, 16> buffer{};
  pollfd end{pair.far.get(), POLLIN, 0};
  {
    Ring ring;
    REQUIRE(ring.registerAndClose() == 1);
    io_uring_prep_recv(ring.queue(kRecv), pair.near.get(), buffer.data(), buffer.size(), 0);
    ring.submit();
    pair.near.close();
    REQUIRE(peek(pair.far) == State::nothing);
  }

  int ready = poll(&end, 1, 10'000);  // the kernel tears a ring down in the background

  CHECK(ready == 1);
  CHECK(peek(pair.far) == State::end);
}

TEST_CASE("a registered ring survives that all descriptors from 3 up are closed") {
  if (isRingMissing() || isIndexMissing()) return;

  int exit = exitOf([] {
    Ring ring;
    if (ring.registerAndClose() != 1) return 1;
    if (syscall(SYS_close_range, 3u, ~0u, 0u) != 0) return 2;
    return nopResult(ring) == 0 ? 0 : 3;
  });

  CHECK(exit == 0);
}

TEST_CASE("NO_SQARRAY takes entries in ring order, and kernels without it refuse it with EINVAL") {
  if (isRingMissing()) return;
  Ring ring(kRingFlags | kSetupNoSqArray);
  if (ring.error() != 0) {
    CHECK(ring.error() == -EINVAL);
    MESSAGE("left out: IORING_SETUP_NO_SQARRAY (Linux 6.6)");
    return;
  }

  for (std::uint64_t tag = 0; tag < 8; ++tag) queueNop(ring, tag);
  std::vector<Completion> completions = ring.reap();

  CHECK(ring.params().sq_off.array == 0);
  REQUIRE(completions.size() == 8);
  for (std::uint64_t tag = 0; tag < 8; ++tag) CHECK(completions[tag].tag == tag);
}

TEST_CASE("a setup flag that the kernel does not know gives EINVAL") {
  if (isRingMissing()) return;

  Ring ring(kRingFlags | 1u << 31);

  CHECK(ring.error() == -EINVAL);
}

TEST_CASE("a ring mapping with MADV_DONTFORK is absent from a child") {
  if (isRingMissing()) return;
  Ring ring;
  auto isMapped = [&ring] {
    unsigned char resident = 0;
    return mincore(ring.mapping().data(), 1, &resident) == 0 ? 1 : 0;
  };
  int before = exitOf(isMapped);

  int advised = madvise(ring.mapping().data(), ring.mapping().size(), MADV_DONTFORK);
  int after = exitOf(isMapped);

  CHECK(before == 1);
  CHECK(advised == 0);
  CHECK(after == 0);
  CHECK(nopResult(ring) == 0);
}
