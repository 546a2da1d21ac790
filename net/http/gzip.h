// Compressed bodies: whether a client takes them, what is worth it, and zlib.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "plait/http_fields.h"

namespace plait::http::detail {

// By Accept-Encoding with its qualities. Never switches.
bool acceptsGzip(const Fields& request) noexcept;
// Texts; pictures and archives are compressed already.
bool isCompressible(std::string_view mediaType) noexcept;

class Gzip final {
 public:
  Gzip();
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
  ~Gzip();

  // Appends to `out` what comes of it. Any thread, one at a time.
  void add(std::string_view text, std::string& out);
  // So that the reader can have all that was added.
  void flush(std::string& out);
  void finish(std::string& out);

 private:
  class State;
  void run(std::string_view text, int mode, std::string& out);

  std::unique_ptr<State> state_;
};

}  // namespace plait::http::detail
