#include "call.h"

#include <array>
#include <utility>

#include "base64.h"
#include "request_head.h"

namespace plait::http::detail {
namespace {

// Of a redirect's body this much is read, to keep the connection.
constexpr std::size_t kDrainMax = 65'536;
constexpr Duration kDrainTimeout = std::chrono::milliseconds(500);

Url urlFor(const SessionState& session, std::string_view text, const Parameters& parameters) {
  Url url = session.base ? session.base->resolve(text) : Url::parse(text);
  if (url.scheme != "http" && url.scheme != "https") {
    throw Error(std::errc::invalid_argument,
                "this client asks by http and https; '" + url.scheme + "' is for WebSockets");
  }
  if (parameters.empty()) return url;
  url.query += (url.query.empty() ? "" : "&") + toQuery(parameters);
  url.hasQuery = true;
  return url;
}

// The request's own, those in the URL, or the session's if they are for this server.
std::optional<Credentials> credentialsFor(const SessionState& session, const Url& url,
                                          std::optional<Credentials> own) {
  if (own) return own;
  if (!url.user.empty()) return Credentials{url.user, url.password};
  if (session.base && session.base->origin() != url.origin()) return std::nullopt;
  return session.options.credentials;
}

// What was meant for one server is not told to another.
void removePrivate(Fields& fields) {
  for (const char* name : {"Authorization", "Cookie", "Host", "Proxy-Authorization"}) {
    fields.remove(name);
  }
}

constexpr bool isHexDigit(char c) noexcept {
  return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

// Servers put into Location what browsers forgive: spaces, text that is not ASCII, brackets in a
// query, a '%' that stands for itself.
std::string forgive(std::string_view location) {
  const std::size_t query = location.find('?');
  std::string result;
  for (std::size_t i = 0; i < location.size(); ++i) {
    const char each = location[i];
    const auto byte = static_cast<unsigned char>(each);
    const bool isLonePercent =
        each == '%' &&
        !(i + 2 < location.size() && isHexDigit(location[i + 1]) && isHexDigit(location[i + 2]));
    const bool isBad = byte <= 0x20 || byte >= 0x7f || isLonePercent ||
                       (i > query && (each == '[' || each == ']')) ||
                       std::string_view("\"<>\\^`{|}").find(each) != std::string_view::npos;
    result += isBad ? percentEncode({&each, 1}) : std::string(1, each);
  }
  return result;
}

// What is left of a redirect's body; if that takes too much or too long, or fails, the connection
// is given up.
void drain(ClientExchange& exchange) {
  try {
    withTimeout(kDrainTimeout, [&exchange] {
      std::array<std::byte, 4096> buffer{};
      for (std::size_t total = 0; !exchange.isDone() && total <= kDrainMax;) {
        total += exchange.readBody(buffer);
      }
    });
  } catch (const Error&) {
    exchange.drop();
  }
}

}  // namespace

Call::Call(std::shared_ptr<SessionState> session, std::string_view method, std::string_view url,
           RequestOptions options)
    : session_(std::move(session)),
      method_(method),
      url_(urlFor(*session_, url, options.parameters)),
      credentials_(credentialsFor(*session_, url_, std::move(options.credentials))),
      body_(std::make_shared<const ClientBody>(std::move(options.body))),
      redirectsMax_(options.redirectsMax.value_or(session_->options.redirectsMax)),
      decompress_(options.decompress.value_or(session_->options.decompress)),
      phases_(method, url_, options.timeouts.value_or(session_->options.timeouts)),
      visit_(*session_) {
  checkMethod(method_);
  mergeFields(fields_, session_->options.fields);
  if (session_->base && session_->base->origin() != url_.origin()) removePrivate(fields_);
  mergeFields(fields_, options.fields);
}

std::unique_ptr<ResponseState> Call::run() {
  for (;;) {
    Head head;
    std::unique_ptr<ClientExchange> answer = exchange(head);
    keepCookies(head.fields);
    if (!isRedirect(head)) {
      return std::make_unique<ResponseState>(std::move(answer), std::move(head), std::move(url_),
                                             std::move(history_), decompress_);
    }
    if (history_.size() >= static_cast<std::size_t>(redirectsMax_)) {
      refuse("it was redirected more than " + std::to_string(redirectsMax_) + " times");
    }
    follow(head);
    if (answer->length().value_or(kDrainMax) <= kDrainMax) drain(*answer);
  }
}

std::unique_ptr<ClientExchange> Call::exchange(Head& into) {
  const ClientRoute route{url_, session_->proxies.proxyFor(url_)};
  const std::string text = requestText(route);
  for (bool fresh = false;; fresh = true) {
    std::unique_ptr<ConnectionPool::Lease> lease =
        phases_.run("waiting for a free connection", phases_.timeouts().pool,
                    [&] { return session_->pool.acquire(route.key(), fresh); });
    const bool isReused = lease->connection != nullptr;
    if (!isReused) lease->connection = dial(route, *session_, phases_);
    auto attempt = std::make_unique<ClientExchange>(session_, std::move(lease), phases_);
    if (attempt->run(text, body_, method_ == "HEAD", into, visit_)) return attempt;
    // The server has ended it while it was idle: that is nobody's fault.
    if (!isReused || !isIdempotent(method_) || !body_->isRepeatable()) attempt->throwNoAnswer();
    ++session_->retries;
  }
}

std::string Call::requestText(const ClientRoute& route) const {
  const RequestLine line{method_, url_, route.isForwarded()};
  Fields fields = fields_;
  if (credentials_ && !fields.has("Authorization")) {
    fields.add("Authorization", basicAuthorization(credentials_->user, credentials_->password));
  }
  if (session_->options.keepsCookies && !fields.has("Cookie")) {
    const std::string cookies = session_->jar.header(url_);
    if (!cookies.empty()) fields.add("Cookie", cookies);
  }
  if (route.isForwarded() && !route.proxy->user.empty()) {
    fields.set("Proxy-Authorization", basicAuthorization(route.proxy->user, route.proxy->password));
  }
  addUsualFields(fields, line, *body_, session_->options, decompress_);
  return toText(line, fields);
}

void Call::keepCookies(const Fields& fields) {
  if (!session_->options.keepsCookies) return;
  for (const std::string_view each : fields.all("Set-Cookie")) session_->jar.store(url_, each);
}

bool Call::isRedirect(const Head& head) const {
  switch (head.status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
      return redirectsMax_ > 0 && head.fields.has("Location");
    default:
      return false;
  }
}

void Call::follow(const Head& head) {
  const std::string location = forgive(head.fields.get("Location"));
  Url next;
  try {
    next = url_.resolve(location);
  } catch (const Error& error) {
    refuse("its redirect cannot be followed: " + std::string(error.what()));
  }
  if (next.scheme != "http" && next.scheme != "https") {
    refuse("it is redirected to '" + next.scheme + "'");
  }
  if (url_.isSecure() && !next.isSecure() && !session_->options.allowInsecureRedirects) {
    refuse("it is redirected from https to " + next.origin() +
           "; SessionOptions::allowInsecureRedirects permits that");
  }
  const bool becomesGet = (head.status == 303 && method_ != "HEAD") ||
                          (head.status == 302 && method_ != "HEAD") ||
                          (head.status == 301 && method_ == "POST");
  if (becomesGet && method_ != "GET") {
    method_ = "GET";
    body_ = std::make_shared<const ClientBody>();
    for (const char* name : {"Content-Type", "Content-Encoding", "Content-Language", "Digest"}) {
      fields_.remove(name);
    }
  }
  if (!body_->isRepeatable()) {
    refuse("it is redirected to " + next.toString() +
           " with its body, which could be sent once only");
  }
  if (next.origin() != url_.origin()) {
    credentials_.reset();
    removePrivate(fields_);
  }
  // A server does not choose with whose password somebody comes.
  next.user.clear();
  next.password.clear();
  if (next.fragment.empty()) next.fragment = url_.fragment;
  history_.push_back(std::exchange(url_, std::move(next)));
  phases_.setRequest(method_, url_);
}

void Call::refuse(const std::string& why) const {
  HttpError error(502, phases_.describe(why));
  for (const Url& each : history_) error.addNote("redirected by " + each.toString());
  throw error;
}

}  // namespace plait::http::detail
