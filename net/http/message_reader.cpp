#include "message_reader.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "grammar.h"

namespace plait::http::detail {
namespace {

constexpr std::size_t kInputBytes = 8'192;  // read ahead; more only for a head that needs it
constexpr std::size_t kEmptyLinesMax = 4;   // before a request (RFC 9112, 2.2)

}  // namespace

class MessageReader::State final {
 public:
  State(net::Stream& s, Kind k, const Limits& l)
      : stream(s), kind(k), limits(l), grammar(k, l.fields) {}

  std::string_view buffered() const noexcept { return {input.get() + begin, end - begin}; }
  void consume(std::size_t count) noexcept {
    begin += count;
    if (begin == end) begin = end = 0;
  }

  bool readMore();
  [[noreturn]] void endedTooEarly() const;
  bool skipEmptyLines();
  std::size_t waitForHead();
  std::size_t waitForChunkLine();
  std::string_view checkedLine(std::size_t from, std::size_t lineMax, int status, const char* why);

  net::Stream& stream;
  const Kind kind;
  const Limits limits;
  Grammar grammar;
  std::unique_ptr<char[]> input;
  std::size_t capacity = 0;
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t emptyLines = 0;
  bool afterChunk = false;  // its line's end is still to come
  bool noBody = true;       // no message yet
};

MessageReader::MessageReader(net::Stream& stream, Kind kind, const Limits& limits)
    : state_(std::make_unique<State>(stream, kind, limits)) {}

MessageReader::~MessageReader() = default;

bool MessageReader::hasBuffered() const noexcept { return state_->end > state_->begin; }

bool MessageReader::waitForMessage() {
  while (!state_->skipEmptyLines()) {
    if (!state_->readMore()) return false;
  }
  return true;
}

bool MessageReader::readHead(Head& into) {
  State& state = *state_;
  try {
    state.noBody = true;
    if (!waitForMessage()) return false;
    state.emptyLines = 0;
    state.afterChunk = false;
    const std::size_t bytes = state.waitForHead();
    state.grammar.parseHead(state.buffered().substr(0, bytes), into);
    state.consume(bytes);
    state.noBody = false;
    return true;
  } catch (HttpError& error) {
    error.addNote("from " + state.stream.describe());
    throw;
  }
}

void MessageReader::expectNoBody() { state_->noBody = true; }

bool MessageReader::isChunked() const noexcept { return state_->grammar.isChunked(); }
bool MessageReader::hasLength() const noexcept { return state_->grammar.hasLength(); }
std::uint64_t MessageReader::length() const noexcept { return state_->grammar.length(); }
bool MessageReader::isDone() const noexcept { return state_->noBody || state_->grammar.isDone(); }
const Fields& MessageReader::trailers() const noexcept { return state_->grammar.trailers(); }

bool MessageReader::keepsAlive() const noexcept {
  return state_->grammar.keepsAlive() && (state_->noBody || !state_->grammar.endsWithStream());
}

std::size_t MessageReader::readBody(net::MutableBytes into) {
  State& state = *state_;
  Grammar& grammar = state.grammar;
  if (into.empty()) return 0;
  while (!isDone()) {
    if (grammar.dataLeft() == 0) {
      const std::size_t line = state.waitForChunkLine();
      state.consume(grammar.parseChunkLine(state.buffered().substr(0, line)));
      state.afterChunk = true;
      continue;
    }
    // A big piece goes to its place without a stop in our buffer.
    if (!hasBuffered() && into.size() >= kInputBytes) {
      const auto most =
          static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), grammar.dataLeft()));
      const std::size_t count = state.stream.readSome(into.first(most));
      if (count > 0) return grammar.takeBody(into.first(count), into);
    }
    if (hasBuffered() || state.readMore()) {
      const std::size_t count = grammar.takeBody(net::asBytes(state.buffered()), into);
      state.consume(count);
      return count;
    }
    if (!grammar.endsWithStream()) state.endedTooEarly();
    grammar.endOfStream();
  }
  return 0;
}

std::string MessageReader::takeBuffered() {
  std::string result(state_->buffered());
  state_->consume(result.size());
  return result;
}

// Asks the stream once, with room for at least as much again as is there already.
bool MessageReader::State::readMore() {
  if (begin > 0) {
    std::memmove(input.get(), input.get() + begin, end - begin);
    end -= std::exchange(begin, 0);
  }
  // What a great head has needed is given back with the next message.
  const std::size_t wanted = end == 0 ? kInputBytes : end < capacity ? capacity : 2 * capacity;
  if (wanted != capacity) {
    auto larger = std::make_unique_for_overwrite<char[]>(wanted);
    std::copy_n(input.get(), end, larger.get());
    input = std::move(larger);
    capacity = wanted;
  }
  const auto room = std::as_writable_bytes(std::span(input.get() + end, capacity - end));
  const std::size_t count = stream.readSome(room);
  end += count;
  return count > 0;
}

void MessageReader::State::endedTooEarly() const {
  throw ConnectionClosed(ECONNRESET, "reading a message from " + stream.describe() +
                                         ", which ended in the middle of it");
}

// Whether a message begins in the buffer now.
bool MessageReader::State::skipEmptyLines() {
  while (kind == Kind::request && buffered().starts_with("\r\n")) {
    if (++emptyLines > kEmptyLinesMax) grammar.refuse(400, "empty lines instead of a request");
    consume(2);
  }
  return !buffered().empty() && !(kind == Kind::request && buffered() == "\r");
}

// The line that begins at `from` of the buffer, with its end; empty if that has not arrived.
std::string_view MessageReader::State::checkedLine(std::size_t from, std::size_t lineMax,
                                                   int status, const char* why) {
  const std::string_view rest = buffered().substr(from);
  const std::size_t newline = rest.find('\n');
  if (std::min(newline, rest.size()) > lineMax + 1) grammar.refuse(status, why);
  if (newline == std::string_view::npos) return {};
  if (newline == 0 || rest[newline - 1] != '\r') grammar.refuse(400, "a line that ends without CR");
  return rest.substr(0, newline + 1);
}

// Parks until a whole head is in the buffer; returns its bytes. Line by line: what can be seen to
// be wrong is refused at once, however slowly the rest would come.
std::size_t MessageReader::State::waitForHead() {
  std::size_t lineBegin = 0;
  std::size_t fieldsBegin = 0;
  for (;;) {
    const std::string_view line =
        lineBegin == 0 ? checkedLine(0, limits.requestLine, 414, "a first line over the limit")
                       : checkedLine(lineBegin, limits.header - (lineBegin - fieldsBegin), 431,
                                     "a header over the limit");
    if (line.empty()) {
      if (readMore()) continue;
      endedTooEarly();
    }
    if (lineBegin > 0 && (line.front() == ' ' || line.front() == '\t')) {
      grammar.refuse(400, "a field on several lines");
    }
    lineBegin += line.size();
    if (fieldsBegin == 0) fieldsBegin = lineBegin;
    if (line.size() == 2) return lineBegin;
    if (lineBegin - fieldsBegin > limits.header) grammar.refuse(431, "a header over the limit");
  }
}

// Parks until a chunk's line is in the buffer, with the last one the whole trailer; returns the
// bytes.
std::size_t MessageReader::State::waitForChunkLine() {
  std::size_t lineBegin = 0;
  std::size_t trailerBegin = 0;
  if (afterChunk) {
    while (buffered().size() < 2) {
      if (!readMore()) endedTooEarly();
    }
    if (!buffered().starts_with("\r\n")) grammar.refuse(400, "a chunk longer than its size");
    lineBegin = 2;
  }
  for (;;) {
    const std::string_view line =
        trailerBegin == 0
            ? checkedLine(lineBegin, kChunkHeaderMax, 400, "a chunk's line over the limit")
            : checkedLine(lineBegin, limits.header - (lineBegin - trailerBegin), 431,
                          "a trailer over the limit");
    if (line.empty()) {
      if (readMore()) continue;
      endedTooEarly();
    }
    lineBegin += line.size();
    if (trailerBegin == 0) {
      const auto isControl = [](char c) {
        return static_cast<unsigned char>(c) < 0x20 && c != '\t';
      };
      if (std::any_of(line.begin(), line.end() - 2, isControl)) {
        grammar.refuse(400, "a control character in a chunk's line");
      }
      const std::size_t afterZeros = line.find_first_not_of('0');
      const bool isLast = afterZeros > 0 && std::string_view("\r; \t").find(line[afterZeros]) !=
                                                std::string_view::npos;
      if (!isLast) return lineBegin;
      trailerBegin = lineBegin;
      continue;
    }
    if (line.size() == 2) return lineBegin;
    if (line.front() == ' ' || line.front() == '\t')
      grammar.refuse(400, "a field on several lines");
    if (lineBegin - trailerBegin > limits.header) grammar.refuse(431, "a trailer over the limit");
  }
}

}  // namespace plait::http::detail
