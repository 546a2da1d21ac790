// What only unix sockets do: names in the file system and in the abstract namespace, descriptors
// that travel, and who the peer is.

#include "plait/unix.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "net_support.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/tcp.h"
#include "plait/timeout.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using net::Address;
using net::asBytes;
using net::Listener;
using net::ReceivedDescriptors;
using net::SocketStream;

// An empty directory of its own, removed with what is in it.
class Directory final {
 public:
  Directory() { REQUIRE(::mkdtemp(path_) != nullptr); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() {
    DIR* const all = ::opendir(path_);
    while (const dirent* entry = ::readdir(all)) {
      if (entry->d_type != DT_DIR) ::unlinkat(::dirfd(all), entry->d_name, 0);
    }
    ::closedir(all);
    ::rmdir(path_);
  }
  std::string file(const std::string& name) const { return path_ + ("/" + name); }

 private:
  char path_[32] = "/tmp/plait-unix-XXXXXX";
};

bool isThere(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

std::string uniqueName(const std::string& name) {
  return "@plait-" + name + "-" + std::to_string(::getpid());
}

// A pipe whose ends close themselves.
struct Pipe {
  Pipe() { REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    closeReader();
    closeWriter();
  }
  int reader() const { return ends[0]; }
  int writer() const { return ends[1]; }
  void closeReader() { close(ends[0]); }
  void closeWriter() { close(ends[1]); }
  static void close(int& end) {
    if (end >= 0) ::close(end);
    end = -1;
  }
  std::array<int, 2> ends{};
};

// True when nobody holds the writing end any more. The last descriptor of a socket may go with the
// kernel's own cleaning, a little later.
bool isPipeEnded(const Pipe& pipe) {
  ::fcntl(pipe.reader(), F_SETFL, O_NONBLOCK);
  for (int i = 0; i < 2000; ++i) {
    char byte = 0;
    if (::read(pipe.reader(), &byte, 1) == 0) return true;
    sleep(1ms);
  }
  return false;
}

struct Letter {
  std::string text;
  std::vector<int> descriptors;
};

Letter receiveLetter(SocketStream& stream, std::size_t room = 64) {
  std::string text(room, '\0');
  ReceivedDescriptors received =
      net::receiveDescriptors(stream, std::as_writable_bytes(std::span(text.data(), text.size())));
  text.resize(received.bytes);
  return {text, std::move(received.descriptors)};
}

void closeAll(const std::vector<int>& descriptors) {
  for (const int each : descriptors) ::close(each);
}

// --- names

FIBER_TEST("a unix socket is listened on and connected to by its path") {
  const Directory directory;
  const std::string endpoint = "unix:" + directory.file("socket");

  Listener listener = net::listen(endpoint);
  SocketStream client = net::connect(endpoint);
  SocketStream server = listener.accept();
  client.writeAll("by path");

  CHECK(listener.address().toString() == endpoint);
  CHECK(client.peerAddress().toString() == endpoint);
  CHECK(client.describe().find(endpoint) != std::string::npos);
  CHECK(readPiece(server) == "by path");
}

FIBER_TEST_EACH("an abstract name needs no file, and is free when its listener is closed") {
  const std::string endpoint = "unix:" + uniqueName("abstract");
  Listener listener = net::listen(endpoint);
  SocketStream client = net::connect(endpoint);
  SocketStream server = listener.accept();

  CHECK_THROWS_AS(net::listen(endpoint), IoError);
  listener.close();

  CHECK(net::listen(endpoint).isOpen());
}

FIBER_TEST_EACH("a socket file that nobody listens on any more is replaced") {
  const Directory directory;
  const std::string endpoint = "unix:" + directory.file("stale");
  net::listen(endpoint).close();

  Listener listener = net::listen(endpoint);

  CHECK(net::connect(endpoint).isOpen());
}

FIBER_TEST_EACH("a socket file that somebody serves is in use, and left alone [IO-25]") {
  const Directory directory;
  const std::string endpoint = "unix:" + directory.file("live");
  Listener listener = net::listen(endpoint);

  const auto error = thrownBy<IoError>([&endpoint] { net::listen(endpoint); });

  REQUIRE(error);
  CHECK(error->code() == std::errc::address_in_use);
  CHECK(contains(error->what(), "listening on " + endpoint));
  CHECK(net::connect(endpoint).isOpen());
}

FIBER_TEST("a stale socket file is not touched when it was asked to be kept [IO-25]") {
  const Directory directory;
  const std::string path = directory.file("kept");
  net::listen("unix:" + path).close();

  const auto error =
      thrownBy<IoError>([&path] { net::listen("unix:" + path, {.unlinkStale = false}); });

  REQUIRE(error);
  CHECK(error->code() == std::errc::address_in_use);
  CHECK(isThere(path));
}

FIBER_TEST("a file that is no socket is never removed") {
  const Directory directory;
  const std::string path = directory.file("precious.txt");
  const int file = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  REQUIRE(::write(file, "data", 4) == 4);
  ::close(file);

  CHECK_THROWS_AS(net::listen("unix:" + path), IoError);

  struct stat after{};
  REQUIRE(::stat(path.c_str(), &after) == 0);
  CHECK(S_ISREG(after.st_mode));
  CHECK(after.st_size == 4);
}

FIBER_TEST("an abstract name that is bound removes no file of that name") {
  const Directory directory;
  const std::string name = uniqueName("bound");
  const Address address = Address::unixSocket(name);
  const int bound = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::bind(bound, static_cast<const sockaddr*>(address.data()), address.length()) == 0);
  const int before = ::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  REQUIRE(::chdir(directory.file("").c_str()) == 0);
  ::close(::open(name.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));

  CHECK_THROWS_AS(net::listen("unix:" + name), IoError);
  const bool stillThere = isThere(name);
  CHECK(::fchdir(before) == 0);
  ::close(before);
  ::close(bound);

  CHECK(stillThere);
}

FIBER_TEST("a path that does not exist is refused with the way out [IO-25]") {
  const Directory directory;

  const auto error =
      thrownBy<IoError>([&directory] { net::connect("unix:" + directory.file("nothing")); });

  REQUIRE(error);
  CHECK(error->code() == std::errc::no_such_file_or_directory);
  CHECK(contains(error->what(), "there is no such socket file"));
}

FIBER_TEST("a full backlog makes the next client wait, not fail") {
  const std::string endpoint = "unix:" + uniqueName("backlog");
  Listener listener = net::listen(endpoint, {.backlog = 1});
  std::vector<Greenlet<SocketStream>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(spawn([&endpoint] { return net::connect(endpoint); }));
  }
  settle();

  std::vector<SocketStream> accepted;
  for (int i = 0; i < 5; ++i) {
    accepted.push_back(withTimeout(10s, [&listener] { return listener.accept(); }));
  }

  for (auto& each : clients) CHECK(each.get().isOpen());
}

// --- who the peer is

FIBER_TEST_EACH("both ends of a connection know who the other is") {
  Listener listener = net::listen("unix:" + uniqueName("who"));
  SocketStream client = net::connect(listener.address());
  SocketStream server = listener.accept();

  for (const SocketStream* end : {&client, &server}) {
    const net::Credentials who = net::peerCredentials(*end);
    CHECK(who.processId == ::getpid());
    CHECK(who.userId == ::getuid());
    CHECK(who.groupId == ::getgid());
  }
}

FIBER_TEST_EACH("who the peer of a closed stream was cannot be asked [IO-17]") {
  auto [one, other] = net::socketPair();
  one.close();

  CHECK_THROWS_AS(net::peerCredentials(one), ConnectionClosed);
  CHECK_THROWS_AS(receiveLetter(one), ConnectionClosed);
  CHECK_THROWS_AS(net::sendDescriptors(one, asBytes("x"), {}), ConnectionClosed);
}

// --- descriptors that travel

FIBER_TEST_ON("uring", "a descriptor travels with its byte and works at the other end") {
  auto [one, other] = net::socketPair();
  Pipe pipe;

  net::sendDescriptors(one, asBytes("a pipe"), std::array{pipe.writer()});
  const Letter letter = receiveLetter(other);

  CHECK(letter.text == "a pipe");
  REQUIRE(letter.descriptors.size() == 1);
  CHECK(letter.descriptors[0] != pipe.writer());
  CHECK((::fcntl(letter.descriptors[0], F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(::write(letter.descriptors[0], "through", 7) == 7);
  char text[7];
  CHECK(::read(pipe.reader(), text, 7) == 7);
  closeAll(letter.descriptors);
}

FIBER_TEST_ON("uring", "as many descriptors as the limit says go with one message") {
  auto [one, other] = net::socketPair();
  const std::vector<int> many(net::kDescriptorsMax, STDERR_FILENO);

  net::sendDescriptors(one, asBytes("x"), many);
  const Letter letter = receiveLetter(other);

  CHECK(letter.descriptors.size() == many.size());
  closeAll(letter.descriptors);
  const std::vector<int> tooMany(net::kDescriptorsMax + 1, STDERR_FILENO);
  CHECK_THROWS_AS(net::sendDescriptors(one, asBytes("x"), tooMany), LimitError);
  CHECK_THROWS_AS(net::sendDescriptors(one, {}, many), Error);
}

FIBER_TEST_ON("uring", "plain bytes are received with no descriptor, and the end as no byte") {
  auto [one, other] = net::socketPair();
  one.writeAll("plain");
  one.close();

  const Letter letter = receiveLetter(other);

  CHECK(letter.text == "plain");
  CHECK(letter.descriptors.empty());
  CHECK(receiveLetter(other).text.empty());
}

FIBER_TEST_ON("uring", "more descriptors than there is room for are closed [IO-12]") {
  auto [one, other] = net::socketPair();
  Pipe pipe;
  const std::vector<int> many(net::kDescriptorsMax + 4, pipe.writer());
  alignas(cmsghdr) std::array<std::byte, 256> control{};
  char byte = 'x';
  iovec piece{&byte, 1};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = CMSG_SPACE(many.size() * sizeof(int));
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(many.size() * sizeof(int));
  std::memcpy(CMSG_DATA(header), many.data(), many.size() * sizeof(int));
  REQUIRE(::sendmsg(one.descriptor(), &message, 0) == 1);

  CHECK_THROWS_AS(receiveLetter(other), LimitError);

  pipe.closeWriter();
  CHECK(isPipeEnded(pipe));
}

FIBER_TEST_ON("uring", "descriptors that nobody has room for in the process are closed [IO-12]") {
  auto [one, other] = net::socketPair();
  Pipe pipe;
  net::sendDescriptors(one, asBytes("x"), std::array{pipe.writer(), pipe.writer()});
  std::optional<Error> error;
  {
    const DescriptorLimit limit(1);
    error = thrownBy<Error>([&other] { receiveLetter(other); });
  }

  REQUIRE(error);
  CHECK(!contains(error->what(), "more than 16 descriptors came"));
  pipe.closeWriter();
  CHECK(isPipeEnded(pipe));
}

FIBER_TEST_ON("uring", "descriptors in a message that is read as plain bytes are closed [IO-12]") {
  auto [one, other] = net::socketPair();
  Pipe pipe;
  net::sendDescriptors(one, asBytes("x"), std::array{pipe.writer()});
  pipe.closeWriter();

  CHECK(readPiece(other) == "x");

  CHECK(isPipeEnded(pipe));
}

FIBER_TEST_ON("uring", "descriptors that nobody received before the close are closed [IO-12]") {
  auto [one, other] = net::socketPair();
  Pipe pipe;
  net::sendDescriptors(one, asBytes("x"), std::array{pipe.writer()});
  pipe.closeWriter();

  other.close();
  one.close();

  CHECK(isPipeEnded(pipe));
}

FIBER_TEST_ON("uring", "a killed receiver loses neither byte nor descriptor [IO-8] [IO-12]") {
  auto [one, other] = net::socketPair();
  Pipe pipe;
  for (int distance = 0; distance <= 6; ++distance) {
    CAPTURE(distance);
    Letter letter;
    auto receiver = spawn([&letter, &other] { letter = receiveLetter(other); });
    settle();

    net::sendDescriptors(one, asBytes("x"), std::array{pipe.writer()});
    for (int turn = 0; turn < distance; ++turn) yield();
    receiver.kill();
    if (letter.text.empty()) letter = withTimeout(10s, [&other] { return receiveLetter(other); });

    CHECK(letter.text == "x");
    CHECK(letter.descriptors.size() == 1);
    closeAll(letter.descriptors);
  }
}

FIBER_TEST_ON("uring", "descriptors wait for the turn of the writer before them [IO-14]") {
  auto [one, other] = net::socketPair();
  const std::string much(4 << 20, '1');
  auto writer = spawn([&one, &much] { one.writeAll(much); });
  settle();
  auto sender = spawn([&one] { net::sendDescriptors(one, asBytes("2"), {}); });
  settle();

  const std::string received = readCount(other, much.size() + 1);

  CHECK(received.find('2') == much.size());
  writer.get();
  sender.get();
}

FIBER_TEST_ON("uring", "a send of descriptors that is killed half way breaks the stream [IO-10]") {
  auto [one, other] = net::socketPair();
  const std::string much(4 << 20, '1');
  auto sender = spawn([&one, &much] { net::sendDescriptors(one, asBytes(much), {}); });
  settle();
  sender.kill();
  REQUIRE(sender.isKilled());

  CHECK_THROWS_AS(withTimeout(2s, [&one] { one.writeAll("more"); }), IoError);
  CHECK_THROWS_AS(withTimeout(2s, [&one] { net::sendDescriptors(one, asBytes("more"), {}); }),
                  IoError);
  one.close();
  const std::string received = readToEnd(other);

  CHECK(!received.empty());
  CHECK(received.size() < much.size());
  CHECK(received.find("more") == received.npos);
}

FIBER_TEST_ON("uring", "receiving descriptors counts as the one reader [IO-13]") {
  auto [one, other] = net::socketPair();
  auto reader = spawn([&other] { return readPiece(other); });
  settle();

  CHECK_THROWS_AS(withTimeout(1s, [&other] { receiveLetter(other); }), ConcurrentUseError);
  one.writeAll("for the first");

  CHECK(reader.get() == "for the first");
}

FIBER_TEST("close() ends a read that gives way before it begins [IO-15]") {
  Event set;
  set.set();
  for (int calls = 100; calls < 150; ++calls) {
    auto [one, other] = net::socketPair();
    auto reader = spawn([&other, &set, calls] {
      for (int i = 0; i < calls; ++i) set.wait();
      readPiece(other);
    });
    auto closer = spawn([&other] { other.close(); });

    CHECK(withTimeout(2s, [&closer] { return closer.join(kForever); }, false));
    CHECK_THROWS_AS(reader.get(), ConnectionClosed);
  }
}

FIBER_TEST_ON("uring", "close() wakes who waits for descriptors [IO-15]") {
  auto [one, other] = net::socketPair();
  auto receiver = spawn([&other] { receiveLetter(other); });
  settle();

  other.close();

  CHECK_THROWS_AS(receiver.get(), ConnectionClosed);
}

}  // namespace
}  // namespace plait::test
