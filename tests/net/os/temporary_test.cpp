// Temporary files and directories.

#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "net_support.h"
#include "os_support.h"
#include "plait/directory.h"
#include "plait/error.h"
#include "plait/greenlet.h"

namespace plait::test {
namespace {

bool isThere(const std::string& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0;
}

}  // namespace

FIBER_TEST_EACH("a temporary file has no name and can be read and written [OS-29]") {
  const Folder folder;
  os::File file = os::temporaryFile(folder.path());

  file.writeAll("for a while");
  file.seek(0);
  std::array<std::byte, 100> into{};

  CHECK(file.readSome(into) == 11);
  CHECK(file.status().links == 0);
  CHECK(file.status().permissions == 0600);
  CHECK(os::listDirectory(folder.path()).empty());
}

FIBER_TEST_EACH("a temporary file that cannot be made is an IoError with its place [OS-29]") {
  const auto error = thrownBy<IoError>([] { os::temporaryFile("/tmp/plait/nowhere"); });

  REQUIRE(error);
  CHECK(error->code().value() == ENOENT);
  CHECK(contains(error->what(), "/tmp/plait/nowhere"));
}

FIBER_TEST_EACH("a temporary directory goes with its object, and what is in it [OS-30]") {
  const Folder folder;
  std::string path;
  {
    const os::TemporaryDirectory directory(folder / "mine-");
    path = directory.path();
    CHECK(os::status(path).permissions == 0700);
    fill(path + "/file", "x");
    os::makeDirectory(path + "/below");
  }

  CHECK(contains(path, "mine-"));
  CHECK_FALSE(isThere(path));
}

FIBER_TEST_EACH("a temporary directory is removed also as its fiber is killed [OS-30]") {
  const Folder folder;
  auto owner = spawn([&folder] {
    const os::TemporaryDirectory directory(folder / "mine-");
    fill(directory.path() + "/file", "x");
    sleep(kForever);
  });
  while (os::listDirectory(folder.path()).empty()) yield();
  settle();

  owner.kill();

  CHECK(owner.isKilled());
  CHECK(os::listDirectory(folder.path()).empty());
}

FIBER_TEST_EACH("remove takes a temporary directory away at once [OS-30]") {
  os::TemporaryDirectory directory;
  const std::string path = directory.path();

  directory.remove();
  directory.remove();

  CHECK_FALSE(isThere(path));
}

FIBER_TEST_EACH("a moved temporary directory belongs to the new object [OS-30]") {
  std::string path;
  {
    os::TemporaryDirectory first;
    path = first.path();
    const os::TemporaryDirectory second(std::move(first));
    CHECK(second.path() == path);
    CHECK(isThere(path));
  }

  CHECK_FALSE(isThere(path));
}

FIBER_TEST_EACH("a temporary directory that cannot be removed is reported [OS-30]") {
  ExpectedErrors errors;
  const Folder folder;
  {
    const os::TemporaryDirectory directory(folder / "mine-");
    REQUIRE(::rmdir(directory.path().c_str()) == 0);
    fill(directory.path(), "a file in its place");
  }

  const auto reports = errors.take();
  REQUIRE(reports.size() == 1);
  CHECK(contains(reports[0], "TemporaryDirectory"));
}

}  // namespace plait::test
