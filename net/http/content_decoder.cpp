#include "content_decoder.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>
#include <string>

#include "plait/http_error.h"
#include "plait/http_fields.h"

namespace plait::http::detail {
namespace {

constexpr int kGzipWindow = MAX_WBITS + 16;
constexpr int kZlibWindow = MAX_WBITS;
constexpr int kRawWindow = -MAX_WBITS;

[[noreturn]] void fail(const std::string& why) {
  throw HttpError(502, "the answer's body cannot be decoded: " + why);
}

unsigned clamped(std::size_t bytes) noexcept {
  return static_cast<unsigned>(std::min<std::size_t>(bytes, std::numeric_limits<unsigned>::max()));
}

}  // namespace

struct ContentDecoder::State {
  z_stream stream{};
  bool isGzip = false;
  bool isOpen = false;  // the first byte has told what it is
  bool isAtEnd = true;  // of a member; nothing at all is an empty body
  bool isAfterMember = false;
};

std::unique_ptr<ContentDecoder> ContentDecoder::make(std::string_view coding) {
  const bool isGzip = equalsNoCase(coding, "gzip") || equalsNoCase(coding, "x-gzip");
  if (!isGzip && !equalsNoCase(coding, "deflate")) return nullptr;
  return std::unique_ptr<ContentDecoder>(new ContentDecoder(isGzip));
}

ContentDecoder::ContentDecoder(bool isGzip) : state_(std::make_unique<State>()) {
  state_->isGzip = isGzip;
}

ContentDecoder::~ContentDecoder() {
  if (state_->isOpen) inflateEnd(&state_->stream);
}

// A zlib stream begins with method 8 and a window of at most 32 KiB; a raw one could begin with
// such a byte only as a stored block with padding that no encoder writes.
void ContentDecoder::begin(std::byte first) {
  const bool isZlib = (static_cast<unsigned>(first) & 0x8fU) == 0x08U;
  const int window = state_->isGzip ? kGzipWindow : isZlib ? kZlibWindow : kRawWindow;
  if (inflateInit2(&state_->stream, window) != Z_OK) throw std::bad_alloc();
  state_->isOpen = true;
}

std::size_t ContentDecoder::decode(net::Bytes& from, net::MutableBytes into) {
  State& state = *state_;
  if (from.empty() && !state.isOpen) return 0;
  if (!state.isOpen) begin(from.front());
  z_stream& stream = state.stream;
  std::size_t written = 0;
  while (written < into.size()) {
    if (state.isAfterMember && !from.empty()) {
      if (!state.isGzip) fail("something comes behind its end");
      // Several files one after the other are one, as gzip has it.
      inflateReset(&stream);
      state.isAfterMember = false;
    }
    stream.next_in =
        const_cast<Bytef*>(reinterpret_cast<const Bytef*>(from.data()));  // zlib reads it only
    stream.avail_in = clamped(from.size());
    stream.next_out = reinterpret_cast<Bytef*>(into.data() + written);
    const unsigned room = clamped(into.size() - written);
    stream.avail_out = room;
    const std::size_t before = stream.avail_in;
    const int result = state.isAfterMember ? Z_BUF_ERROR : inflate(&stream, Z_NO_FLUSH);
    from = from.subspan(before - stream.avail_in);
    written += room - stream.avail_out;
    if (before > 0) state.isAtEnd = false;
    if (result == Z_STREAM_END) {
      state.isAtEnd = state.isAfterMember = true;
    } else if (result == Z_BUF_ERROR) {
      break;  // no progress: more input is needed
    } else if (result != Z_OK) {
      fail(stream.msg != nullptr ? stream.msg : "zlib says " + std::to_string(result));
    }
  }
  return written;
}

void ContentDecoder::end() const {
  if (!state_->isAtEnd) fail("it ends in the middle");
}

}  // namespace plait::http::detail
