// What goes wrong in HTTP, and the limits that both sides keep.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "plait/error.h"
#include "plait/time.h"

namespace plait::http {

// A message that breaks the protocol or a limit, or a status that the caller asked to be an error.
class HttpError : public Error {
 public:
  // `status` is what a server answers to it: 400, 408, 413, 414, 431, 501...
  HttpError(int status, std::string message);
  int status() const noexcept { return status_; }

 private:
  int status_;
};

inline constexpr std::size_t kRequestLineMax = 8'192;  // bytes
inline constexpr std::size_t kHeaderMax = 65'536;      // bytes of all fields together
inline constexpr std::size_t kFieldsMax = 100;
inline constexpr std::size_t kBodyMax = 16 << 20;      // bytes read into memory at once
inline constexpr std::size_t kChunkHeaderMax = 4'096;  // bytes of a chunk's size and extensions

struct Limits {
  std::size_t requestLine = kRequestLineMax;  // status line, too
  std::size_t header = kHeaderMax;
  std::size_t fields = kFieldsMax;
  std::size_t body = kBodyMax;
};

// "Not Found" for 404; "Unknown" for what has no name. Never switches.
std::string_view reasonOf(int status) noexcept;

}  // namespace plait::http
