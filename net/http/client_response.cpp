#include <algorithm>
#include <stdexcept>
#include <utility>

#include "plait/http_client.h"
#include "response_state.h"

namespace plait::http {

namespace detail {

ResponseState::ResponseState(std::unique_ptr<ClientExchange> e, Head h, Url u,
                             std::vector<Url> redirects, bool decompress)
    : exchange(std::move(e)), head(std::move(h)), url(std::move(u)), history(std::move(redirects)) {
  // Of no body there is nothing to decode, whatever its head says.
  if (!decompress || exchange->isDone()) return;
  decoder_ = ContentDecoder::make(head.fields.get("Content-Encoding"));
  if (decoder_) isDecoded_ = false;
}

std::size_t ResponseState::readSome(net::MutableBytes into) {
  if (!decoder_ || into.empty()) return exchange->readBody(into);
  try {
    for (;;) {
      const std::size_t count = decoder_->decode(ahead_, into);
      if (count > 0) return count;
      if (!receive()) return 0;
    }
  } catch (const HttpError&) {
    exchange->drop();
    throw;
  }
}

// More of the encoded body; false at its end.
bool ResponseState::receive() {
  if (isDecoded_) return false;
  if (!input_) input_ = std::make_unique<std::array<std::byte, kInputBytes>>();
  const std::size_t count = exchange->readBody(*input_);
  ahead_ = net::Bytes(*input_).first(count);
  if (count > 0) return true;
  decoder_->end();
  isDecoded_ = true;
  return false;
}

const std::string& ResponseState::body() {
  if (body_) return *body_;
  const std::size_t limit = exchange->session().options.limits.body;
  std::string text;
  // What the answer promises is believed only so far.
  if (!decoder_ && exchange->length()) {
    text.reserve(static_cast<std::size_t>(
        std::min<std::uint64_t>({*exchange->length(), limit, std::uint64_t{1} << 20U})));
  }
  forEachPiece(limit, [&text](net::Bytes piece) {
    text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  });
  return body_.emplace(std::move(text));
}

}  // namespace detail

namespace {

// ISO-8859-1 is the first 256 characters of Unicode.
std::string fromLatin1(const std::string& text) {
  std::string result;
  result.reserve(text.size());
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    if (byte < 0x80) {
      result += each;
    } else {
      result += static_cast<char>(0xc0U | (byte >> 6U));
      result += static_cast<char>(0x80U | (byte & 0x3fU));
    }
  }
  return result;
}

// "text/html; charset=\"ISO-8859-1\""
std::string_view charsetOf(std::string_view contentType) noexcept {
  constexpr std::string_view kName = "charset=";
  for (std::size_t i = 0; i + kName.size() <= contentType.size(); ++i) {
    if (!equalsNoCase(contentType.substr(i, kName.size()), kName)) continue;
    std::string_view value = contentType.substr(i + kName.size());
    value = value.substr(0, value.find_first_of("; "));
    if (value.size() > 1 && value.front() == '"') value = value.substr(1, value.size() - 2);
    return value;
  }
  return {};
}

}  // namespace

ClientResponse::ClientResponse(std::unique_ptr<detail::ResponseState> state) noexcept
    : state_(std::move(state)) {}
ClientResponse::ClientResponse(ClientResponse&&) noexcept = default;
ClientResponse& ClientResponse::operator=(ClientResponse&&) noexcept = default;
ClientResponse::~ClientResponse() = default;

int ClientResponse::status() const noexcept { return state_->head.status; }
const std::string& ClientResponse::reason() const noexcept { return state_->head.reason; }
int ClientResponse::version() const noexcept { return state_->head.version; }
const Fields& ClientResponse::fields() const noexcept { return state_->head.fields; }
const Url& ClientResponse::url() const noexcept { return state_->url; }
const std::vector<Url>& ClientResponse::history() const noexcept { return state_->history; }

const ClientResponse& ClientResponse::raiseForStatus() const {
  if (status() < 400) return *this;
  const std::string reason =
      this->reason().empty() ? std::string(reasonOf(status())) : this->reason();
  throw HttpError(status(), state_->exchange->phases().describe("the server's answer is ") +
                                std::to_string(status()) + " " + reason);
}

std::size_t ClientResponse::readSome(net::MutableBytes into) { return state_->readSome(into); }

const std::string& ClientResponse::body() & { return state_->body(); }
std::string ClientResponse::body() && { return state_->body(); }

std::string ClientResponse::text() {
  const std::string_view charset = charsetOf(fields().get("Content-Type"));
  const bool isLatin1 = equalsNoCase(charset, "iso-8859-1") || equalsNoCase(charset, "latin1");
  return isLatin1 ? fromLatin1(body()) : body();
}

std::uint64_t ClientResponse::copyTo(net::Stream& to, std::uint64_t limit) {
  return state_->forEachPiece(limit, [&to](net::Bytes piece) { to.writeAll(piece); });
}

bool ClientResponse::isDone() const noexcept { return state_->isDone(); }
std::optional<std::uint64_t> ClientResponse::length() const noexcept {
  return state_->exchange->length();
}
const Fields& ClientResponse::trailers() const noexcept { return state_->exchange->trailers(); }

void ClientResponse::close() { state_->exchange->close(); }

std::unique_ptr<net::Stream> ClientResponse::takeStream(std::string& ahead) {
  if (status() != 101) {
    throw std::logic_error("the connection of an answer with status " + std::to_string(status()) +
                           " stays HTTP's: only 101 gives it away");
  }
  return state_->exchange->takeStream(ahead);
}

}  // namespace plait::http
