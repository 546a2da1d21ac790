#include "stream_contract.h"

#include <vector>

namespace plait::test {
namespace {

std::vector<StreamKind>& kinds() {
  static std::vector<StreamKind> all;
  return all;
}

bool isWanted(const std::string& kernel) {
  for (const std::string& wanted : kernels()) {
    if (wanted == kernel) return true;
  }
  return false;
}

}  // namespace

StreamMaker::StreamMaker(StreamKind kind) { kinds().push_back(std::move(kind)); }

void forEachStream(const std::function<void(StreamPair&, const StreamKind&)>& body,
                   std::source_location at) {
  for (const StreamKind& kind : kinds()) {
    if (!isWanted(kind.kernel)) continue;
    DOCTEST_SUBCASE(kind.name.c_str()) {
      runFiberTest(
          onKernel(kind.kernel),
          [&body, &kind] {
            StreamPair pair = kind.make();
            body(pair, kind);
          },
          at);
    }
  }
}

std::string pattern(std::size_t bytes, std::uint64_t from) {
  std::string text(bytes, '\0');
  std::uint64_t state = from * 0x9e3779b97f4a7c15u + 1;
  for (char& c : text) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    c = static_cast<char>(state >> 56);
  }
  return text;
}

std::string readOnce(net::Stream& stream, std::size_t most) {
  std::string text(most, '\0');
  text.resize(stream.readSome(std::as_writable_bytes(std::span(text.data(), text.size()))));
  return text;
}

std::string readExactly(net::Stream& stream, std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) {
    const std::string more = readOnce(stream, bytes - text.size());
    if (more.empty()) break;
    text += more;
  }
  return text;
}

std::string readAll(net::Stream& stream, std::size_t piece) {
  std::string text;
  for (;;) {
    const std::string more = readOnce(stream, piece);
    if (more.empty()) return text;
    text += more;
  }
}

}  // namespace plait::test
