// What the streams share: the codes by which they say what is wrong, and the mark of a call under
// way.
#pragma once

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace plait::net::detail {

// A kernel's answer, -errno, as the standard's code; success for 0.
inline std::error_code systemError(std::int32_t negativeErrno) noexcept {
  return {-negativeErrno, std::system_category()};
}

// Of a call on a stream that is closed.
inline std::error_code closedError() noexcept { return systemError(-EBADF); }

// Of a second reader.
inline std::error_code busyError() noexcept {
  return std::make_error_code(std::errc::device_or_resource_busy);
}

// Sets a flag for as long as it lives.
class Flagged final {
 public:
  explicit Flagged(bool& flag) noexcept : flag_(flag) { flag_ = true; }
  Flagged(const Flagged&) = delete;
  Flagged& operator=(const Flagged&) = delete;
  ~Flagged() { flag_ = false; }

 private:
  bool& flag_;
};

}  // namespace plait::net::detail
