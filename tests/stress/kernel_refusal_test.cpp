// io_uring refused, short of memory, or without its newer features. A seccomp filter or a limit is
// for ever, so each case runs in a process of its own.

#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <vector>

#include "child_process.h"
#include "plait/plait.h"

namespace plait::test {
namespace {

bool has(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

// From now on io_uring_setup fails with `error` for rings of more than `entriesMax` entries.
void refuseRings(int error, std::uint32_t entriesMax = 0) {
  std::array<sock_filter, 6> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[0])),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, entriesMax, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog filter{program.size(), program.data()};
  REQUIRE(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  REQUIRE(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0);
}

RunOptions onUring() {
  RunOptions options;
  options.kernel = "uring";
  return options;
}

void echoOverTcp() {
  net::Listener listener = net::listen("tcp:127.0.0.1:0");
  auto server = spawn([&listener] {
    net::TcpStream stream = listener.accept();
    net::copy(stream, stream);
  });
  net::TcpStream client = net::connect(listener.address());
  for (int i = 0; i < 100; ++i) {
    client.writeAll("around");
    std::array<std::byte, 6> buffer;
    std::size_t got = 0;
    while (got < buffer.size()) got += client.readSome(std::span(buffer).subspan(got));
  }
  client.shutdownWrite();
  server.get();
  // Kills, timeouts and calls from other threads use what a feature may change.
  auto accepter = spawn([&listener] { listener.accept(); });
  CHECK_THROWS_AS(withTimeout(1ms, [&] { listener.accept(); }), TimeoutError);
  accepter.kill();
  CHECK(accepter.isKilled());
  CHECK(offload([] { return ::usleep(5000); }) == 0);
}

void expectRefusal(int error, const std::string& wayOut) {
  refuseRings(error);
  bool began = false;
  try {
    run(onUring(), [&began] { began = true; });
    FAIL_CHECK("the run began");
  } catch (const IoError& refused) {
    const std::string message = refused.what();
    CHECK(refused.code().value() == error);
    CHECK(message.find("setting up io_uring") != std::string::npos);
    CHECK(message.find(wayOut) != std::string::npos);
  }
  CHECK(!began);
  // Nothing is left behind that would keep another kernel from running on this thread.
  RunOptions sim;
  sim.kernel = "sim";
  CHECK(run(sim, [] { return kernelInfo().name; }) == "sim");
}

CHILD_CASE("refused with EPERM") { expectRefusal(EPERM, "kernel.io_uring_disabled"); }
CHILD_CASE("refused with ENOSYS") { expectRefusal(ENOSYS, "run on Linux 6.1 or newer"); }
CHILD_CASE("refused with ENOMEM") { expectRefusal(ENOMEM, "raise RLIMIT_MEMLOCK"); }
CHILD_CASE("refused with EMFILE") { expectRefusal(EMFILE, "raise RLIMIT_NOFILE"); }

CHILD_CASE("memory for a small ring only") {
  refuseRings(ENOMEM, 64);
  RunOptions options = onUring();
  options.queueEntries = 1024;
  run(options, [] { echoOverTcp(); });
}

// As somebody without privileges, who may lock so much memory. The kernel counts it per user, so it
// is a user that nobody else is.
void becomeOrdinary(rlim_t lockable) {
  const rlimit limit{lockable, lockable};
  REQUIRE(::setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
  if (::getuid() != 0) return;
  const uid_t nobody = 1'000'000 + static_cast<uid_t>(::getpid());
  REQUIRE(::setgroups(0, nullptr) == 0);
  REQUIRE(::setresgid(nobody, nobody, nobody) == 0);
  REQUIRE(::setresuid(nobody, nobody, nobody) == 0);
}

CHILD_CASE("64 KiB of lockable memory") {
  becomeOrdinary(65'536);
  run(onUring(), [] { echoOverTcp(); });
}

CHILD_CASE("16 KiB of lockable memory") {
  becomeOrdinary(16'384);
  run(onUring(), [] { echoOverTcp(); });
}

// Linux counts the ring itself since 6.14: there it cannot be made of nothing.
CHILD_CASE("no lockable memory") {
  becomeOrdinary(0);
  try {
    run(onUring(), [] { echoOverTcp(); });
  } catch (const IoError& refused) {
    const std::string message = refused.what();
    CHECK(refused.code().value() == ENOMEM);
    CHECK(message.find("raise RLIMIT_MEMLOCK") != std::string::npos);
  }
}

CHILD_CASE("echo with a feature masked") {
  const std::string masked = std::getenv("PLAIT_MASK");
  run(onUring(), [&masked] {
    echoOverTcp();
    CHECK(!has(kernelInfo().features, masked));
    CHECK(has(kernelInfo().masked, masked));
  });
}

CHILD_CASE("echo with everything masked") {
  run(onUring(), [] {
    echoOverTcp();
    CHECK(kernelInfo().features.empty());
  });
}

CHILD_CASE("echo with nothing masked") {
  run(onUring(), [] {
    echoOverTcp();
    CHECK(kernelInfo().name == "uring");
    CHECK(!kernelInfo().reason.empty());
    CHECK(kernelInfo().masked.empty());
  });
}

void passes(const std::string& name,
            const std::vector<std::pair<std::string, std::string>>& environment = {}) {
  const ChildResult child = runChild(name, environment);
  INFO(child.output);
  CHECK(child.hasPassed());
}

TEST_CASE("when io_uring is refused the error says why and what to do [KERNEL-15]") {
  for (const char* error : {"EPERM", "ENOSYS", "ENOMEM", "EMFILE"}) {
    INFO("io_uring_setup gives ", std::string(error));
    passes("refused with " + std::string(error));
  }
}

TEST_CASE("when memory is short a smaller ring is tried [KERNEL-16]") {
  passes("memory for a small ring only");
}

TEST_CASE(
    "an ordinary user needs little lockable memory, or is told that it is short [KERNEL-16]") {
  passes("64 KiB of lockable memory");
  passes("16 KiB of lockable memory");
  passes("no lockable memory");
}

constexpr std::array kFeatures = {"no_sqarray", "defer_taskrun",   "single_issuer", "coop_taskrun",
                                  "submit_all", "registered_ring", "futex",         "no_iowait"};

TEST_CASE("a run does without each feature that is masked, and tells so [KERNEL-17]") {
  for (const char* feature : kFeatures) {
    INFO("masked: ", std::string(feature));
    passes("echo with a feature masked", {{"PLAIT_MASK", feature}});
  }
}

TEST_CASE("a run does without all features at once [KERNEL-17]") {
  std::string all;
  for (const char* feature : kFeatures) all += std::string(all.empty() ? "" : ",") + feature;

  passes("echo with everything masked", {{"PLAIT_MASK", all}});
  passes("echo with nothing masked", {{"PLAIT_MASK", ""}});
}

}  // namespace
}  // namespace plait::test
