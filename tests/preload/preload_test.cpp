// Everything that the scheduler does, under a libc that ends the process when the loop's thread
// makes a call that may block or takes a lock [KERNEL-14]. Run with the hostile library in
// LD_PRELOAD; with a call's name as argument it makes that call on purpose, and must not survive.

#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

#include "plait/detail/lookup.h"
#include "plait/plait.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDER_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNDER_SANITIZER
#endif
#endif

namespace {

using namespace plait;

[[maybe_unused]] constexpr int kSkipped = 77;
constexpr int kFibers = 10'000;

using Switch = void (*)();

Switch find(const char* name) { return reinterpret_cast<Switch>(::dlsym(RTLD_DEFAULT, name)); }

const char* step = "nothing yet";  // what the loop was about, for the message

void require(bool holds) {
  if (!holds) throw std::runtime_error(std::string("wrong result in: ") + step);
}

// Threads are the user's business, so they are made before the loop's thread is armed; this one
// waits for its orders as threads may.
class Outsider final {
 public:
  Outsider() : thread_([this] { work(); }) {}
  ~Outsider() {
    state_ = State::over;
    thread_.join();
  }
  void call(LoopHandle loop, AsyncResult<int>& into) {
    loop_ = std::move(loop);
    into_ = &into;
    state_ = State::asked;
  }

 private:
  enum class State { idle, asked, over };

  void work() {
    for (; state_ != State::over; ::usleep(1000)) {
      if (state_ != State::asked) continue;
      state_ = State::idle;
      loop_->callFromThread([into = into_] { into->set(7); });
      loop_.reset();
    }
  }

  std::atomic<State> state_{State::idle};
  std::optional<LoopHandle> loop_;
  AsyncResult<int>* into_ = nullptr;
  std::thread thread_;
};

void echoOverTcp() {
  net::Listener listener = net::listen("tcp:127.0.0.1:0");
  auto server = spawn([&listener] {
    net::TcpStream stream = listener.accept();
    std::array<std::byte, 4096> buffer;
    while (const std::size_t n = stream.readSome(buffer)) stream.writeAll({buffer.data(), n});
  });
  net::TcpStream client = net::connect(listener.address());
  net::BufferedStream lines(client);
  for (int i = 0; i < 100; ++i) {
    lines.write("a line\n");
    lines.flush();
    require(lines.readLine() == "a line");
  }
  client.shutdownWrite();
  server.get();
}

void datagrams() {
  net::UdpSocket one(net::Address::loopback(0));
  net::UdpSocket other(net::Address::loopback(0));
  std::array<net::Datagram, 4> letters;
  std::array<std::array<std::byte, 16>, 4> room{};
  for (std::size_t i = 0; i < letters.size(); ++i) {
    letters[i].data = room[i];
    letters[i].address = other.localAddress();
  }
  one.sendMany(letters);
  require(other.receiveMany(letters) > 0);
}

void server() {
  net::Server server("tcp:127.0.0.1:0", [](net::SocketStream& stream) { stream.writeAll("bye"); });
  server.stopOn({SIGUSR1});
  auto serving = spawn([&server] { server.serve(); });
  for (int i = 0; i < 20; ++i) {
    net::TcpStream client = net::connect(server.address());
    std::array<std::byte, 16> buffer;
    while (client.readSome(buffer) > 0) continue;
  }
  ::raise(SIGUSR1);
  serving.get();
}

void killsAndTimeouts() {
  auto [one, other] = net::socketPair();
  std::array<std::byte, 16> buffer;
  require(
      withTimeout(1ms, [&one, &buffer] { return one.readSome(buffer); }, std::size_t{99}) == 99);
  auto reader = spawn([&other, &buffer] { other.readSome(buffer); });
  yield();
  reader.kill();
  require(reader.isKilled());
}

void manyFibers() {
  int sum = 0;
  Group group;
  for (int i = 0; i < kFibers; ++i) {
    group.spawn([&sum] {
      yield();
      ++sum;
    });
  }
  group.join();
  require(sum == kFibers);
}

void queues() {
  Queue<int> queue(4);
  Mutex mutex;
  auto producer = spawn([&queue] {
    for (int i = 0; i < 1000; ++i) queue.put(i);
  });
  for (int i = 0; i < 1000; ++i) {
    mutex.lock();
    require(queue.get() == i);
    mutex.unlock();
  }
  producer.get();
}

void names() {
  require(!net::resolve("localhost", 80).empty());
  // This one goes to the pool, whose threads may block.
  net::detail::setLookup([](const std::string&, net::Family) {
    ::usleep(1000);
    return net::detail::LookupResult{0, 0, {net::Address::loopback(0)}};
  });
  require(!net::resolve("somewhere.test", 80).empty());
}

void errors() {
  int reported = 0;
  const ErrorSink before = setErrorSink([&reported](const ErrorReport&) { ++reported; });
  spawn([] { throw std::runtime_error("nobody waits for it"); });
  for (int i = 0; i < 4; ++i) yield();
  setErrorSink(before);
  require(reported == 1);
}

void doAll(Outsider& outsider) {
  const auto say = [](const char* what) { step = what; };
  say("sleep");
  sleep(2ms);
  say("timers");
  AsyncResult<int> rung;
  callLater(1ms, [&rung] { rung.set(1); });
  DelayedCall never = callLater(1h, [] {});
  never.cancel();
  require(rung.get() == 1);
  say("tcp");
  echoOverTcp();
  say("udp");
  datagrams();
  say("a server");
  server();
  say("kills and timeouts");
  killsAndTimeouts();
  say("offload");
  for (int i = 0; i < 20; ++i) require(offload([i] { return ::usleep(100), i; }) == i);
  say("callFromThread");
  AsyncResult<int> called;
  outsider.call(LoopHandle(), called);
  require(called.get() == 7);
  say("fibers");
  manyFibers();
  say("queues");
  queues();
  say("names");
  names();
  say("errors");
  errors();
}

void misbehave(const std::string& symbol) {
  char byte = 0;
  pollfd none{-1, POLLIN, 0};
  timespec moment{0, 1};
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  if (symbol == "read") static_cast<void>(!::read(-1, &byte, 1));
  if (symbol == "poll") ::poll(&none, 1, 1);
  if (symbol == "nanosleep") ::nanosleep(&moment, nullptr);
  if (symbol == "pthread_mutex_lock") ::pthread_mutex_lock(&lock);
  if (symbol == "syscall") ::syscall(SYS_futex, &byte, 0, 1, &moment);
}

}  // namespace

int main(int count, char** arguments) {
#ifdef UNDER_SANITIZER
  std::puts("skipped: a sanitizer's own library must come first, and takes locks on every thread");
  return kSkipped;
#endif
  const Switch arm = find("hostileArm");
  const Switch disarm = find("hostileDisarm");
  if (arm == nullptr || disarm == nullptr) {
    std::puts("the hostile library is not in LD_PRELOAD");
    return 1;
  }
  Outsider outsider;
  int status = 1;
  std::string failure;
  arm();
  try {
    status = run([&] {
      if (count > 1) {
        misbehave(arguments[1]);
      } else {
        doAll(outsider);
      }
    });
  } catch (const std::exception& error) {
    failure = error.what();
  }
  disarm();
  if (!failure.empty()) std::printf("%s\n", failure.c_str());
  return status;
}
