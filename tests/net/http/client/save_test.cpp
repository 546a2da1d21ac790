#include <filesystem>

#include "client_support.h"
#include "plait/file.h"

namespace plait::test {
namespace {

// A name in a folder of its own, which goes with it.
class TemporaryFile final {
 public:
  TemporaryFile() {
    std::string pattern = std::filesystem::temp_directory_path() / "plait-save-XXXXXX";
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ / "file"; }

 private:
  std::filesystem::path folder_;
};

FIBER_TEST_ON("uring", "a body is saved to a file as it comes, up to a limit [CLIENT-45]") {
  const std::string text = std::string(200'000, 'x') + "end";
  TestServer server(always(answerWith(text)));
  Session session;
  const TemporaryFile temporary;

  os::File file = os::File::open(temporary.path(), os::OpenOptions::writing());
  CHECK(session.get(server.url()).saveTo(file) == text.size());
  file.close();
  CHECK((os::readFile(temporary.path()) == text));
  os::File limited = os::File::open(temporary.path(), os::OpenOptions::writing());
  CHECK_THROWS_AS(session.get(server.url()).saveTo(limited, 1000), LimitError);
  limited.close();

  CHECK(os::readFile(temporary.path()) == std::string(1000, 'x'));
  CHECK(session.statistics().inUse == 0);
  CHECK(session.statistics().idle == 0);
}

FIBER_TEST_ON("uring", "a file that cannot be written ends the response [CLIENT-45]") {
  TestServer server(always(answerWith(std::string(200'000, 'x'))));
  Session session;
  os::File full = os::File::open("/dev/full", {.read = false, .write = true});

  CHECK_THROWS_AS(session.get(server.url()).saveTo(full), IoError);

  CHECK(session.statistics().inUse == 0);
}

}  // namespace
}  // namespace plait::test
