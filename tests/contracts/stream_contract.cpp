#include "stream_contract.h"

#include <exception>
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

net::MutableBytes bytesOf(std::string& text) {
  return std::as_writable_bytes(std::span(text.data(), text.size()));
}

}  // namespace

StreamMaker::StreamMaker(StreamKind kind) { kinds().push_back(std::move(kind)); }

void forEachStream(const std::function<void(StreamPair&, const StreamKind&)>& body,
                   std::source_location at) {
  for (const StreamKind& kind : kinds()) {
    if (!isWanted(kind.kernel)) continue;
    DOCTEST_SUBCASE(kind.name.c_str()) {
      const auto overFreshPair = [&body, &kind] {
        StreamPair pair = kind.make();
        body(pair, kind);
      };
      try {
        runFiberTest(onKernel(kind.kernel, kind.sim), overFreshPair, at);
      } catch (const doctest::detail::TestFailureException&) {
        // A REQUIRE, which has been counted. Out of a SUBCASE it would hide the subcase's name.
      } catch (...) {
        FAIL_CHECK(describe(std::current_exception()));
      }
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
  text.resize(stream.readSome(bytesOf(text)));
  return text;
}

std::string readExactly(net::Stream& stream, std::size_t bytes) {
  std::string text(bytes, '\0');
  std::size_t done = 0;
  while (done < bytes) {
    const std::size_t count = stream.readSome(bytesOf(text).subspan(done));
    if (count == 0) break;
    done += count;
  }
  text.resize(done);
  return text;
}

std::string readAll(net::Stream& stream, std::size_t piece) {
  std::string all;
  std::string buffer(piece, '\0');
  while (const std::size_t count = stream.readSome(bytesOf(buffer))) all.append(buffer, 0, count);
  return all;
}

}  // namespace plait::test
