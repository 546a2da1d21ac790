// Pipes and FIFOs; that they are streams is tested by the contract suite.

#include "plait/pipe.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "net_support.h"
#include "os_support.h"
#include "plait/error.h"
#include "plait/greenlet.h"
#include "plait/tcp.h"

namespace plait::test {
namespace {

std::string drainNumber(int descriptor) {
  std::array<char, 4096> buffer{};
  const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
  return {buffer.data(), static_cast<std::size_t>(count > 0 ? count : 0)};
}

void setNonBlocking(int descriptor) {
  REQUIRE(::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK) == 0);
}

}  // namespace

FIBER_TEST_EACH("what is written to a pipe is read from it, up to its end [OS-2]") {
  auto [in, out] = os::pipe();

  out.writeAll("through the pipe");
  out.close();

  CHECK(readToEnd(in) == "through the pipe");
}

FIBER_TEST("the ends of a pipe are not inherited by programs that are started [OS-2]") {
  auto [in, out] = os::pipe();

  CHECK((::fcntl(in.descriptor(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK((::fcntl(out.descriptor(), F_GETFD) & FD_CLOEXEC) != 0);
}

FIBER_TEST("a pipe that cannot be made is an IoError [OS-2]") {
  const DescriptorLimit limit(1);

  const auto error = thrownBy<IoError>([] { os::pipe(); });

  REQUIRE(error);
  CHECK(error->code().value() == EMFILE);
}

FIBER_TEST("the wrong end of a pipe refuses with EBADF and stays usable [OS-3]") {
  auto [in, out] = os::pipe();

  const auto written = thrownBy<IoError>([&end = in] { end.writeAll("x"); });
  const auto read = thrownBy<IoError>([&end = out] { readPiece(end); });
  const auto ended = thrownBy<IoError>([&end = in] { end.shutdownWrite(); });

  CHECK(written->code().value() == EBADF);
  CHECK(read->code().value() == EBADF);
  CHECK(ended->code().value() == EBADF);
  out.writeAll("as before");
  CHECK(readPiece(in) == "as before");
}

FIBER_TEST("a pipe with O_NONBLOCK parks its reader and keeps its flag [OS-4]") {
  auto [in, out] = os::pipe();
  setNonBlocking(in.descriptor());
  auto reader = spawn([&end = in] { return readPiece(end); });
  settle();
  REQUIRE_FALSE(reader.isReady());

  out.writeAll("at last");

  CHECK(reader.get() == "at last");
  CHECK((::fcntl(in.descriptor(), F_GETFL) & O_NONBLOCK) != 0);
}

FIBER_TEST("a pipe with O_NONBLOCK parks its writer until all is written [OS-4]") {
  auto [in, out] = os::pipe();
  setNonBlocking(out.descriptor());
  const std::string sent(1 << 20, 'x');
  auto writer = spawn([&end = out, &sent] { end.writeAll(sent); });
  settle();
  REQUIRE_FALSE(writer.isReady());

  const bool isWhole = readCount(in, sent.size()) == sent;

  CHECK(isWhole);
  writer.get();
}

FIBER_TEST("a reader killed on a pipe with O_NONBLOCK takes no byte [OS-4]") {
  auto [in, out] = os::pipe();
  setNonBlocking(in.descriptor());
  auto reader = spawn([&end = in] { readPiece(end); });
  settle();

  reader.requestKill();
  out.writeAll("for the next");
  reader.join();

  CHECK((reader.isSuccessful() || readPiece(in) == "for the next"));
}

FIBER_TEST("a socket may be read and written as a pipe, and half closed [OS-5]") {
  auto [a, b] = net::socketPair();
  os::PipeStream stream(a.detach(), "the socket");

  stream.writeAll("question");
  stream.shutdownWrite();

  CHECK(readToEnd(b) == "question");
  b.writeAll("answer");
  CHECK(readPiece(stream) == "answer");
  CHECK_THROWS_AS(stream.writeAll("too late"), ConnectionClosed);
}

FIBER_TEST("a descriptor that is not owned stays open, and its parked reader leaves [OS-6]") {
  auto [in, out] = os::pipe();
  os::PipeStream borrowed(in.descriptor(), "borrowed", false);
  auto reader = spawn([&borrowed] { CHECK_THROWS_AS(readPiece(borrowed), ConnectionClosed); });
  settle();

  borrowed.close();

  CHECK(reader.join(Duration::zero()));
  out.writeAll("still there");
  CHECK(readPiece(in) == "still there");
}

FIBER_TEST("a stream that is not owned leaves its descriptor open when it dies [OS-6]") {
  auto [in, out] = os::pipe();
  {
    const os::PipeStream borrowed(in.descriptor(), "borrowed", false);
  }

  out.writeAll("still there");

  CHECK(readPiece(in) == "still there");
}

FIBER_TEST("closing one of two streams of a descriptor leaves the other's reader [OS-6]") {
  auto [in, out] = os::pipe();
  os::PipeStream borrowed(in.descriptor(), "borrowed", false);
  auto reader = spawn([&end = in] { return readPiece(end); });
  auto other = spawn([&borrowed] { CHECK_THROWS_AS(readPiece(borrowed), ConnectionClosed); });
  settle();

  borrowed.close();
  other.get();
  settle();
  CHECK_FALSE(reader.isReady());
  out.writeAll("for the other");

  CHECK(reader.get() == "for the other");
}

FIBER_TEST("detach gives the descriptor away and leaves a closed stream [OS-2]") {
  auto [in, out] = os::pipe();
  out.writeAll("x");

  const int number = in.detach();

  CHECK_FALSE(in.isOpen());
  CHECK(in.descriptor() == -1);
  CHECK(drainNumber(number) == "x");
  ::close(number);
}

FIBER_TEST("a stream without a descriptor is closed, and says so [OS-2]") {
  os::PipeStream none;

  none.close();

  CHECK_FALSE(none.isOpen());
  CHECK_THROWS_AS(readPiece(none), ConnectionClosed);
  CHECK_THROWS_AS(none.writeAll("x"), ConnectionClosed);
  CHECK_THROWS_AS(none.shutdownWrite(), ConnectionClosed);
  CHECK(contains(none.describe(), "closed"));
}

TEST_CASE("a PipeStream off a loop is a logic_error, and the descriptor stays open [OS-2]") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);

  CHECK_THROWS_AS(os::PipeStream stream(ends[0]), std::logic_error);

  CHECK(::close(ends[0]) == 0);
  CHECK(::close(ends[1]) == 0);
}

}  // namespace plait::test
