// Netstrings and counted strings: whole, byte by byte, and cut at every place; limits, and what is
// sent.

#include "net_support.h"
#include "plait/error.h"
#include "receivers_support.h"

namespace plait::test {
namespace {

using namespace std::string_literals;

TEST_CASE("netstrings are the same however the stream is cut [PROTOCOL-28]") {
  const std::string stream = "5:hello,0:,3:,:,,12:" + std::string(12, '\0') + ",4:cut";

  CHECK(received(stream, making<Messages<NetstringReceiver>>()) ==
        Strings{"hello", "", ",:,", std::string(12, '\0')});
}

TEST_CASE("counted strings are the same however the stream is cut [PROTOCOL-28]") {
  const Strings two{"hi", "", "\0\1"s};

  CHECK(received("\2hi\0\2\0\1\5cut"s, making<Messages<Int8StringReceiver>>()) == two);
  CHECK(received("\0\2hi\0\0\0\2\0\1\0"s, making<Messages<Int16StringReceiver>>()) == two);
  CHECK(received("\0\0\0\2hi\0\0\0\0\0\0\0\2\0\1\0\0\0"s,
                 making<Messages<Int32StringReceiver>>()) == two);
}

TEST_CASE("a length's first byte is the most significant [PROTOCOL-28]") {
  const std::string text(0x0102, 'x');
  Messages<Int16StringReceiver> receiver;
  const auto transport = attach(receiver);

  receiver.dataReceived("\1\2" + text + "\xff\xff");

  CHECK(receiver.got == Strings{text});
  CHECK_FALSE(transport->losing);
}

TEST_CASE("what is no netstring closes [PROTOCOL-31]") {
  for (const char* const text : {"x", ":", ",", "01:a,", "00:,", "-1:a,", "+1:a,", " 1:a,", "1 :a,",
                                 "1;a,", "1:ab", "0:a", "1a:a,"}) {
    CAPTURE(text);
    CHECK(received(text, making<Messages<NetstringReceiver>>()) == Strings{"<closed>"});
    CHECK(received("2:ok,"s + text, making<Messages<NetstringReceiver>>()) ==
          Strings{"ok", "<closed>"});
  }
}

TEST_CASE("a message that is announced too long closes before it comes [PROTOCOL-31]") {
  Messages<NetstringReceiver> net(100);
  Messages<Int8StringReceiver> one(100);
  Messages<Int16StringReceiver> two(100);
  Messages<Int32StringReceiver> four(100);
  const auto a = attach(net);
  const auto b = attach(one);
  const auto c = attach(two);
  const auto d = attach(four);

  net.dataReceived("101");
  one.dataReceived("\x65");
  two.dataReceived("\xff\xff"s);
  four.dataReceived("\xff\xff\xff\xff"s);

  CHECK(net.exceeded == 101);
  CHECK(one.exceeded == 101);
  CHECK(two.exceeded == 0xffff);
  CHECK(four.exceeded == 0xffff'ffff);
  CHECK((a->losing && b->losing && c->losing && d->losing));
}

TEST_CASE("a length of countless digits closes [PROTOCOL-31]") {
  Messages<NetstringReceiver> receiver;
  const auto transport = attach(receiver);

  receiver.dataReceived("18446744073709551617:x,");

  CHECK(receiver.got.empty());
  CHECK(transport->losing);
}

TEST_CASE("a message of the limit passes [PROTOCOL-31]") {
  const std::string text(100, 'x');

  CHECK(received("100:" + text + ",", making<Messages<NetstringReceiver>>(100u)) == Strings{text});
  CHECK(received("\x64" + text, making<Messages<Int8StringReceiver>>(100u)) == Strings{text});
}

TEST_CASE("what is sent is what the other side receives [PROTOCOL-32]") {
  const Strings all{"", "x", std::string("\0,:\r\n", 5), std::string(255, 'y')};
  const auto sentBy = [&all](auto& sender) {
    const auto transport = attach(sender);
    for (const std::string& each : all) sender.sendString(each);
    return transport->take();
  };
  const auto check = [&](auto make) {
    const auto sender = make();
    CHECK(received(sentBy(*sender), make) == all);
  };

  check(making<Messages<NetstringReceiver>>());
  check(making<Messages<Int8StringReceiver>>());
  check(making<Messages<Int16StringReceiver>>());
  check(making<Messages<Int32StringReceiver>>());
}

TEST_CASE("what is sent has the form that the peer knows [PROTOCOL-32]") {
  const auto sent = [](auto&& sender, const std::string& text) {
    const auto transport = attach(sender);
    if constexpr (requires { sender.sendLine(text); }) {
      sender.sendLine(text);
    } else {
      sender.sendString(text);
    }
    return transport->take();
  };

  CHECK(sent(Lines(), "hi") == "hi\r\n");
  CHECK(sent(OnlyLines("\n"), "hi") == "hi\n");
  CHECK(sent(Messages<NetstringReceiver>(), "hello") == "5:hello,");
  CHECK(sent(Messages<Int8StringReceiver>(), "hi") == "\2hi");
  CHECK(sent(Messages<Int16StringReceiver>(), "hi") == "\0\2hi"s);
  CHECK(sent(Messages<Int32StringReceiver>(), "hi") == "\0\0\0\2hi"s);
}

TEST_CASE("what does not fit is not sent [PROTOCOL-32]") {
  Messages<NetstringReceiver> net(10);
  Messages<Int8StringReceiver> one;
  Messages<Int16StringReceiver> two;
  Messages<Int32StringReceiver> four(10);
  const auto a = attach(net);
  const auto b = attach(one);
  const auto c = attach(two);
  const auto d = attach(four);

  CHECK_THROWS_AS(net.sendString(std::string(11, 'x')), LimitError);
  CHECK_THROWS_AS(one.sendString(std::string(256, 'x')), LimitError);
  CHECK_THROWS_AS(two.sendString(std::string(65'536, 'x')), LimitError);
  CHECK_THROWS_AS(four.sendString(std::string(11, 'x')), LimitError);

  CHECK((a->written + b->written + c->written + d->written).empty());
}

}  // namespace
}  // namespace plait::test
