// How files are opened and locked, and how their calls end: refused, closed, killed.

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "net_support.h"
#include "os_support.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/file.h"
#include "plait/greenlet.h"
#include "plait/timeout.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using os::File;
using os::OpenOptions;

int codeOf(const std::optional<IoError>& error) { return error ? error->code().value() : 0; }

}  // namespace

FIBER_TEST_EACH("a file that does not exist is an IoError with its path [OS-18]") {
  const auto error = thrownBy<IoError>([] { File::open("/tmp/plait/no such file"); });

  CHECK(codeOf(error) == ENOENT);
  CHECK(contains(error->what(), "opening file /tmp/plait/no such file"));
}

FIBER_TEST_EACH("the options say what an open makes, keeps and refuses [OS-18]") {
  const Folder folder;
  const std::string path = folder / "file";

  File::open(path, {.write = true, .create = true, .exclusive = true, .permissions = 0640});
  CHECK(codeOf(thrownBy<IoError>([&path] {
          File::open(path, {.write = true, .create = true, .exclusive = true});
        })) == EEXIST);
  struct stat made{};
  REQUIRE(::stat(path.c_str(), &made) == 0);
  CHECK((made.st_mode & 0777) == 0640);

  fill(path, "content");
  File::open(path, {.write = true});
  CHECK(contentOf(path) == "content");
  File::open(path, OpenOptions::appending());
  CHECK(contentOf(path) == "content");
  File::open(path, OpenOptions::writing());
  CHECK(contentOf(path) == "");

  REQUIRE(::symlink("file", (folder / "link").c_str()) == 0);
  CHECK(File::open(folder / "link").isOpen());
  CHECK(codeOf(thrownBy<IoError>(
            [&folder] { File::open(folder / "link", {.followLinks = false}); })) == ELOOP);
}

FIBER_TEST_EACH("a file is not inherited by programs that are started [OS-18]") {
  const Folder folder;
  fill(folder / "file", "x");
  File file = File::open(folder / "file");

  CHECK((::fcntl(file.descriptor(), F_GETFD) & FD_CLOEXEC) != 0);
}

FIBER_TEST("a file opened for one direction refuses the other [OS-18]") {
  const Folder folder;
  fill(folder / "file", "x");
  File reader = File::open(folder / "file");
  File writer = File::open(folder / "file", OpenOptions::writing());
  std::array<std::byte, 1> one{};

  CHECK(codeOf(thrownBy<IoError>([&] { reader.writeAt(0, net::asBytes("y")); })) == EBADF);
  CHECK(codeOf(thrownBy<IoError>([&] { writer.readAt(0, one); })) == EBADF);
}

FIBER_TEST_EACH("an open that is killed leaves no descriptor, whoever wins [OS-19]") {
  const Folder folder;
  fill(folder / "file", "x");
  const int before = openDescriptors();
  for (int distance = 0; distance <= 4; ++distance) {
    auto opener = spawn([&folder] {
      File file = File::open(folder / "file", {.write = true, .create = true, .truncate = true});
      yield();
    });
    for (int turn = 0; turn < distance; ++turn) yield();
    opener.kill();
    CHECK(opener.isReady());
    CHECK(openDescriptors() == before);
  }
}

FIBER_TEST_EACH("calls that are killed leave the file usable [OS-19]") {
  const Folder folder;
  const std::string content(1 << 20, 'x');
  File file = File::open(folder / "file", {.write = true, .create = true});
  std::vector<std::byte> into(content.size());
  const std::vector<std::function<void()>> calls = {
      [&] { file.readAt(0, into); },
      [&] { file.readSome(into); },
      [&] { file.writeAt(0, net::asBytes(content)); },
      [&] { file.writeAll(content); },
      [&] { file.writeAt(0, std::array{net::asBytes(content), net::asBytes(content)}); },
      [&] { file.readAt(0, std::array{os::MutableBytes(into)}); },
      [&] { file.sync(); },
      [&] { file.syncData(); },
      [&] { file.truncate(0); },
      [&] { file.status(); },
      [&] { file.lock(); },
      [&] { file.unlock(); }};
  for (const auto& call : calls) {
    for (int distance = 0; distance <= 3; ++distance) {
      auto caller = spawn(call);
      for (int turn = 0; turn < distance; ++turn) yield();
      caller.kill();
      REQUIRE(caller.isReady());
    }
  }

  file.truncate(0);
  file.seek(0);
  file.writeAll("as before");

  CHECK(contentOf(folder / "file") == "as before");
}

FIBER_TEST_EACH("close ends the calls under way and waits for them [OS-20]") {
  const Folder folder;
  File file = File::open(folder / "file", {.write = true, .create = true});
  const std::string content(1 << 20, 'x');
  std::size_t left = 0;
  std::vector<AnyGreenlet> callers;
  for (int i = 0; i < 10; ++i) {
    callers.push_back(spawn([&] {
      try {
        for (;;) file.writeAt(0, net::asBytes(content));
      } catch (const IoError& error) {
        CHECK(error.code().value() == EBADF);
        CHECK(contains(error.what(), folder / "file"));
      }
      ++left;
    }));
    callers.push_back(spawn([&] {
      CHECK_THROWS_AS(
          [&] {
            for (;;) file.status();
          }(),
          IoError);
      ++left;
    }));
  }
  yield();

  file.close();

  CHECK_FALSE(file.isOpen());
  CHECK(file.descriptor() == -1);
  joinAllOrThrow(callers);
  CHECK(left == callers.size());
  file.close();
}

FIBER_TEST_EACH("close completes although its caller is killed meanwhile [OS-20]") {
  const Folder folder;
  File file = File::open(folder / "file", {.write = true, .create = true});
  const int before = openDescriptors();
  bool hasClosed = false;
  auto closer = spawn([&] {
    file.close();
    hasClosed = true;
  });
  yield();

  closer.kill();

  CHECK(hasClosed);
  CHECK(openDescriptors() == before - 1);
}

FIBER_TEST_EACH("every call on a closed file is an IoError that says so [OS-20]") {
  const Folder folder;
  fill(folder / "file", "x");
  File closed = File::open(folder / "file");
  closed.close();
  File none;
  std::array<std::byte, 1> one{};
  for (File* const file : {&closed, &none}) {
    const std::vector<std::function<void()>> calls = {
        [&] { file->readAt(0, one); }, [&] { file->writeAt(0, one); }, [&] { file->readSome(one); },
        [&] { file->writeAll("x"); },  [&] { file->sync(); },          [&] { file->syncData(); },
        [&] { file->truncate(0); },    [&] { file->status(); },        [&] { file->lock(); },
        [&] { file->tryLock(); },      [&] { file->unlock(); }};
    for (const auto& call : calls) {
      const auto error = thrownBy<IoError>(call);
      CHECK(codeOf(error) == EBADF);
      CHECK(contains(error->what(), "closed"));
    }
    CHECK(contains(file->describe(), "closed"));
    CHECK_FALSE(file->isOpen());
  }
  CHECK(none.detach() == -1);
}

FIBER_TEST_EACH("detach gives the descriptor away [OS-20]") {
  const Folder folder;
  fill(folder / "file", "x");
  File file = File::open(folder / "file");

  const int number = file.detach();

  CHECK_FALSE(file.isOpen());
  CHECK(::close(number) == 0);
}

FIBER_TEST_EACH("a lock waits for those that conflict, and shared ones do not [OS-21]") {
  const Folder folder;
  fill(folder / "file", "");
  File one = File::open(folder / "file");
  File other = File::open(folder / "file");

  one.lock();
  CHECK_FALSE(other.tryLock());
  CHECK_FALSE(other.tryLock(true));
  auto waiter = spawn([&other] { other.lock(true); });
  settle();
  CHECK_FALSE(waiter.isReady());
  one.unlock();
  waiter.get();

  CHECK(one.tryLock(true));
  CHECK_FALSE(one.tryLock());
}

FIBER_TEST_EACH("who is killed or times out as it waits for a lock has taken none [OS-21]") {
  const Folder folder;
  fill(folder / "file", "");
  File one = File::open(folder / "file");
  File other = File::open(folder / "file");
  File third = File::open(folder / "file");
  one.lock();
  auto waiter = spawn([&other] { other.lock(); });
  settle();

  waiter.kill();
  CHECK(waiter.isKilled());
  CHECK_THROWS_AS(withTimeout(20ms, [&other] { other.lock(); }), TimeoutError);
  one.unlock();

  CHECK(third.tryLock());
}

FIBER_TEST_EACH("closing a file ends who waits for its lock [OS-21]") {
  const Folder folder;
  fill(folder / "file", "");
  File one = File::open(folder / "file");
  File other = File::open(folder / "file");
  one.lock();
  auto waiter = spawn([&other] { CHECK_THROWS_AS(other.lock(), IoError); });
  settle();

  other.close();

  CHECK(waiter.join(Duration::zero()));
}

FIBER_TEST_EACH("a file's status tells what it is [OS-22]") {
  const Folder folder;
  fill(folder / "file", "12345");
  REQUIRE(::chmod((folder / "file").c_str(), 0604) == 0);
  struct stat expected{};
  REQUIRE(::stat((folder / "file").c_str(), &expected) == 0);
  File file = File::open(folder / "file");

  const os::FileStatus status = file.status();

  CHECK(status.isRegular());
  CHECK(status.size == 5);
  CHECK(status.permissions == 0604);
  CHECK(status.inode == expected.st_ino);
  CHECK(status.device == expected.st_dev);
  CHECK(status.userId == ::getuid());
  CHECK(status.groupId == expected.st_gid);
  CHECK(status.links == 1);
  CHECK(std::chrono::system_clock::to_time_t(status.modified) == expected.st_mtime);
  CHECK(File::open(folder.path()).status().isDirectory());
}

}  // namespace plait::test
