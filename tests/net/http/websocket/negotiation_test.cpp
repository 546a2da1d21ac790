// What is agreed on of extensions.

#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "deflate_negotiation.h"

namespace plait::http::detail {
namespace {

std::vector<Extension> extensionsOf(const Fields& fields) {
  const auto extensions = parseExtensions(fields);
  REQUIRE(extensions);
  return *extensions;
}

// What a server that wants `wanted` answers to this offer; "-" for nothing.
std::string answerTo(std::string_view offer, const WebSocketCompression& wanted = {}) {
  const Fields fields{{"Sec-WebSocket-Extensions", offer}};
  const auto agreement = agreeOnDeflate(extensionsOf(fields), wanted);
  return agreement ? agreement->answer : "-";
}

TEST_CASE("lists of extensions are read, in one field or several [WS-18]") {
  const Fields fields{{"Sec-WebSocket-Extensions", "foo, bar; baz=2 ;qux"},
                      {"sec-websocket-extensions", ", a;b=\"c\" ,, "}};

  const auto extensions = extensionsOf(fields);

  REQUIRE(extensions.size() == 3);
  CHECK(extensions[0].name == "foo");
  CHECK(extensions[0].parameters.empty());
  CHECK(extensions[1].name == "bar");
  REQUIRE(extensions[1].parameters.size() == 2);
  CHECK(extensions[1].parameters[0].name == "baz");
  CHECK(extensions[1].parameters[0].value == "2");
  CHECK_FALSE(extensions[1].parameters[1].value.has_value());
  CHECK(extensions[2].parameters[0].value == "c");
}

TEST_CASE("lists that cannot be read are refused [WS-18]") {
  for (const std::string_view bad : {"a b", "a;", "a;=b", ";a", "a=b", "a;b=", "a;b=\"c",
                                     "a;b=\"\"", "a;b=\"c d\"", "a;b=c d", "\"a\"", "a/b"}) {
    CAPTURE(bad);
    CHECK_FALSE(parseExtensions(Fields{{"Sec-WebSocket-Extensions", bad}}).has_value());
  }
}

TEST_CASE("a server answers the first offer that it can keep to [WS-18]") {
  CHECK(answerTo("permessage-deflate") == "permessage-deflate");
  CHECK(answerTo("x-webkit-deflate-frame, Permessage-Deflate; client_max_window_bits") ==
        "permessage-deflate");
  CHECK(answerTo("permessage-deflate; server_max_window_bits=10, permessage-deflate") ==
        "permessage-deflate; server_max_window_bits=10");
  // A window of 8 bits is beyond zlib; the second offer is not.
  CHECK(answerTo("permessage-deflate; server_max_window_bits=8, "
                 "permessage-deflate; server_no_context_takeover") ==
        "permessage-deflate; server_no_context_takeover");
  CHECK(answerTo("permessage-deflate; client_no_context_takeover; client_max_window_bits=12") ==
        "permessage-deflate; client_no_context_takeover; client_max_window_bits=12");
  CHECK(answerTo("permessage-deflate; server_max_window_bits=\"12\"") ==
        "permessage-deflate; server_max_window_bits=12");
  CHECK(answerTo("other") == "-");
  CHECK(answerTo("") == "-");
}

TEST_CASE("a server asks for what its options say, where the client lets it [WS-18]") {
  const WebSocketCompression small{.windowBits = 11,
                                   .peerWindowBits = 10,
                                   .contextTakeover = false,
                                   .peerContextTakeover = false};

  CHECK(answerTo("permessage-deflate; client_max_window_bits", small) ==
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
        "server_max_window_bits=11; client_max_window_bits=10");
  // It has not said that it understands client_max_window_bits.
  CHECK(answerTo("permessage-deflate", small) ==
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
        "server_max_window_bits=11");
  const Fields plain{{"Sec-WebSocket-Extensions", "permessage-deflate"}};
  CHECK(agreeOnDeflate(extensionsOf(plain), small)->compression.peerWindowBits == 15);
}

TEST_CASE("an offer with a fault is passed over [WS-18]") {
  for (const std::string_view parameters :
       {"unknown", "server_no_context_takeover=1",
        "server_no_context_takeover; "
        "server_no_context_takeover",
        "server_max_window_bits", "server_max_window_bits=7", "server_max_window_bits=16",
        "server_max_window_bits=010", "server_max_window_bits=1x", "client_max_window_bits=7",
        "client_max_window_bits=0", "client_max_window_bits; client_max_window_bits=10",
        "server_max_window_bits=10; server_max_window_bits=10"}) {
    CAPTURE(parameters);
    CHECK(answerTo("permessage-deflate; " + std::string(parameters)) == "-");
  }
}

TEST_CASE("a client offers what its options say [WS-18]") {
  CHECK(deflateOffer({}) == "permessage-deflate; client_max_window_bits");
  CHECK(deflateOffer({.windowBits = 10,
                      .peerWindowBits = 9,
                      .contextTakeover = false,
                      .peerContextTakeover = false}) ==
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
        "server_max_window_bits=9; client_max_window_bits=10");
}

std::optional<WebSocketCompression> answered(std::string_view answer,
                                             const WebSocketCompression& offered = {}) {
  const Fields fields{{"Sec-WebSocket-Extensions", answer}};
  return deflateAnswered(extensionsOf(fields).at(0), offered);
}

TEST_CASE("a client keeps to what the server answers [WS-18]") {
  const auto agreed = answered(
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
      "server_max_window_bits=8; client_max_window_bits=9");

  REQUIRE(agreed);
  CHECK(agreed->windowBits == 9);
  CHECK(agreed->peerWindowBits == 8);
  CHECK_FALSE(agreed->contextTakeover);
  CHECK_FALSE(agreed->peerContextTakeover);
  CHECK(answered("permessage-deflate")->contextTakeover);
}

TEST_CASE("a client refuses an answer that it cannot or must not accept [WS-18] [WS-20]") {
  for (const std::string_view answer :
       {"permessage-bzip2", "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=8",
        "permessage-deflate; server_max_window_bits", "permessage-deflate; unknown",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_max_window_bits=10; client_max_window_bits=10"}) {
    CAPTURE(answer);
    CHECK_FALSE(answered(answer).has_value());
  }
  CHECK_FALSE(answered("permessage-deflate", {.peerContextTakeover = false}).has_value());
  CHECK_FALSE(answered("permessage-deflate", {.peerWindowBits = 10}).has_value());
  CHECK_FALSE(answered("permessage-deflate; server_max_window_bits=11", {.peerWindowBits = 10})
                  .has_value());
}

}  // namespace
}  // namespace plait::http::detail
