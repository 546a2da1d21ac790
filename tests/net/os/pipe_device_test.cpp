// What is no pipe but read and written as one: FIFOs, terminals, devices, the standard streams.

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>

#include "net_support.h"
#include "os_support.h"
#include "plait/error.h"
#include "plait/file.h"
#include "plait/greenlet.h"
#include "plait/pipe.h"
#include "plait/tcp.h"

namespace plait::test {
namespace {

// A named pipe in a folder of its own.
struct Fifo {
  Folder folder;
  std::string path = folder / "fifo";
  Fifo() { REQUIRE(::mkfifo(path.c_str(), 0600) == 0); }
};

// While it lives, descriptor `number` is another file.
class Replaced final {
 public:
  Replaced(int number, int by) : number_(number), saved_(::dup(number)) {
    REQUIRE(::dup2(by, number) == number);
    ::close(by);
  }
  Replaced(const Replaced&) = delete;
  Replaced& operator=(const Replaced&) = delete;
  ~Replaced() {
    ::dup2(saved_, number_);
    ::close(saved_);
  }

 private:
  int number_;
  int saved_;
};

}  // namespace

FIBER_TEST_ON("uring", "opening a FIFO parks until the other end is opened too [OS-7]") {
  const Fifo fifo;
  auto reader = spawn([&fifo] { return os::openPipe(fifo.path, false); });
  settle();
  CHECK_FALSE(reader.isReady());

  os::PipeStream out = os::openPipe(fifo.path, true);
  os::PipeStream in = std::move(reader).get();

  out.writeAll("through the FIFO");
  out.close();
  CHECK(readToEnd(in) == "through the FIFO");
}

FIBER_TEST_ON("uring", "a writer that is killed as it opens a FIFO leaves no descriptor [OS-7]") {
  const Fifo fifo;
  const int before = openDescriptors();
  auto writer = spawn([&fifo] { os::openPipe(fifo.path, true); });
  settle();

  writer.kill();

  CHECK(writer.isKilled());
  CHECK(openDescriptors() == before);
}

FIBER_TEST_ON("uring", "a reader that is killed as it opens a FIFO leaves no descriptor [OS-7]") {
  const Fifo fifo;
  const int before = openDescriptors();
  for (int distance = 0; distance <= 6; ++distance) {
    auto reader = spawn([&fifo] { os::openPipe(fifo.path, false); });
    for (int turn = 0; turn < distance; ++turn) yield();

    reader.kill();

    CHECK(reader.isKilled());
    CHECK(openDescriptors() == before);
  }
}

FIBER_TEST_ON("uring", "a reader's open ends with a writer that opens and writes nothing [OS-7]") {
  const Fifo fifo;
  auto reader = spawn([&fifo] { return os::openPipe(fifo.path, false); });
  settle();
  CHECK_FALSE(reader.isReady());

  const int writer = ::open(fifo.path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(writer >= 0);
  os::PipeStream in = std::move(reader).get();

  CHECK((::fcntl(in.descriptor(), F_GETFL) & O_NONBLOCK) == 0);
  auto piece = spawn([&in] { return readPiece(in); });
  settle();
  CHECK_FALSE(piece.isReady());
  REQUIRE(::write(writer, "late", 4) == 4);
  CHECK(piece.get() == "late");
  ::close(writer);
}

FIBER_TEST_ON("uring", "a reader's open ends with a writer that comes and goes [OS-7]") {
  const Fifo fifo;
  auto reader = spawn([&fifo] { return os::openPipe(fifo.path, false); });
  settle();

  const int writer = ::open(fifo.path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  ::close(writer);
  os::PipeStream in = std::move(reader).get();

  CHECK(readToEnd(in) == "");
}

// Each would hold a worker of the kernel, of which there are few, and files need them.
FIBER_TEST_ON("uring", "many that open FIFOs hold up no file [OS-7] [OS-16]") {
  const Fifo fifo;
  std::vector<AnyGreenlet> openers;
  for (int i = 0; i < 100; ++i) {
    openers.push_back(spawn([&fifo] { os::openPipe(fifo.path, false); }));
  }
  settle();

  os::File file = os::File::open(fifo.folder / "file", os::OpenOptions::writing());
  file.writeAll("at once");
  file.sync();

  CHECK(contentOf(fifo.folder / "file") == "at once");
  killAll(openers);
}

FIBER_TEST_ON("uring", "a writer of much to a FIFO parks, and a kill strikes it [OS-7]") {
  const Fifo fifo;
  auto opener = spawn([&fifo] { return os::openPipe(fifo.path, false); });
  os::PipeStream out = os::openPipe(fifo.path, true);
  os::PipeStream in = std::move(opener).get();
  const std::string sent(1 << 20, 'x');

  auto writer = spawn([&] { out.writeAll(sent); });
  settle();
  CHECK_FALSE(writer.isReady());
  const bool isWhole = readCount(in, sent.size()) == sent;
  CHECK(isWhole);
  writer.get();

  auto killed = spawn([&] { out.writeAll(sent); });
  std::size_t received = readPiece(in, 1'000).size();
  killed.kill();
  const std::string description = out.describe();
  out.close();
  received += readToEnd(in).size();
  CHECK(contains(description, "after " + std::to_string(received) + " of"));
}

FIBER_TEST_ON("uring", "what is no FIFO is opened at once, or refused [OS-7]") {
  const Folder folder;
  fill(folder / "file", "content");
  os::PipeStream file = os::openPipe(folder / "file", false);
  CHECK(readPiece(file) == "content");

  const net::Listener socket = net::listen("unix:" + (folder / "socket"));
  const auto error = thrownBy<IoError>([&] { os::openPipe(folder / "socket", true); });
  CHECK(error->code().value() == ENXIO);
}

FIBER_TEST_ON("uring", "a FIFO that does not exist is an IoError with its path [OS-7]") {
  const auto error = thrownBy<IoError>([] { os::openPipe("/tmp/plait/no such fifo", false); });

  REQUIRE(error);
  CHECK(error->code().value() == ENOENT);
  CHECK(contains(error->what(), "/tmp/plait/no such fifo"));
}

FIBER_TEST_ON("uring", "a terminal is read and written as it comes [OS-8]") {
  const TerminalPair pair = makeTerminal();
  os::PipeStream master(pair.master, "the master");
  os::PipeStream slave(pair.slave, "the terminal");
  auto reader = spawn([&slave] { return readPiece(slave); });
  settle();
  CHECK_FALSE(reader.isReady());

  master.writeAll("keys");
  CHECK(reader.get() == "keys");

  slave.writeAll("echo");
  CHECK(readPiece(master) == "echo");
}

FIBER_TEST_ON("uring", "a reader killed at a terminal leaves the keys to the next [OS-8]") {
  const TerminalPair pair = makeTerminal();
  os::PipeStream master(pair.master, "the master");
  os::PipeStream slave(pair.slave, "the terminal");
  for (int distance = 0; distance <= 4; ++distance) {
    CAPTURE(distance);
    std::string received;
    auto reader = spawn([&slave, &received] {
      for (;;) received += readPiece(slave, 3);
    });
    settle();

    master.writeAll("0123456789");
    for (int turn = 0; turn < distance; ++turn) yield();
    reader.kill();
    received += readCount(slave, 10 - received.size());

    CHECK(received == "0123456789");
  }
}

FIBER_TEST_ON("uring", "a writer killed at a full terminal leaves, and others went on [OS-8]") {
  const TerminalPair pair = makeTerminal();
  os::PipeStream master(pair.master, "the master");
  os::PipeStream slave(pair.slave, "the terminal");
  auto writer = spawn([&slave] { slave.writeAll(std::string(1 << 20, 'x')); });
  std::size_t received = readPiece(master, 1).size();
  settle();
  CHECK_FALSE(writer.isReady());

  writer.kill();

  CHECK(writer.isKilled());
  const std::string description = slave.describe();
  slave.close();
  // A master whose other end is closed gives what is there, then EIO.
  std::error_code error;
  std::vector<std::byte> into(1 << 20);
  while (const std::size_t count = master.readSome(into, error)) received += count;
  CHECK(contains(description, "interrupted after " + std::to_string(received) + " of"));
}

FIBER_TEST_ON("uring", "closing a terminal makes its reader leave [OS-8]") {
  const TerminalPair pair = makeTerminal();
  os::PipeStream master(pair.master, "the master");
  os::PipeStream slave(pair.slave, "the terminal");
  auto reader = spawn([&slave] { CHECK_THROWS_AS(readPiece(slave), ConnectionClosed); });
  settle();

  slave.close();

  CHECK(reader.join(Duration::zero()));
}

FIBER_TEST_ON("uring", "a device that is always ready does not park [OS-9]") {
  os::PipeStream null(::open("/dev/null", O_RDWR | O_CLOEXEC), "/dev/null");
  os::PipeStream zero(::open("/dev/zero", O_RDONLY | O_CLOEXEC), "/dev/zero");

  null.writeAll("gone");

  CHECK(readPiece(null) == "");
  CHECK(readPiece(zero, 3) == std::string(3, '\0'));
}

FIBER_TEST_ON("uring", "a full device says so by name [OS-9]") {
  os::PipeStream full(::open("/dev/full", O_WRONLY | O_CLOEXEC), "the full device");

  const auto error = thrownBy<IoError>([&full] { full.writeAll("x"); });

  REQUIRE(error);
  CHECK(error->code().value() == ENOSPC);
  CHECK(contains(error->what(), "the full device"));
}

FIBER_TEST_ON("uring", "a descriptor of events parks its reader until there is one [OS-9]") {
  os::PipeStream events(::eventfd(0, EFD_CLOEXEC), "events");
  auto reader = spawn([&events] { return readPiece(events).size(); });
  settle();
  CHECK_FALSE(reader.isReady());

  const std::uint64_t one = 1;
  REQUIRE(::write(events.descriptor(), &one, sizeof one) == sizeof one);

  CHECK(reader.get() == sizeof one);
}

FIBER_TEST_ON("uring", "standard input may be a file, and its position moves [OS-10]") {
  const Folder folder;
  fill(folder / "input", "first second");
  const Replaced replaced(STDIN_FILENO, ::open((folder / "input").c_str(), O_RDONLY));
  os::PipeStream input = os::standardInput();

  CHECK(readPiece(input, 6) == "first ");
  CHECK(readToEnd(input) == "second");
  CHECK(::lseek(STDIN_FILENO, 0, SEEK_CUR) == 12);
}

FIBER_TEST_ON("uring", "standard input that is a pipe stays open when its streams close [OS-10]") {
  auto [in, out] = os::pipe();
  const Replaced replaced(STDIN_FILENO, in.detach());
  {
    os::PipeStream first = os::standardInput();
    first.close();
  }
  os::PipeStream second = os::standardInput();

  out.writeAll("for the second");

  CHECK(readPiece(second) == "for the second");
}

FIBER_TEST_ON("uring", "standard output and error are written as whatever they are [OS-10]") {
  for (const int number : {STDOUT_FILENO, STDERR_FILENO}) {
    auto [in, out] = os::pipe();
    {
      const Replaced replaced(number, out.detach());
      os::PipeStream stream = number == STDOUT_FILENO ? os::standardOutput() : os::standardError();
      stream.writeAll("heard");
    }
    CHECK(readToEnd(in) == "heard");
  }
}

FIBER_TEST_ON("uring", "a standard stream that is closed is an IoError [OS-10]") {
  const int saved = ::dup(STDIN_FILENO);
  ::close(STDIN_FILENO);

  const auto error = thrownBy<IoError>([] { os::standardInput(); });

  ::dup2(saved, STDIN_FILENO);
  ::close(saved);
  REQUIRE(error);
  CHECK(error->code().value() == EBADF);
  CHECK(contains(error->what(), "standard input"));
}

}  // namespace plait::test
