// A file as a stream.

#include <array>

#include "net_support.h"
#include "os_support.h"
#include "plait/copy.h"
#include "plait/error.h"
#include "plait/file.h"
#include "plait/greenlet.h"
#include "plait/memory_stream.h"

namespace plait::test {
namespace {

using os::File;
using os::FileStream;
using os::OpenOptions;

}  // namespace

FIBER_TEST_EACH("a file stream reads from the position to the end [OS-23]") {
  const Folder folder;
  fill(folder / "file", "0123456789");
  FileStream stream(File::open(folder / "file"));
  stream.file().seek(4);

  CHECK(readToEnd(stream) == "456789");
  CHECK(readPiece(stream) == "");
}

FIBER_TEST_EACH("a file is copied to another as streams are [OS-23]") {
  const Folder folder;
  const std::string content(300'000, 'x');
  fill(folder / "from", content);
  FileStream from(File::open(folder / "from"));
  FileStream to(File::open(folder / "to", OpenOptions::writing()));

  CHECK(net::copy(from, to) == content.size());

  CHECK(contentOf(folder / "to") == content);
  CHECK_THROWS_AS(to.writeAll("too late"), ConnectionClosed);
  CHECK(to.isOpen());
}

FIBER_TEST("the writes of several fibers to a file stream arrive each whole [OS-23]") {
  const Folder folder;
  FileStream stream(File::open(folder / "file", OpenOptions::writing()));
  std::vector<AnyGreenlet> writers;
  for (char letter = 'a'; letter < 'e'; ++letter) {
    writers.push_back(spawn([&stream, letter] { stream.writeAll(std::string(1 << 20, letter)); }));
  }

  joinAllOrThrow(writers);

  std::string expected;
  for (char letter = 'a'; letter < 'e'; ++letter) expected += std::string(1 << 20, letter);
  const bool isWhole = contentOf(folder / "file") == expected;
  CHECK(isWhole);
}

FIBER_TEST_EACH("a file stream that is closed refuses as streams do [OS-23]") {
  const Folder folder;
  FileStream stream(File::open(folder / "file", OpenOptions::writing()));

  stream.close();
  stream.close();

  CHECK_FALSE(stream.isOpen());
  CHECK_THROWS_AS(readPiece(stream), ConnectionClosed);
  CHECK_THROWS_AS(stream.writeAll("x"), ConnectionClosed);
  CHECK_THROWS_AS(stream.shutdownWrite(), ConnectionClosed);
  CHECK(contains(stream.describe(), "closed"));
}

FIBER_TEST_ON("uring",
              "a full disk reaches the writer of a file stream as an IoError [OS-23] [OS-17]") {
  FileStream stream(File::open("/dev/full", {.read = false, .write = true}));

  const auto error = thrownBy<IoError>([&stream] { stream.writeAll("x"); });

  CHECK(error->code().value() == ENOSPC);
}

}  // namespace plait::test
