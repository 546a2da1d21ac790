// A program may close every descriptor that it does not know. Each case runs in a process of its
// own, whose descriptors it can close.

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "child_process.h"
#include "plait/plait.h"

namespace plait::test {
namespace {

// On such a kernel there is nothing to test.
bool cannotBeWithoutDescriptor() {
  const auto& features = kernelInfo().features;
  if (std::find(features.begin(), features.end(), "no_descriptor") != features.end()) return false;
  MESSAGE("skipped: this kernel keeps the ring's descriptor open");
  return true;
}

std::vector<int> openDescriptors() {
  std::vector<int> open;
  DIR* const directory = ::opendir("/proc/self/fd");
  while (const dirent* entry = ::readdir(directory)) {
    const int number = std::atoi(entry->d_name);
    if (entry->d_name[0] != '.' && number != ::dirfd(directory)) open.push_back(number);
  }
  ::closedir(directory);
  std::sort(open.begin(), open.end());
  return open;
}

// Everything that could use a descriptor of the runtime's own.
void useTheLoop() {
  sleep(2ms);
  AsyncResult<int> rung;
  callLater(1ms, [&rung] { rung.set(1); });
  CHECK(rung.get() == 1);
  CHECK(spawn([] { return 2; }).get() == 2);
  CHECK(offload([] { return 3; }) == 3);

  AsyncResult<int> called;
  std::thread outsider([loop = LoopHandle(), &called] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the loop sleeps by now
    loop.callFromThread([&called] { called.set(4); });
  });
  CHECK(called.get() == 4);
  outsider.join();

  Event signalled;
  const SignalHandle handle = onSignal(SIGUSR1, [&signalled] { signalled.set(); });
  ::raise(SIGUSR1);
  CHECK(signalled.wait(10s));

  net::Listener listener = net::listen("tcp:127.0.0.1:0");
  auto server = spawn([&listener] { listener.accept().writeAll("hello"); });
  net::TcpStream client = net::connect(listener.address());
  std::array<std::byte, 16> buffer;
  CHECK(client.readSome(buffer) == 5);
  server.get();
}

CHILD_CASE("closefrom") {
  run([] {
    if (cannotBeWithoutDescriptor()) return;
    useTheLoop();

    ::closefrom(3);

    useTheLoop();
  });
}

CHILD_CASE("closefrom before the first use") {
  run([] {
    if (cannotBeWithoutDescriptor()) return;

    ::closefrom(3);

    useTheLoop();
  });
}

CHILD_CASE("descriptors of others") {
  ::closefrom(3);
  std::vector<int> own;
  run([&own] {
    if (cannotBeWithoutDescriptor()) return;
    ::closefrom(3);
    // These get the numbers that the runtime's had.
    for (int i = 0; i < 16; ++i) own.push_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    useTheLoop();
  });

  for (const int each : own) CHECK(::fcntl(each, F_GETFD) >= 0);
  const std::vector<int> before = openDescriptors();
  run([] { useTheLoop(); });
  CHECK(openDescriptors() == before);
}

CHILD_CASE("ring_without_descriptor") {
  const std::vector<int> before = openDescriptors();
  run([&before] {
    if (cannotBeWithoutDescriptor()) return;
    CHECK(openDescriptors() == before);
    useTheLoop();
    sleep(5ms);
    CHECK(openDescriptors() == before);
  });
  CHECK(openDescriptors() == before);
}

CHILD_CASE("many runs") {
  const std::vector<int> before = openDescriptors();
  // More than there are places for registered rings, so that a place not given back would show.
  for (int i = 0; i < 100; ++i) {
    run([] { sleep(1us); });
  }
  CHECK(openDescriptors() == before);
}

void passes(const std::string& name) {
  const ChildResult child = runChild(name);
  INFO(child.output);
  CHECK(child.hasPassed());
}

TEST_CASE("a run survives closefrom(3) [KERNEL-13]") {
  passes("closefrom");
  passes("closefrom before the first use");
}

TEST_CASE("a run never closes a descriptor that is not its own [KERNEL-13]") {
  passes("descriptors of others");
}

TEST_CASE("a run leaves no descriptor open while it is idle [KERNEL-13]") {
  passes("ring_without_descriptor");
}

TEST_CASE("a run gives back its place among the registered rings [KERNEL-13]") {
  passes("many runs");
}

}  // namespace
}  // namespace plait::test
