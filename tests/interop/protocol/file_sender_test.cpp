// FileSender.

#include "plait/file_sender.h"

#include <algorithm>
#include <cctype>
#include <sstream>

#include "protocol_support.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;

FIBER_TEST_EACH("a file is sent to its end, and its last byte told [PROTOCOL-33]") {
  const std::string text = longText(500'000) + "!";
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  std::istringstream file(text);
  FileSender sender;

  auto done = sender.beginFileTransfer(file, protocol->transport());
  const std::string got = readCount(peer, text.size());

  CHECK((got == text));
  CHECK(waitForDeferred(done) == '!');
  protocol->transport().loseConnection();
  protocol->over.wait();
  CHECK(readToEnd(peer).empty());
}

FIBER_TEST_ON("sim", "a file that is empty is sent, too [PROTOCOL-33]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  std::istringstream file;
  FileSender sender;

  const char last = waitForDeferred(sender.beginFileTransfer(file, protocol->transport()));

  CHECK(last == '\0');
  peer.close();
  protocol->over.wait();
}

FIBER_TEST_ON("sim", "each piece goes through the transform [PROTOCOL-33]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  std::istringstream file(std::string(40'000, 'a'));
  FileSender sender;
  int pieces = 0;

  auto done = sender.beginFileTransfer(file, protocol->transport(), [&pieces](std::string piece) {
    ++pieces;
    return std::string(piece.size() * 2, 'b');
  });
  const std::string got = readCount(peer, 80'000);

  CHECK(got == std::string(80'000, 'b'));
  CHECK(waitForDeferred(done) == 'b');
  CHECK(pieces > 1);
  peer.close();
  protocol->over.wait();
}

FIBER_TEST_ON("sim", "no more of a file is read than the peer takes [PROTOCOL-33]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  std::istringstream file(longText(2'000'000));
  FileSender sender;

  auto done = sender.beginFileTransfer(file, protocol->transport());
  sleep(1h);
  CHECK(file.tellg() < 200'000);
  CHECK(readCount(peer, 2'000'000).size() == 2'000'000);
  waitForDeferred(done);

  peer.close();
  protocol->over.wait();
}

FIBER_TEST_ON("sim", "a transfer whose connection goes has failed [PROTOCOL-33]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  std::istringstream file(longText(2'000'000));
  FileSender sender;
  auto done = sender.beginFileTransfer(file, protocol->transport());
  sleep(1s);

  peer.close();

  CHECK_THROWS_AS(waitForDeferred(done), ConnectionAborted);
  protocol->over.wait();
}

FIBER_TEST_ON("sim", "a transfer to a connection that is gone has failed [PROTOCOL-33]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  std::istringstream file("text");
  FileSender sender;
  peer.close();
  protocol->over.wait();

  auto done = sender.beginFileTransfer(file, protocol->transport());

  CHECK_THROWS_AS(waitForDeferred(done), ConnectionAborted);
}

FIBER_TEST_ON("sim", "a file that cannot be read fails the transfer [PROTOCOL-33]") {
  struct Broken final : std::streambuf {
    std::streamsize xsgetn(char*, std::streamsize) override { throw std::runtime_error("disk"); }
  };
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  Broken broken;
  std::istream file(&broken);
  FileSender sender;

  auto done = sender.beginFileTransfer(file, protocol->transport());

  CHECK_THROWS_AS(waitForDeferred(done), IoError);
  protocol->transport().write("usable");
  CHECK(readCount(peer, 6) == "usable");
  peer.close();
  protocol->over.wait();
}

FIBER_TEST_ON("sim", "a sender can be used again [PROTOCOL-33]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  FileSender sender;
  std::istringstream one("one");
  std::istringstream two("two");

  waitForDeferred(sender.beginFileTransfer(one, protocol->transport()));
  settle();
  waitForDeferred(sender.beginFileTransfer(two, protocol->transport()));

  CHECK(readCount(peer, 6) == "onetwo");
  peer.close();
  protocol->over.wait();
}

FIBER_TEST_ON("sim", "a transport with a producer takes no file [PROTOCOL-15] [PROTOCOL-33]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  FileSender first;
  FileSender second;
  std::istringstream one(longText(300'000));
  std::istringstream two("two");

  auto done = first.beginFileTransfer(one, protocol->transport());
  CHECK_THROWS_AS(second.beginFileTransfer(two, protocol->transport()), std::logic_error);

  CHECK((readCount(peer, 300'000) == longText(300'000)));
  waitForDeferred(done);
  peer.close();
  protocol->over.wait();
}

}  // namespace
}  // namespace plait::test
