// What is fuzzed. A target takes any bytes and ends the process if something is wrong: by a
// sanitizer, an assert, an exception that is nobody's, or require(). fuzz_main.cpp makes a
// libFuzzer program of one target; corpus_test.cpp runs the committed inputs through all of them.
#pragma once

#include <cstdio>
#include <cstdlib>

#include "plait/stream.h"

namespace plait::fuzz {

// Parts of HTTP messages, each read in one piece and in little ones.
void requestHead(net::Bytes input);
void responseHead(net::Bytes input);
void chunkedBody(net::Bytes input);  // behind a head that says so

// The first byte chooses role and compression; then what a peer sends.
void webSocketFrames(net::Bytes input);
// The first two bytes choose the parameters; the rest is inflated, and deflated and inflated.
void permessageDeflate(net::Bytes input);
// The value of a Sec-WebSocket-Extensions field, behind a byte of options.
void extensions(net::Bytes input);

void url(net::Bytes input);
void endpoint(net::Bytes input);  // addresses, too
void proxyHeader(net::Bytes input);

struct Target {
  const char* name;  // of its folder in corpus/, too
  void (*run)(net::Bytes input);
};

inline constexpr Target kTargets[] = {
    {"requestHead", requestHead},
    {"responseHead", responseHead},
    {"chunkedBody", chunkedBody},
    {"webSocketFrames", webSocketFrames},
    {"permessageDeflate", permessageDeflate},
    {"extensions", extensions},
    {"url", url},
    {"endpoint", endpoint},
    {"proxyHeader", proxyHeader},
};

inline void require(bool isTrue, const char* what) {
  if (isTrue) return;
  std::fprintf(stderr, "fuzz: not so: %s\n", what);
  std::abort();
}

inline std::string_view asText(net::Bytes bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace plait::fuzz
