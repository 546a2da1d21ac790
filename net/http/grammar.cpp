#include "grammar.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <string>

#include <boost/beast/http/basic_parser.hpp>

#include "head_rules.h"

namespace plait::http::detail {
namespace {

namespace beast = boost::beast;
using BeastError = beast::error_code;

constexpr std::uint64_t kNoEnd = std::numeric_limits<std::uint64_t>::max();

// What Beast's callbacks fill in.
struct Sink {
  Head* head = nullptr;
  Fields trailers;
  bool inTrailer = false;
  std::size_t fieldsMax = 0;
  bool tooMany = false;
  int hosts = 0;
  int lengths = 0;
  int encodings = 0;
  bool hasConnection = false;
  net::MutableBytes into;
  std::size_t taken = 0;
  std::uint64_t left = 0;  // of this body, or of this chunk
};

void begin(Sink& sink, Head& head) {
  sink.head = &head;
  sink.trailers.clear();
  sink.inTrailer = false;
  sink.tooMany = false;
  sink.hosts = sink.lengths = sink.encodings = 0;
  sink.hasConnection = false;
  sink.left = 0;
  head.method.clear();
  head.target.clear();
  head.status = 0;
  head.reason.clear();
  head.fields.clear();
}

template <bool IsRequest>
class Parser final : public beast::http::basic_parser<IsRequest> {
 public:
  explicit Parser(Sink& sink) : sink_(sink) {
    // Both are kept before Beast is asked.
    this->header_limit(std::numeric_limits<std::uint32_t>::max());
    this->body_limit(boost::none);
  }

 private:
  using Text = beast::string_view;

  static std::string_view view(Text text) { return {text.data(), text.size()}; }

  void on_request_impl(beast::http::verb, Text method, Text target, int version,
                       BeastError&) override {
    sink_.head->method = view(method);
    sink_.head->target = view(target);
    sink_.head->version = version;
  }
  void on_response_impl(int status, Text reason, int version, BeastError&) override {
    sink_.head->status = status;
    sink_.head->reason = view(reason);
    sink_.head->version = version;
  }
  void on_field_impl(beast::http::field which, Text name, Text value, BeastError& error) override {
    Fields& fields = sink_.inTrailer ? sink_.trailers : sink_.head->fields;
    if (fields.size() >= sink_.fieldsMax) {
      sink_.tooMany = true;
      error = beast::http::error::header_limit;
      return;
    }
    if (which == beast::http::field::host) ++sink_.hosts;
    if (which == beast::http::field::content_length) ++sink_.lengths;
    if (which == beast::http::field::transfer_encoding) ++sink_.encodings;
    if (which == beast::http::field::connection) sink_.hasConnection = true;
    fields.add(view(name), view(value));
  }
  void on_header_impl(BeastError&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, BeastError&) override {}
  std::size_t on_body_impl(Text body, BeastError&) override { return take(body); }
  void on_chunk_header_impl(std::uint64_t size, Text, BeastError&) override {
    sink_.left = size;
    sink_.inTrailer = size == 0;
  }
  std::size_t on_chunk_body_impl(std::uint64_t, Text body, BeastError&) override {
    return take(body);
  }
  void on_finish_impl(BeastError&) override {}

  std::size_t take(Text body) {
    const std::size_t count = std::min(body.size(), sink_.into.size());
    std::memmove(sink_.into.data(), body.data(), count);
    if (sink_.left != kNoEnd) sink_.left -= count;
    sink_.taken = count;
    return count;
  }

  Sink& sink_;
};

}  // namespace

class Grammar::State final {
 public:
  State(MessageReader::Kind k, std::size_t fieldsMax) : kind(k) { sink.fieldsMax = fieldsMax; }

  template <class F>
  decltype(auto) withParser(F f) {
    return kind == MessageReader::Kind::request ? f(*request) : f(*response);
  }

  void reset() {
    if (kind == MessageReader::Kind::request) {
      request.emplace(sink);
    } else {
      response.emplace(sink);
    }
  }

  MessageReader::Kind kind;
  Sink sink;
  std::optional<Parser<true>> request;
  std::optional<Parser<false>> response;
  bool chunked = false;
  bool hasLength = false;
  bool endsWithStream = false;
  bool keepsAlive = false;
  std::uint64_t length = 0;
};

Grammar::Grammar(MessageReader::Kind kind, std::size_t fieldsMax)
    : state_(std::make_unique<State>(kind, fieldsMax)) {}

Grammar::~Grammar() = default;

void Grammar::refuse(int status, const char* why) const {
  const bool isRequest = state_->kind == MessageReader::Kind::request;
  throw HttpError(isRequest ? status : 502,
                  std::string(isRequest ? "reading a request: " : "reading a response: ") + why);
}

namespace {

// Beast takes lists and repetitions of what has to be there once.
void checkFraming(const Grammar& grammar, const Sink& sink, const Head& head) {
  if (sink.lengths > 1) grammar.refuse(400, "Content-Length twice");
  if (sink.lengths == 1 && !isAllDigits(head.fields.get("Content-Length"))) {
    grammar.refuse(400, "a Content-Length that is no number");
  }
  if (sink.encodings == 0) return;
  if (sink.lengths > 0) grammar.refuse(400, "Content-Length and Transfer-Encoding");
  if (head.version < 11) grammar.refuse(400, "Transfer-Encoding in HTTP/1.0");
  if (sink.encodings > 1) grammar.refuse(400, "Transfer-Encoding twice");
  const int status = refusedEncoding(head.fields.get("Transfer-Encoding"));
  if (status == 501) grammar.refuse(501, "a Transfer-Encoding other than chunked");
  if (status != 0) grammar.refuse(status, "a Transfer-Encoding where chunked is not the last");
}

void checkRequest(const Grammar& grammar, const Sink& sink, const Head& head) {
  if (!isTarget(head.method, head.target)) {
    grammar.refuse(400, "a target that is not of this method");
  }
  if (sink.hosts > 1) grammar.refuse(400, "Host twice");
  if (sink.hosts == 0 && head.version >= 11) grammar.refuse(400, "HTTP/1.1 without Host");
  if (sink.hosts == 1 && !isHost(head.fields.get("Host"))) {
    grammar.refuse(400, "a Host that is none");
  }
}

}  // namespace

void Grammar::parseHead(std::string_view text, Head& into) {
  State& state = *state_;
  begin(state.sink, into);
  state.reset();
  BeastError error;
  state.withParser([text, &error](auto& parser) {
    return parser.put(boost::asio::const_buffer(text.data(), text.size()), error);
  });
  if (state.sink.tooMany) refuse(431, "more fields than the limit");
  if (error == beast::http::error::bad_version) {
    refuse(namesOtherVersion(text) ? 505 : 400, "a version other than HTTP/1.0 and HTTP/1.1");
  }
  // With a whole head there is never more to need.
  if (error)
    refuse(400, error == beast::http::error::need_more ? "a broken head" : error.message().c_str());
  checkFraming(*this, state.sink, into);
  if (state.kind == MessageReader::Kind::request) checkRequest(*this, state.sink, into);
  state.withParser([&state](auto& parser) {
    state.chunked = parser.chunked();
    state.hasLength = state.sink.lengths > 0;
    state.length = parser.content_length().value_or(0);
    state.endsWithStream = parser.need_eof();
  });
  const Fields& fields = into.fields;
  const bool closes = state.sink.hasConnection && fields.hasToken("Connection", "close");
  state.keepsAlive =
      !closes && (into.version >= 11 ||
                  (state.sink.hasConnection && fields.hasToken("Connection", "keep-alive")));
  state.sink.left = state.endsWithStream ? kNoEnd : state.chunked ? 0 : state.length;
  if (isDone()) state.sink.left = 0;
}

std::size_t Grammar::parseChunkLine(std::string_view line) {
  BeastError error;
  const std::size_t used = state_->withParser([line, &error](auto& parser) {
    return parser.put(boost::asio::const_buffer(line.data(), line.size()), error);
  });
  if (state_->sink.tooMany) refuse(431, "more trailer fields than the limit");
  if (error) refuse(400, error.message().c_str());
  return used;
}

std::size_t Grammar::takeBody(net::Bytes from, net::MutableBytes into) {
  BeastError error;
  state_->sink.into = into;
  state_->sink.taken = 0;
  state_->withParser([from, &error](auto& parser) {
    return parser.put(boost::asio::const_buffer(from.data(), from.size()), error);
  });
  if (error) refuse(400, error.message().c_str());
  return state_->sink.taken;
}

void Grammar::endOfStream() {
  BeastError error;
  state_->withParser([&error](auto& parser) { parser.put_eof(error); });
  state_->sink.left = 0;
}

bool Grammar::isChunked() const noexcept { return state_->chunked; }
bool Grammar::hasLength() const noexcept { return state_->hasLength; }
bool Grammar::endsWithStream() const noexcept { return state_->endsWithStream; }
std::uint64_t Grammar::length() const noexcept { return state_->length; }
std::uint64_t Grammar::dataLeft() const noexcept { return state_->sink.left; }
bool Grammar::isDone() const noexcept {
  return state_->withParser([](auto& parser) { return parser.is_done(); });
}
bool Grammar::keepsAlive() const noexcept { return state_->keepsAlive; }
const Fields& Grammar::trailers() const noexcept { return state_->sink.trailers; }

}  // namespace plait::http::detail
