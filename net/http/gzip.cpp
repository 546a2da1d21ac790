#include "gzip.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <new>

namespace plait::http::detail {
namespace {

constexpr int kLevel = 5;             // most of what 6 gives, for less
constexpr int kGzipWindow = 15 + 16;  // 32 KiB, with gzip's header
constexpr int kMemory = 8;

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// "gzip;q=0.5": whether its quality is more than none.
bool isWanted(std::string_view parameters) noexcept {
  const std::size_t equals = parameters.find('=');
  if (equals == std::string_view::npos) return true;
  const std::string_view quality = trimmed(parameters.substr(equals + 1));
  return quality.find_first_of("123456789") != std::string_view::npos;
}

}  // namespace

bool acceptsGzip(const Fields& request) noexcept {
  bool any = false;
  for (const Field field : request) {
    if (!equalsNoCase(field.name, "Accept-Encoding")) continue;
    for (std::string_view rest = field.value; !rest.empty();) {
      const std::string_view item = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(item.size() + 1, rest.size()));
      const std::size_t semicolon = std::min(item.find(';'), item.size());
      const std::string_view coding = trimmed(item.substr(0, semicolon));
      const bool wanted = isWanted(item.substr(semicolon));
      if (equalsNoCase(coding, "gzip") || equalsNoCase(coding, "x-gzip")) return wanted;
      if (coding == "*") any = wanted;
    }
  }
  return any;
}

bool isCompressible(std::string_view mediaType) noexcept {
  const std::string_view type = trimmed(mediaType.substr(0, mediaType.find(';')));
  if (type.size() > 5 && equalsNoCase(type.substr(0, 5), "text/")) return true;
  if (type.ends_with("+json") || type.ends_with("+xml")) return true;
  for (const std::string_view each :
       {"application/json", "application/javascript", "application/xml", "application/wasm"}) {
    if (equalsNoCase(type, each)) return true;
  }
  return false;
}

class Gzip::State final {
 public:
  State() {
    if (::deflateInit2(&stream, kLevel, Z_DEFLATED, kGzipWindow, kMemory, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
      throw std::bad_alloc();
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { ::deflateEnd(&stream); }

  z_stream stream{};
};

Gzip::Gzip() : state_(std::make_unique<State>()) {}
Gzip::~Gzip() = default;

void Gzip::add(std::string_view text, std::string& out) { run(text, Z_NO_FLUSH, out); }
void Gzip::flush(std::string& out) { run({}, Z_SYNC_FLUSH, out); }
void Gzip::finish(std::string& out) { run({}, Z_FINISH, out); }

void Gzip::run(std::string_view text, int mode, std::string& out) {
  z_stream& stream = state_->stream;
  std::array<char, 4'096> room;
  do {
    // zlib counts in 32 bits.
    const std::string_view piece = text.substr(0, 1 << 30);
    text.remove_prefix(piece.size());
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
    stream.avail_in = static_cast<uInt>(piece.size());
    do {
      stream.next_out = reinterpret_cast<Bytef*>(room.data());
      stream.avail_out = static_cast<uInt>(room.size());
      ::deflate(&stream, text.empty() ? mode : Z_NO_FLUSH);
      out.append(room.data(), room.size() - stream.avail_out);
    } while (stream.avail_out == 0);
  } while (!text.empty());
}

}  // namespace plait::http::detail
