// What a request is at, so that an error can say so: each phase with its time limit, all of them
// under the total one.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "plait/error.h"
#include "plait/http_client.h"
#include "plait/time.h"
#include "plait/timeout.h"
#include "plait/url.h"

namespace plait::http::detail {

class Phases final {
 public:
  // The total time counts from here.
  Phases(std::string_view method, const Url& url, const ClientTimeouts& timeouts);

  // The same call, now at another URL.
  void setRequest(std::string_view method, const Url& url);
  const ClientTimeouts& timeouts() const noexcept { return timeouts_; }
  // "GET https://example.org/x: waiting for the answer's first byte"
  std::string describe(std::string_view phase) const;

  // A limit while it lives, for the fiber that made it.
  class Limit final {
   public:
    Limit(const Phases& phases, const char* phase, Duration wait);

    // Counts anew, with another limit. Any fiber.
    void restart(Duration wait);
    bool isCause(const TimeoutExpired& expired) const noexcept { return timeout_.isCause(expired); }
    [[noreturn]] void throwTimedOut() const;

   private:
    Duration atMost(Duration wait);

    const Phases& phases_;
    const char* phase_;
    Duration wait_{};  // what the error will tell
    bool isTotal_ = false;
    Timeout timeout_;
  };

  // Calls f, or f(limit); its errors gain a note. May switch. Throws: TimeoutError, what f throws.
  template <class F>
  auto run(const char* phase, Duration wait, F&& f) const {
    Limit limit(*this, phase, wait);
    try {
      if constexpr (std::is_invocable_v<F, Limit&>) {
        return std::forward<F>(f)(limit);
      } else {
        return std::forward<F>(f)();
      }
    } catch (const TimeoutExpired& expired) {
      if (!limit.isCause(expired)) throw;
      limit.throwTimedOut();
    } catch (Error& error) {
      error.addNote(describe(phase));
      throw;
    }
  }

 private:
  std::string request_;
  ClientTimeouts timeouts_;
  TimePoint deadline_;
};

}  // namespace plait::http::detail
