#include "phases.h"

namespace plait::http::detail {
namespace {

constexpr std::size_t kShownMax = 200;  // characters of a URL in a message

// "5 s", "1.5 s", "200 ms"
std::string inWords(Duration wait) {
  const bool isShort = wait < std::chrono::seconds(1);
  std::string text = std::to_string(static_cast<double>(wait.count()) / (isShort ? 1e6 : 1e9));
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text + (isShort ? " ms" : " s");
}

}  // namespace

Phases::Phases(std::string_view method, const Url& url, const ClientTimeouts& timeouts)
    : timeouts_(timeouts), deadline_(after(now(), timeouts.total)) {
  setRequest(method, url);
}

void Phases::setRequest(std::string_view method, const Url& url) {
  std::string shown = url.toString();
  if (shown.size() > kShownMax) shown = shown.substr(0, kShownMax) + "...";
  request_ = std::string(method) + " " + shown;
}

std::string Phases::describe(std::string_view phase) const {
  return request_ + ": " + std::string(phase);
}

Phases::Limit::Limit(const Phases& phases, const char* phase, Duration wait)
    : phases_(phases), phase_(phase), timeout_(atMost(wait)) {}

void Phases::Limit::restart(Duration wait) { timeout_.restart(atMost(wait)); }

Duration Phases::Limit::atMost(Duration wait) {
  const Duration left = phases_.deadline_ == kNever ? kForever : phases_.deadline_ - now();
  isTotal_ = left < wait;
  wait_ = isTotal_ ? phases_.timeouts_.total : wait;
  return std::max(std::min(left, wait), Duration::zero());
}

void Phases::Limit::throwTimedOut() const {
  throw TimeoutError(phases_.describe(phase_) + ": timed out after " + inWords(wait_) +
                     (isTotal_ ? " in all" : ""));
}

}  // namespace plait::http::detail
