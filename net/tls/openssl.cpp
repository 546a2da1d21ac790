#include "openssl.h"

#include "plait/tls.h"

namespace plait::net {
namespace detail {

std::string takeErrors() {
  std::string text;
  const char* data = nullptr;
  int flags = 0;
  while (const unsigned long code = ::ERR_get_error_all(nullptr, nullptr, nullptr, &data, &flags)) {
    const char* const reason = ::ERR_reason_error_string(code);
    if (!text.empty()) text += "; ";
    text += reason != nullptr ? std::string(reason) : "error " + std::to_string(code);
    if ((flags & ERR_TXT_STRING) != 0 && data != nullptr && *data != '\0') {
      text += " (" + std::string(data) + ")";
    }
  }
  return text.empty() ? "OpenSSL gave no reason" : text;
}

void throwTlsError(const std::string& tried) {
  throw TlsError(TlsErrc::failed, tried + ": " + takeErrors());
}

BioPointer memoryBio(std::string_view bytes) {
  return BioPointer(::BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

std::string contentOf(BIO& bio) {
  char* start = nullptr;
  const long bytes = BIO_get_mem_data(&bio, &start);
  return bytes > 0 ? std::string(start, static_cast<std::size_t>(bytes)) : std::string();
}

namespace {

class TlsCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "tls"; }
  std::string message(int code) const override {
    switch (static_cast<TlsErrc>(code)) {
      case TlsErrc::truncated:
        return "the peer ended the connection without close_notify, so what came may not be all";
      case TlsErrc::untrusted:
        return "the peer's certificate was not accepted";
      case TlsErrc::failed:
        break;
    }
    return "TLS failed";
  }
};

}  // namespace
}  // namespace detail

const std::error_category& tlsCategory() noexcept {
  static const detail::TlsCategory category;
  return category;
}

std::error_code make_error_code(TlsErrc code) noexcept {
  return {static_cast<int>(code), tlsCategory()};
}

}  // namespace plait::net
