// Lines: whole, byte by byte, and cut at every place; modes and limits.

#include <stdexcept>

#include "receivers_support.h"

namespace plait::test {
namespace {

using namespace std::string_literals;

TEST_CASE("lines are the same however the stream is cut [PROTOCOL-28]") {
  const std::string stream = "one\r\n\r\nt\rw\no\r\r\nlast\r\nrest";
  const Strings lines{"one", "", "t\rw\no\r", "last"};

  CHECK(received(stream, making<Lines>()) == lines);
  CHECK(received(stream, making<OnlyLines>()) == lines);
}

TEST_CASE("the delimiter of lines may be any [PROTOCOL-28]") {
  CHECK(received("a\nb\n\nc", making<Lines>("\n"s)) == Strings{"a", "b", ""});
  CHECK(received("a<--b<--<-c<--", making<Lines>("<--"s)) == Strings{"a", "b", "<-c"});
  CHECK(received("a<--b<--<-c<--", making<OnlyLines>("<--"s)) == Strings{"a", "b", "<-c"});
  CHECK(received("a\0b\0"s, making<OnlyLines>("\0"s)) == Strings{"a", "b"});
}

std::unique_ptr<Lines> withBody() {
  auto lines = std::make_unique<Lines>();
  lines->onLine = [](Lines& self, std::string_view line) {
    if (line == "raw") self.setRawMode();
  };
  lines->onRaw = [](Lines& self, std::string_view) {
    // The body ends with a dot; what follows it are lines again.
    const std::size_t dot = self.got.back().find('.');
    if (dot == std::string::npos) return;
    const std::string extra = self.got.back().substr(dot + 1);
    self.got.back().resize(dot);
    self.setLineMode(extra);
  };
  return lines;
}

TEST_CASE("raw mode begins and ends in the middle of what has come [PROTOCOL-29]") {
  CHECK(received("head\r\nraw\r\nbo\r\ndy.a\r\nraw\r\n.b\r\n", &withBody) ==
        Strings{"head", "raw", "raw:bo\r\ndy", "a", "raw", "raw:", "b"});
}

TEST_CASE("line mode from outside a call takes what is handed back at once [PROTOCOL-29]") {
  Lines lines;
  const auto transport = attach(lines);
  lines.setRawMode();
  lines.dataReceived("raw\r\n");

  lines.setLineMode("a\r\nb");
  CHECK(lines.got == Strings{"raw:raw\r\n", "a"});
  lines.dataReceived("c\r\n");

  CHECK(lines.got == Strings{"raw:raw\r\n", "a", "bc"});
}

TEST_CASE("what is handed back in line mode comes before the rest [PROTOCOL-29]") {
  Lines lines;
  const auto transport = attach(lines);
  lines.onLine = [](Lines& self, std::string_view line) {
    if (line == "again") self.setLineMode("x\r\ny\r\n");
  };

  lines.dataReceived("again\r\nrest\r\n");

  CHECK(lines.got == Strings{"again", "x", "y", "rest"});
}

TEST_CASE("a cleared line buffer is returned and not seen [PROTOCOL-29]") {
  Lines lines;
  const auto transport = attach(lines);
  std::string cleared;
  lines.onLine = [&cleared](Lines& self, std::string_view line) {
    if (line == "clear") cleared = self.clearLineBuffer();
  };

  lines.dataReceived("clear\r\nforgotten\r\nhalf");
  lines.dataReceived("next\r\n");

  CHECK(cleared == "forgotten\r\nhalf");
  CHECK(lines.got == Strings{"clear", "next"});
}

TEST_CASE("after lineReceived() has thrown the next line is the next [PROTOCOL-29]") {
  Lines lines;
  const auto transport = attach(lines);
  lines.onLine = [](Lines&, std::string_view line) {
    if (line == "bad") throw std::runtime_error("bad");
  };

  CHECK_THROWS_AS(lines.dataReceived("bad\r\ngo"), std::runtime_error);
  lines.dataReceived("od\r\n");

  CHECK(lines.got == Strings{"bad", "good"});
}

TEST_CASE("a line of the limit passes and a longer one closes [PROTOCOL-30]") {
  const Strings closed{"12345", "<closed>"};

  CHECK(received("12345\r\n12345\r\n", making<Lines>("\r\n"s, 5)) == Strings{"12345", "12345"});
  CHECK(received("12345\r\n123456\r\nnever\r\n", making<Lines>("\r\n"s, 5)) == closed);
  CHECK(received("12345\r\n12345678", making<Lines>("\r\n"s, 5)) == closed);
  CHECK(received("12345\r\n12345\r", making<Lines>("\r\n"s, 5)) == Strings{"12345"});
  CHECK(received("12345\r\n12345\r\n", making<OnlyLines>("\r\n"s, 5)) == Strings{"12345", "12345"});
  CHECK(received("12345\r\n123456\r\nnever\r\n", making<OnlyLines>("\r\n"s, 5)) == closed);
  CHECK(received("12345\r\n12345678", making<OnlyLines>("\r\n"s, 5)) == closed);
  CHECK(received("12345\r\n12345\r", making<OnlyLines>("\r\n"s, 5)) == Strings{"12345"});
}

TEST_CASE("lineLengthExceeded() gets what has come [PROTOCOL-30]") {
  Lines lines("\r\n", 5);
  const auto transport = attach(lines);
  OnlyLines only("\r\n", 5);
  const auto other = attach(only);

  lines.dataReceived("ok\r\ntoo long\r\nmore\r\n");
  only.dataReceived("ok\r\ntoo long\r\nmore\r\n");

  CHECK(lines.exceeded == "too long\r\nmore\r\n");
  CHECK(transport->losing);
  CHECK(only.exceeded == "too long");
  CHECK(other->losing);
}

TEST_CASE("raw data has no limit [PROTOCOL-30]") {
  Lines lines("\r\n", 5);
  const auto transport = attach(lines);

  lines.setRawMode();
  lines.dataReceived(std::string(100'000, 'r'));

  CHECK(lines.got[0].size() == 100'004);
  CHECK_FALSE(transport->losing);
}

}  // namespace
}  // namespace plait::test
