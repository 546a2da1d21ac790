// Files at once: read, written, replaced, copied.

#include <sys/stat.h>
#include <unistd.h>

#include "net_support.h"
#include "os_support.h"
#include "plait/directory.h"
#include "plait/error.h"
#include "plait/greenlet.h"

namespace plait::test {
namespace {

std::string letters(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + i * 7 % 23);
  return text;
}

}  // namespace

FIBER_TEST_EACH("a file is read and written at once [OS-31]") {
  const Folder folder;
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{200'000}}) {
    const std::string content = letters(bytes);

    os::writeFile(folder / "file", content);

    const bool isWhole = os::readFile(folder / "file") == content;
    CHECK(isWhole);
  }
  os::writeFile(folder / "mine", "secret", 0600);
  CHECK(os::status(folder / "mine").permissions == 0600);
}

FIBER_TEST_EACH("a file that does not tell its size is read whole [OS-31]") {
  const std::string status = os::readFile("/proc/self/status");

  CHECK(contains(status, "Pid:"));
  CHECK(status.back() == '\n');
}

FIBER_TEST_EACH("a file longer than the limit is a LimitError [OS-31]") {
  const Folder folder;
  fill(folder / "file", "0123456789");

  CHECK(os::readFile(folder / "file", 10) == "0123456789");
  CHECK_THROWS_AS(os::readFile(folder / "file", 9), LimitError);
  CHECK_THROWS_AS(os::readFile(folder / "file", 0), LimitError);
  CHECK_THROWS_AS(os::readFile(folder / "nothing"), IoError);
}

FIBER_TEST_EACH("a replaced file has the new content and leaves nothing beside it [OS-32]") {
  const Folder folder;
  fill(folder / "file", "old");

  os::replaceFile(folder / "file", "new", 0640);
  os::replaceFile(folder / "other", "made");

  CHECK(contentOf(folder / "file") == "new");
  CHECK(os::status(folder / "file").permissions == 0640);
  CHECK(contentOf(folder / "other") == "made");
  CHECK(os::listDirectory(folder.path()).size() == 2);
}

FIBER_TEST_EACH("a replacement that fails leaves the old content and nothing else [OS-32]") {
  const Folder folder;
  os::makeDirectory(folder / "full");
  fill(folder / "full/file", "old");

  // The last step is refused: a directory is no file.
  CHECK_THROWS_AS(os::replaceFile(folder / "full", "new"), IoError);

  CHECK(contentOf(folder / "full/file") == "old");
  CHECK(os::listDirectory(folder.path()).size() == 1);
}

FIBER_TEST_EACH("a replacement that is killed leaves the old content or the new [OS-32]") {
  const Folder folder;
  const std::string content = letters(100'000);
  int replaced = 0;
  for (int distance = 0; distance <= 12; ++distance) {
    fill(folder / "file", "old");
    auto replacer = spawn([&] { os::replaceFile(folder / "file", content); });
    for (int turn = 0; turn < distance; ++turn) yield();

    replacer.kill();

    const std::string found = contentOf(folder / "file");
    CHECK((found == "old" || found == content));
    if (found == content) ++replaced;
    CHECK(os::listDirectory(folder.path()).size() == 1);
  }
  CHECK(replaced < 13);
}

FIBER_TEST_EACH("a copy has the content and the permissions [OS-33]") {
  const Folder folder;
  const std::string content = letters(3'000'000);
  fill(folder / "from", content);
  REQUIRE(::chmod((folder / "from").c_str(), 0750) == 0);
  fill(folder / "to", "something that was there and is longer than nothing");

  CHECK(os::copyFile(folder / "from", folder / "to") == content.size());

  const bool isWhole = contentOf(folder / "to") == content;
  CHECK(isWhole);
  CHECK(os::status(folder / "to").permissions == 0750);
}

FIBER_TEST_EACH("a file that the kernel makes up is copied by its content [OS-33]") {
  const Folder folder;

  const std::uint64_t bytes = os::copyFile("/proc/cpuinfo", folder / "to");

  CHECK(bytes > 0);
  CHECK(contentOf(folder / "to").size() == bytes);
}

FIBER_TEST_EACH("a copy to another file system arrives too [OS-33]") {
  const Folder folder;
  const os::TemporaryDirectory memory("/dev/shm/plait-os-test-");
  const std::string content = letters(1'000'000);
  fill(folder / "from", content);

  CHECK(os::copyFile(folder / "from", memory.path() + "/to") == content.size());

  const bool isWhole = contentOf(memory.path() + "/to") == content;
  CHECK(isWhole);
}

FIBER_TEST_EACH("a file copied onto itself is refused and keeps its content [OS-33]") {
  const Folder folder;
  fill(folder / "file", "precious");
  os::makeLink(folder / "file", folder / "same");

  CHECK_THROWS_AS(os::copyFile(folder / "file", folder / "same"), IoError);

  CHECK(contentOf(folder / "file") == "precious");
  CHECK_THROWS_AS(os::copyFile(folder / "nothing", folder / "to"), IoError);
  CHECK_THROWS_AS(os::copyFile(folder.path(), folder / "to"), IoError);
  CHECK_FALSE(os::exists(folder / "to"));
}

FIBER_TEST_EACH("a copy that is killed leaves no descriptor [OS-33]") {
  const Folder folder;
  fill(folder / "from", letters(3'000'000));
  const int before = openDescriptors();
  for (int distance = 0; distance <= 8; ++distance) {
    auto copier = spawn([&] { os::copyFile(folder / "from", folder / "to"); });
    for (int turn = 0; turn < distance; ++turn) yield();
    copier.kill();
    CHECK(openDescriptors() == before);
  }
}

}  // namespace plait::test
