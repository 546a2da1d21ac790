#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <utility>

#include "plait/http_request.h"
#include "request_state.h"

namespace plait::http {

Request::Request(std::unique_ptr<detail::RequestState> state) noexcept : state_(std::move(state)) {}
Request::~Request() = default;

std::string_view Request::method() const noexcept { return state_->head.method; }
std::string_view Request::target() const noexcept { return state_->head.target; }
int Request::version() const noexcept { return state_->head.version; }
std::string_view Request::path() const noexcept { return state_->path; }
std::string_view Request::rest() const noexcept { return state_->rest; }
std::string_view Request::query() const noexcept { return state_->query; }
std::string_view Request::host() const noexcept { return state_->host; }
const Fields& Request::fields() const noexcept { return state_->head.fields; }
net::Address Request::peer() const { return state_->body.peer(); }
bool Request::isSecure() const noexcept { return state_->isSecure; }

std::string_view Request::field(std::string_view name, std::string_view otherwise) const noexcept {
  return fields().get(name, otherwise);
}

std::string_view Request::parameter(std::string_view name) const {
  const auto end = state_->parameters.begin() + static_cast<std::ptrdiff_t>(state_->parameterCount);
  const auto found = std::find_if(state_->parameters.begin(), end,
                                  [name](const auto& each) { return each.name == name; });
  if (found == end) {
    throw std::out_of_range("the pattern of this route has no <" + std::string(name) + ">");
  }
  return found->value;
}

namespace {

// The router has seen that the text is one.
template <class T>
T numberOf(std::string_view text) {
  T number{};
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

std::int64_t Request::intParameter(std::string_view name) const {
  return numberOf<std::int64_t>(parameter(name));
}

double Request::floatParameter(std::string_view name) const {
  return numberOf<double>(parameter(name));
}

const Parameters& Request::queryParameters() const {
  if (!state_->queryParameters) state_->queryParameters = parseQuery(state_->query);
  return *state_->queryParameters;
}

std::optional<std::string_view> Request::queryParameter(std::string_view name) const {
  for (const auto& [each, value] : queryParameters()) {
    if (each == name) return value;
  }
  return std::nullopt;
}

std::optional<std::string_view> Request::cookie(std::string_view name) const noexcept {
  for (const Field field : fields()) {
    if (!equalsNoCase(field.name, "Cookie")) continue;
    for (std::string_view rest = field.value; !rest.empty();) {
      std::string_view pair = rest.substr(0, rest.find(';'));
      rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
      while (pair.starts_with(' ')) pair.remove_prefix(1);
      if (pair.size() <= name.size() || pair[name.size()] != '=' || !pair.starts_with(name)) {
        continue;
      }
      std::string_view value = pair.substr(name.size() + 1);
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
        value = value.substr(1, value.size() - 2);
      }
      return value;
    }
  }
  return std::nullopt;
}

bool Request::hasBody() const noexcept {
  const detail::MessageReader& message = state_->body.message();
  return message.isChunked() || message.length() > 0;
}

std::optional<std::uint64_t> Request::contentLength() const noexcept {
  const detail::MessageReader& message = state_->body.message();
  if (!message.hasLength()) return std::nullopt;
  return message.length();
}

std::string Request::body() { return body(state_->limits.body); }

std::string Request::body(std::size_t limit) {
  const auto refuse = [limit] {
    throw HttpError(413, "reading a body: more than " + std::to_string(limit) + " bytes");
  };
  const std::uint64_t length = state_->body.message().length();
  if (length > limit) refuse();
  // What was announced is not yet here: memory is taken for what has come.
  std::string text;
  std::size_t size = 0;
  for (;;) {
    if (size == text.size()) {
      const std::size_t least = size + std::max<std::size_t>(size, 4'096);
      text.resize(length > size ? std::min<std::size_t>(length, least + 61'440) : least);
    }
    const auto room = std::as_writable_bytes(std::span(text.data() + size, text.size() - size));
    const std::size_t count = readSome(room);
    size += count;
    if (size > limit) refuse();
    if (count == 0 || (length > 0 && size == length)) break;
  }
  text.resize(size);
  return text;
}

std::size_t Request::readSome(net::MutableBytes into) { return state_->body.readBody(into); }

Parameters Request::form() {
  const std::string_view type = field("Content-Type");
  if (!equalsNoCase(type.substr(0, type.find(';')), "application/x-www-form-urlencoded")) {
    throw HttpError(415, "reading a form of the type '" + std::string(type) +
                             "': only application/x-www-form-urlencoded is read");
  }
  return parseQuery(body());
}

const Fields& Request::trailers() const noexcept { return state_->body.message().trailers(); }

namespace detail {

void RequestState::begin() {
  parameterCount = 0;
  queryParameters.reset();
  allowed.clear();
  std::string_view target = head.target;
  host = head.fields.get("Host");
  query = {};
  if (head.method == "CONNECT") {
    host = target;
    rawPath = path = rest = {};
    return;
  }
  if (target.front() != '/' && target != "*") {
    // "http://host/path": what it says counts, and not the Host field.
    target.remove_prefix(target.find("://") + 3);
    host = target.substr(0, target.find_first_of("/?"));
    target.remove_prefix(host.size());
  }
  rawPath = target.substr(0, target.find('?'));
  if (rawPath.size() < target.size()) query = target.substr(rawPath.size() + 1);
  if (rawPath.empty()) rawPath = "/";
  rest = path = rawPath;
  if (rawPath.find('%') == std::string_view::npos) return;
  auto decoded = percentDecode(rawPath);
  if (!decoded || decoded->find('\0') != std::string::npos) {
    throw HttpError(400, "reading a request: a path that cannot be decoded");
  }
  decodedPath = std::move(*decoded);
  path = decodedPath;
}

RequestState::Parameter& RequestState::addParameter() {
  if (parameterCount == parameters.size()) parameters.emplace_back();
  return parameters[parameterCount++];
}

}  // namespace detail
}  // namespace plait::http
