// What WebSocket is made of: SHA-1, Base64, UTF-8, masks.

#include <random>
#include <string>

#include "base64.h"
#include "plait/detail/digest.h"
#include "utf8.h"
#include "websocket_mask.h"
#include "websocket_support.h"

namespace plait::http::detail {
namespace {

std::string sha1Hex(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const std::byte each : net::detail::sha1(net::asBytes(text))) {
    hex += kDigits[std::to_integer<std::size_t>(each) >> 4];
    hex += kDigits[std::to_integer<std::size_t>(each) & 15];
  }
  return hex;
}

TEST_CASE("SHA-1 gives the digests of RFC 3174, and those around a block's end [WS-16]") {
  CHECK(sha1Hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(sha1Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  CHECK(sha1Hex(std::string(1'000'000, 'a')) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
  CHECK(sha1Hex("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  CHECK(sha1Hex(std::string(55, 'a')) == "c1c8bbdc22796e28c0e15163d20899b65621d65a");
  CHECK(sha1Hex(std::string(56, 'a')) == "c2db330f6083854c99d4b5bfb6e8f29f201be699");
  CHECK(sha1Hex(std::string(64, 'a')) == "0098ba824b5c16427bd7a1122a5a442a25ec644d");
}

TEST_CASE("Base64 writes the vectors of RFC 4648 and reads only what it writes [WS-16]") {
  const std::pair<std::string_view, std::string_view> vectors[] = {{"", ""},
                                                                   {"f", "Zg=="},
                                                                   {"fo", "Zm8="},
                                                                   {"foo", "Zm9v"},
                                                                   {"foob", "Zm9vYg=="},
                                                                   {"fooba", "Zm9vYmE="},
                                                                   {"foobar", "Zm9vYmFy"},
                                                                   {"\xFB\xFF", "+/8="}};
  for (const auto& [bytes, text] : vectors) {
    CAPTURE(text);
    CHECK(toBase64(net::asBytes(bytes)) == text);
    CHECK(fromBase64(text) == bytes);
  }
  for (const std::string_view bad :
       {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zm 9", "Zg==Zg==", "Zm-_"}) {
    CAPTURE(bad);
    CHECK_FALSE(fromBase64(bad).has_value());
  }
}

TEST_CASE("UTF-8 is told from what is not, wherever it is cut [WS-3]") {
  const std::string_view good[] = {"",
                                   "plain",
                                   "\xC2\x80",
                                   "\xDF\xBF",
                                   "\xE0\xA0\x80",
                                   "\xED\x9F\xBF",
                                   "\xEE\x80\x80",
                                   "\xEF\xBF\xBF",
                                   "\xF0\x90\x80\x80",
                                   "\xF4\x8F\xBF\xBF",
                                   "a\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5z"};
  const std::string_view bad[] = {
      "\x80",         "\xBF",         "\xC0\x80",     "\xC1\xBF",         "\xC2\x41",
      "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
      "\xF5\x80",     "\xFF",         "\xE1\x80\xC0", "\xF1\x80\x80\x7F", "ok\xFE"};
  for (const std::string_view text : good) {
    CAPTURE(text);
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      Utf8Check check;
      CHECK(check.add(net::asBytes(text.substr(0, cut))));
      CHECK(check.add(net::asBytes(text.substr(cut))));
      CHECK(check.isComplete());
    }
  }
  for (const std::string_view text : bad) {
    for (const std::size_t before : {0, 7, 8, 31, 32, 33}) {
      const std::string long_ = std::string(before, 'x') + std::string(text) + "tail";
      CHECK_FALSE(isUtf8(net::asBytes(long_)));
    }
  }
}

TEST_CASE(
    "text that ends within a character is not whole, and what cannot become one is refused"
    " at that byte [WS-3]") {
  Utf8Check check;

  CHECK(check.add(net::asBytes("\xF0\x9F")));
  CHECK_FALSE(check.isComplete());
  CHECK_FALSE(check.add(net::asBytes("A")));

  Utf8Check early;
  CHECK_FALSE(early.add(net::asBytes("\xED\xA0")));
}

TEST_CASE("masking takes each byte with its byte of the key, at every offset and length [WS-15]") {
  std::mt19937_64 random(plait::test::seed());
  const MaskKey key{std::byte{1}, std::byte{0x80}, std::byte{0x7F}, std::byte{0xEE}};
  std::string text(300, '\0');
  for (char& each : text) each = static_cast<char>(random());

  for (std::size_t begin = 0; begin < 9; ++begin) {
    for (std::size_t size = 0; size <= 150; ++size) {
      for (std::uint64_t offset = 0; offset < 5; ++offset) {
        std::string expected = text.substr(begin, size);
        for (std::size_t i = 0; i < size; ++i) {
          expected[i] ^= static_cast<char>(key[(i + offset) % 4]);
        }
        std::string inPlace = text;
        std::string copied(size, '\0');

        maskInPlace(std::as_writable_bytes(std::span(inPlace)).subspan(begin, size), key, offset);
        maskInto(std::as_writable_bytes(std::span(copied)).data(),
                 net::asBytes(std::string_view(text).substr(begin, size)), key, offset);

        REQUIRE(inPlace.substr(begin, size) == expected);
        REQUIRE(inPlace.substr(begin + size) == text.substr(begin + size));
        REQUIRE(copied == expected);
      }
    }
  }
}

TEST_CASE("mask keys do not come twice [WS-15]") {
  MaskKeys keys;
  std::vector<MaskKey> seen;
  for (int i = 0; i < 300; ++i) seen.push_back(keys.next());

  std::sort(seen.begin(), seen.end());

  // Of so few out of 2^32 two are the same once in a hundred thousand runs; three never.
  std::size_t twice = 0;
  for (std::size_t i = 1; i < seen.size(); ++i) twice += seen[i] == seen[i - 1] ? 1 : 0;
  CHECK(twice <= 1);
}

}  // namespace
}  // namespace plait::http::detail
