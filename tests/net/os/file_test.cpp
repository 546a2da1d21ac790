// Reading and writing files.

#include "plait/file.h"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <vector>

#include "net_support.h"
#include "os_support.h"
#include "plait/error.h"
#include "plait/greenlet.h"
#include "plait/statistics.h"

namespace plait::test {
namespace {

using os::File;
using os::OpenOptions;

net::MutableBytes bytesOf(std::string& text) {
  return std::as_writable_bytes(std::span(text.data(), text.size()));
}

std::string readAt(File& file, std::uint64_t offset, std::size_t bytes) {
  std::string text(bytes, '\0');
  std::size_t done = 0;
  while (done < bytes) {
    const std::size_t count = file.readAt(offset + done, bytesOf(text).subspan(done));
    if (count == 0) break;
    done += count;
  }
  text.resize(done);
  return text;
}

std::string letters(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + i * 7 % 23);
  return text;
}

constexpr OpenOptions kBoth{.write = true, .create = true};

// Short reads and writes, late and out of order.
RunOptions hostile() { return onKernel("sim", SimOptions::hostile(seed())); }

}  // namespace

FIBER_TEST_EACH("what is written at an offset is read there, and nothing else [OS-12]") {
  const Folder folder;
  File file = File::open(folder / "file", kBoth);

  file.writeAt(3, net::asBytes("abc"));

  CHECK(file.size() == 6);
  CHECK(readAt(file, 3, 3) == "abc");
  CHECK(readAt(file, 0, 100) == std::string("\0\0\0abc", 6));
  CHECK(contentOf(folder / "file") == std::string("\0\0\0abc", 6));
}

FIBER_TEST_EACH("a read at the end of a file, or beyond it, is 0 [OS-12]") {
  const Folder folder;
  fill(folder / "file", "abc");
  File file = File::open(folder / "file");
  std::array<std::byte, 8> into{};

  CHECK(file.readAt(3, into) == 0);
  CHECK(file.readAt(1'000, into) == 0);
  CHECK(file.readAt(0, net::MutableBytes()) == 0);
}

FIBER_TEST_WITH(hostile(), "short reads and writes are continued [OS-12]") {
  const Folder folder;
  const std::string sent = letters(100'000);
  File file = File::open(folder / "file", kBoth);

  file.writeAt(0, net::asBytes(sent));
  file.seek(sent.size());
  file.writeAll(sent);

  const bool isWhole = contentOf(folder / "file") == sent + sent;
  CHECK(isWhole);
  const bool isRead = readAt(file, 0, 2 * sent.size()) == sent + sent;
  CHECK(isRead);
}

FIBER_TEST_EACH("several buffers are written one after the other and read so [OS-13]") {
  const Folder folder;
  File file = File::open(folder / "file", kBoth);
  const std::array<os::Bytes, 4> pieces{net::asBytes("one "), os::Bytes(), net::asBytes("two "),
                                        net::asBytes("three")};

  file.writeAt(2, pieces);

  CHECK(contentOf(folder / "file") == std::string("\0\0one two three", 15));
  std::string first(4, '.');
  std::string second(100, '.');
  const std::array<os::MutableBytes, 2> into{bytesOf(first), bytesOf(second)};
  const std::size_t count = file.readAt(2, into);
  CHECK(first == "one ");
  // The sim's reads may fill the first alone.
  CHECK((count == 13 || count == 4));
  CHECK(second.substr(0, count - 4) == std::string("two three").substr(0, count - 4));
}

FIBER_TEST_WITH(hostile(), "many buffers arrive whole though the writes are short [OS-13]") {
  const Folder folder;
  File file = File::open(folder / "file", kBoth);
  const std::string text = letters(7'919);
  std::vector<os::Bytes> pieces;
  for (std::size_t at = 0; at < text.size(); at += 97) {
    pieces.push_back(net::asBytes(std::string_view(text).substr(at, 97)));
  }

  file.writeAt(0, pieces);

  CHECK(contentOf(folder / "file") == text);
}

FIBER_TEST("more buffers than the kernel takes at once arrive whole [OS-13]") {
  const Folder folder;
  File file = File::open(folder / "file", kBoth);
  const std::string text = letters(5'000);
  std::vector<os::Bytes> pieces;
  for (const char& each : text) pieces.push_back(net::asBytes(std::string_view(&each, 1)));

  file.writeAt(0, pieces);

  CHECK(contentOf(folder / "file") == text);
}

FIBER_TEST_EACH("reads and writes at the position move it, and seek sets it [OS-14]") {
  const Folder folder;
  File file = File::open(folder / "file", kBoth);

  file.writeAll("0123456789");
  CHECK(file.position() == 10);
  file.seek(4);
  std::string two(2, '\0');
  CHECK(file.readSome(bytesOf(two)) == 2);

  CHECK(two == "45");
  CHECK(file.position() == 6);
  file.writeAll("xx");
  CHECK(contentOf(folder / "file") == "012345xx89");
}

FIBER_TEST_EACH("who appends writes at the end, whoever else has written [OS-14]") {
  const Folder folder;
  fill(folder / "log", "first ");
  File one = File::open(folder / "log", OpenOptions::appending());
  File other = File::open(folder / "log", OpenOptions::appending());

  one.writeAll("second ");
  other.writeAll("third ");
  one.seek(0);
  one.writeAll("fourth");

  CHECK(contentOf(folder / "log") == "first second third fourth");
  CHECK(one.position() == 25);
}

FIBER_TEST("of two fibers that move the position the second is refused [OS-14]") {
  const Folder folder;
  File file = File::open(folder / "file", kBoth);
  const std::string sent = letters(4 << 20);
  auto writer = spawn([&file, &sent] { file.writeAll(sent); });
  yield();
  std::string one(1, '\0');

  if (!writer.isReady()) CHECK_THROWS_AS(file.readSome(bytesOf(one)), ConcurrentUseError);
  CHECK(readAt(file, 0, 0).empty());

  writer.get();
  const bool isWhole = contentOf(folder / "file") == sent;
  CHECK(isWhole);
}

FIBER_TEST_EACH("an adopted descriptor begins at its position [OS-14]") {
  const Folder folder;
  fill(folder / "file", "0123456789");
  const int number = ::open((folder / "file").c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(::lseek(number, 7, SEEK_SET) == 7);
  File file(number, "adopted");
  std::string rest(3, '\0');

  CHECK(file.readSome(bytesOf(rest)) >= 1);
  CHECK(rest[0] == '7');
}

FIBER_TEST_EACH("a file of many gigabytes is read and written at its far end [OS-15]") {
  const Folder folder;
  File file = File::open(folder / "sparse", kBoth);
  constexpr std::uint64_t kFar = (std::uint64_t{5} << 30) + 1;

  file.writeAt(kFar, net::asBytes("far out"));

  CHECK(file.size() == kFar + 7);
  CHECK(readAt(file, kFar, 100) == "far out");
  CHECK(readAt(file, kFar - 3, 5) == std::string("\0\0\0fa", 5));
  file.seek(kFar + 4);
  std::string out(3, '\0');
  file.readSome(bytesOf(out).first(3));
  CHECK(file.position() > kFar + 4);
}

FIBER_TEST_EACH("truncate cuts a file and makes it longer by zeros [OS-15]") {
  const Folder folder;
  fill(folder / "file", "0123456789");
  File file = File::open(folder / "file", kBoth);

  file.truncate(4);
  CHECK(contentOf(folder / "file") == "0123");
  file.truncate(6);
  CHECK(contentOf(folder / "file") == std::string("0123\0\0", 6));
}

FIBER_TEST_EACH("what was written can be synced to the disk [OS-15]") {
  const Folder folder;
  File file = File::open(folder / "file", kBoth);
  file.writeAll("important");

  file.sync();
  file.syncData();

  CHECK(contentOf(folder / "file") == "important");
}

FIBER_TEST_ON("uring", "what cannot be synced is told with its name [OS-15]") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  File one(ends[0], "an adopted pipe");
  File other(ends[1]);

  const auto error = thrownBy<IoError>([&one] { one.sync(); });

  CHECK(error->code().value() == EINVAL);
  CHECK(contains(error->what(), "syncing an adopted pipe"));
}

FIBER_TEST("a thousand fibers read files while another goes on [OS-16]") {
  constexpr std::size_t kReaders = 1'000;
  constexpr std::size_t kPieces = 16;
  constexpr std::size_t kPieceBytes = 1'024;
  const Folder folder;
  const std::string content = letters(kPieces * kPieceBytes);
  fill(folder / "file", content);
  File file = File::open(folder / "file");
  std::size_t whole = 0;
  std::vector<AnyGreenlet> readers;
  for (std::size_t i = 0; i < kReaders; ++i) {
    readers.push_back(spawn([&] {
      std::string found;
      for (std::size_t j = 0; j < kPieces; ++j) {
        found += readAt(file, j * kPieceBytes, kPieceBytes);
      }
      if (found == content) ++whole;
    }));
  }
  std::size_t ticks = 0;
  auto ticker = spawn([&ticks] {
    for (;; ++ticks) yield();
  });

  joinAllOrThrow(readers);
  ticker.kill();

  CHECK(whole == kReaders);
  CHECK(ticks >= kPieces);
}

FIBER_TEST_ON("uring", "a full disk is told with the file's name [OS-17]") {
  File full = File::open("/dev/full", {.read = false, .write = true});

  const auto error = thrownBy<IoError>([&full] { full.writeAll("x"); });
  const auto positional = thrownBy<IoError>([&full] { full.writeAt(0, net::asBytes("x")); });

  CHECK(error->code().value() == ENOSPC);
  CHECK(contains(error->what(), "writing file /dev/full"));
  CHECK(positional->code().value() == ENOSPC);
}

// As a disk that fills in the middle of a write: the kernel first writes less, then refuses.
FIBER_TEST("a write that ends at a limit is told, and what fitted is written [OS-17]") {
  const Folder folder;
  File file = File::open(folder / "file", kBoth);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  rlimit lower = before;
  lower.rlim_cur = 10;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &lower);

  const auto error = thrownBy<IoError>([&file] { file.writeAll("0123456789abcdef"); });

  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(error->code().value() == EFBIG);
  CHECK(file.position() == 10);
  CHECK(contentOf(folder / "file") == "0123456789");
}

}  // namespace plait::test
