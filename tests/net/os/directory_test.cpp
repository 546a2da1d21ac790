// Names: asking, making, moving, removing, listing.

#include "plait/directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <functional>

#include "net_support.h"
#include "os_support.h"
#include "plait/error.h"
#include "plait/greenlet.h"

namespace plait::test {
namespace {

using os::FileType;

// The errno that f is refused with; 0 for none.
int codeOf(const std::function<void()>& f) {
  const auto error = thrownBy<IoError>(f);
  return error ? error->code().value() : 0;
}

bool isThere(const std::string& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0;
}

}  // namespace

FIBER_TEST_EACH("a status tells the kind of what is there [OS-24]") {
  const Folder folder;
  fill(folder / "file", "123");
  REQUIRE(::symlink("file", (folder / "link").c_str()) == 0);
  REQUIRE(::symlink("nothing", (folder / "dangling").c_str()) == 0);
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);

  CHECK(os::status(folder / "file").isRegular());
  CHECK(os::status(folder / "file").size == 3);
  CHECK(os::status(folder.path()).isDirectory());
  CHECK(os::status(folder / "link").isRegular());
  CHECK(os::linkStatus(folder / "link").type == FileType::symbolicLink);
  CHECK(os::status(folder / "fifo").type == FileType::pipe);
  CHECK(os::status("/dev/null").type == FileType::characterDevice);
  CHECK(codeOf([&] { os::status(folder / "dangling"); }) == ENOENT);
}

FIBER_TEST_EACH("exists is false for what is not there, and throws if it cannot know [OS-24]") {
  const Folder folder;
  fill(folder / "file", "");

  CHECK(os::exists(folder / "file"));
  CHECK_FALSE(os::exists(folder / "nothing"));
  CHECK_FALSE(os::exists(folder / "file/below"));
  CHECK(codeOf([&] { os::exists(folder / std::string(300, 'x')); }) == ENAMETOOLONG);
}

FIBER_TEST_EACH("a rename replaces what is there, but an exclusive one [OS-25]") {
  const Folder folder;
  fill(folder / "one", "1");
  fill(folder / "two", "2");

  CHECK(codeOf([&] { os::rename(folder / "one", folder / "two", true); }) == EEXIST);
  CHECK(contentOf(folder / "two") == "2");
  os::rename(folder / "one", folder / "two");
  CHECK(contentOf(folder / "two") == "1");
  os::rename(folder / "two", folder / "three", true);
  CHECK(contentOf(folder / "three") == "1");
  const auto error = thrownBy<IoError>([&] { os::rename(folder / "nothing", folder / "three"); });
  CHECK(contains(error->what(), folder / "nothing"));
  CHECK(contains(error->what(), folder / "three"));
}

FIBER_TEST_EACH("directories are made, one or a whole path, and removed if empty [OS-25]") {
  const Folder folder;

  os::makeDirectory(folder / "one", 0700);
  CHECK(os::status(folder / "one").permissions == 0700);
  CHECK(codeOf([&] { os::makeDirectory(folder / "one"); }) == EEXIST);
  CHECK(codeOf([&] { os::makeDirectory(folder / "two/below"); }) == ENOENT);
  os::makeDirectories(folder / "two/below//deep/");
  os::makeDirectories(folder / "two/below/deep");
  CHECK(os::status(folder / "two/below/deep").isDirectory());
  fill(folder / "file", "");
  CHECK(codeOf([&] { os::makeDirectories(folder / "file/below"); }) == ENOTDIR);
  CHECK(codeOf([&] { os::makeDirectories(folder / "file"); }) == ENOTDIR);
  CHECK(codeOf([] { os::makeDirectories(""); }) == ENOENT);

  CHECK(codeOf([&] { os::removeDirectory(folder / "two"); }) == ENOTEMPTY);
  os::removeDirectory(folder / "one");
  CHECK_FALSE(os::exists(folder / "one"));
}

FIBER_TEST_EACH("links are made and read, and a removal takes the name alone [OS-25]") {
  const Folder folder;
  fill(folder / "file", "content");

  os::makeLink(folder / "file", folder / "hard");
  os::makeSymbolicLink("file", folder / "soft");
  CHECK(os::readLink(folder / "soft") == "file");
  CHECK(os::status(folder / "file").links == 2);
  os::remove(folder / "soft");
  os::remove(folder / "hard");

  CHECK(contentOf(folder / "file") == "content");
  CHECK(codeOf([&] { os::remove(folder / "soft"); }) == ENOENT);
  CHECK(codeOf([&] { os::remove(folder.path()); }) == EISDIR);
  CHECK(codeOf([&] { os::readLink(folder / "file"); }) == EINVAL);
}

FIBER_TEST_EACH("permissions are set [OS-25]") {
  const Folder folder;
  fill(folder / "file", "");

  os::setPermissions(folder / "file", 0421);

  CHECK(os::status(folder / "file").permissions == 0421);
  CHECK(codeOf([&] { os::setPermissions(folder / "nothing", 0); }) == ENOENT);
}

FIBER_TEST_EACH("a directory is listed by name, with kinds [OS-26]") {
  const Folder folder;
  fill(folder / "b", "");
  fill(folder / ".hidden", "");
  os::makeDirectory(folder / "a");
  os::makeSymbolicLink("nowhere", folder / "c");

  const auto entries = os::listDirectory(folder.path());

  REQUIRE(entries.size() == 4);
  CHECK(entries[0].name == ".hidden");
  CHECK(entries[1].name == "a");
  CHECK(entries[1].type == FileType::directory);
  CHECK(entries[2].name == "b");
  CHECK(entries[2].type == FileType::regular);
  CHECK(entries[3].type == FileType::symbolicLink);
  CHECK(os::listDirectory(folder / "a").empty());
}

FIBER_TEST_EACH("a directory with more entries than the limit is a LimitError [OS-26]") {
  const Folder folder;
  for (int i = 0; i < 5; ++i) fill(folder / std::to_string(i), "");

  CHECK(os::listDirectory(folder.path(), 5).size() == 5);
  CHECK_THROWS_AS(os::listDirectory(folder.path(), 4), LimitError);
  CHECK(codeOf([&] { os::listDirectory(folder / "nothing"); }) == ENOENT);
  CHECK(codeOf([&] { os::listDirectory(folder / "1"); }) == ENOTDIR);
}

FIBER_TEST_EACH("a tree is removed with all that is in it, and links are not followed [OS-27]") {
  const Folder folder;
  const Folder outside;
  fill(outside / "precious", "still here");
  os::makeDirectories(folder / "tree/a/b/c");
  os::makeDirectories(folder / "tree/d");
  for (const char* name : {"tree/1", "tree/a/2", "tree/a/b/3", "tree/a/b/c/4"}) {
    fill(folder / name, "x");
  }
  os::makeSymbolicLink(outside.path(), folder / "tree/a/link");
  os::makeSymbolicLink("nowhere", folder / "tree/dangling");
  const int before = openDescriptors();

  os::removeTree(folder / "tree");

  CHECK_FALSE(isThere(folder / "tree"));
  CHECK(contentOf(outside / "precious") == "still here");
  CHECK(openDescriptors() == before);
  os::removeTree(folder / "tree");
}

FIBER_TEST("a tree deeper than paths are long is removed [OS-27]") {
  const Folder folder;
  constexpr int kLevels = 1'200;  // more than descriptors
  const std::string name(10, 'd');
  int here = ::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  REQUIRE(::mkdirat(here, "tree", 0700) == 0);
  std::string next = "tree";
  for (int i = 0; i < kLevels; ++i) {
    const int below = ::openat(here, next.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    REQUIRE(below >= 0);
    ::close(here);
    here = below;
    next = name;
    REQUIRE(::mkdirat(here, name.c_str(), 0700) == 0);
  }
  ::close(here);

  os::removeTree(folder / "tree");

  CHECK_FALSE(isThere(folder / "tree"));
}

FIBER_TEST_EACH("a link instead of a tree is refused, and its target untouched [OS-27]") {
  const Folder folder;
  os::makeDirectory(folder / "tree");
  fill(folder / "tree/file", "still here");
  os::makeSymbolicLink("tree", folder / "link");

  const auto error = thrownBy<IoError>([&] { os::removeTree(folder / "link"); });

  CHECK(error->code().value() == ENOTDIR);
  CHECK(contains(error->what(), folder / "link"));
  CHECK(contentOf(folder / "tree/file") == "still here");
}

FIBER_TEST("a call that is killed as it waits for a thread is never made, or done [OS-28]") {
  const Folder folder;
  for (int distance = 0; distance <= 4; ++distance) {
    bool hasReturned = false;
    auto maker = spawn([&] {
      os::makeDirectory(folder / "made");
      hasReturned = true;
    });
    for (int turn = 0; turn < distance; ++turn) yield();

    maker.kill();

    CHECK(isThere(folder / "made") == hasReturned);
    ::rmdir((folder / "made").c_str());
  }
}

}  // namespace plait::test
