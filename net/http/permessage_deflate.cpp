#include "permessage_deflate.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <new>

#include "plait/detail/assert.h"

namespace plait::http::detail {
namespace {

constexpr int kMemoryLevel = 8;  // zlib's default
// What a flush ends with, and a message is sent without.
constexpr std::array kTail{std::byte{0x00}, std::byte{0x00}, std::byte{0xFF}, std::byte{0xFF}};
constexpr std::size_t kRoomMin = 256;  // bytes that are added at least when output needs more

unsigned zlibCount(std::size_t bytes) noexcept {
  return static_cast<unsigned>(std::min<std::size_t>(bytes, std::numeric_limits<int>::max()));
}

Bytef* zlibBytes(const std::byte* bytes) noexcept {
  return reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes));
}

}  // namespace

struct Deflater::Stream {
  z_stream z{};
};

struct Inflater::Stream {
  z_stream z{};
};

// --- Deflater ---

Deflater::Deflater(const WebSocketCompression& agreed)
    : stream_(std::make_unique<Stream>()), keepsContext_(agreed.contextTakeover) {
  // A negative window: no header, no checksum.
  const int result = deflateInit2(&stream_->z, agreed.level, Z_DEFLATED, -agreed.windowBits,
                                  kMemoryLevel, Z_DEFAULT_STRATEGY);
  if (result != Z_OK) throw std::bad_alloc();
}

Deflater::~Deflater() { deflateEnd(&stream_->z); }

void Deflater::compress(net::Bytes part, bool last, std::string& into) {
  z_stream& z = stream_->z;
  into.clear();
  do {
    const std::size_t before = into.size();
    into.resize(before + std::max(part.size() / 2, kRoomMin));
    const unsigned given = zlibCount(part.size());
    z.next_in = zlibBytes(part.data());
    z.avail_in = given;
    z.next_out = reinterpret_cast<Bytef*>(into.data()) + before;
    z.avail_out = zlibCount(into.size() - before);
    const unsigned room = z.avail_out;
    const int result = deflate(&z, given == part.size() ? Z_SYNC_FLUSH : Z_NO_FLUSH);
    PLAIT_ASSERT(result == Z_OK || result == Z_BUF_ERROR);
    part = part.subspan(given - z.avail_in);
    into.resize(before + room - z.avail_out);
    // A call that fills its room exactly may have more to say.
  } while (!part.empty() || z.avail_out == 0);

  if (!last) return;
  // Nothing comes out if nothing came in since the last flush; an empty block stands for that.
  if (into.empty()) {
    into.assign(1, '\0');
  } else {
    PLAIT_ASSERT(into.size() >= kTail.size());
    into.resize(into.size() - kTail.size());
  }
  if (!keepsContext_) forget();
}

void Deflater::forget() noexcept { deflateReset(&stream_->z); }

// --- Inflater ---

Inflater::Inflater(const WebSocketCompression& agreed)
    : stream_(std::make_unique<Stream>()), keepsContext_(agreed.peerContextTakeover), tail_(kTail) {
  if (inflateInit2(&stream_->z, -agreed.peerWindowBits) != Z_OK) throw std::bad_alloc();
}

Inflater::~Inflater() { inflateEnd(&stream_->z); }

std::size_t Inflater::inflate(net::Bytes& from, net::MutableBytes into) {
  z_stream& z = stream_->z;
  std::size_t written = 0;
  while (written < into.size()) {
    const unsigned given = zlibCount(from.size());
    const unsigned room = zlibCount(into.size() - written);
    z.next_in = zlibBytes(from.data());
    z.avail_in = given;
    z.next_out = zlibBytes(into.data() + written);
    z.avail_out = room;
    const int result = ::inflate(&z, Z_SYNC_FLUSH);
    from = from.subspan(given - z.avail_in);
    written += room - z.avail_out;
    if (result == Z_STREAM_END) {
      // The peer has ended its stream within the message, as it may; it begins another.
      inflateReset(&z);
      if (from.empty()) break;
      continue;
    }
    if (result == Z_BUF_ERROR) break;  // no more input, and nothing left to write
    if (result != Z_OK) {
      throw WebSocketError(CloseCode::invalidPayload,
                           std::string("inflating a WebSocket message: ") +
                               (z.msg != nullptr ? z.msg : "not compressed data"));
    }
    if (from.empty() && z.avail_out > 0) break;
  }
  return written;
}

std::size_t Inflater::finish(net::MutableBytes into) {
  const std::size_t written = inflate(tail_, into);
  if (written == into.size()) return written;
  constexpr int kAtBlockEnd = 128;
  if ((stream_->z.data_type & kAtBlockEnd) == 0) {
    throw WebSocketError(CloseCode::invalidPayload,
                         "inflating a WebSocket message: it ends in the middle of a block");
  }
  tail_ = kTail;
  if (!keepsContext_) inflateReset(&stream_->z);
  return written;
}

}  // namespace plait::http::detail
