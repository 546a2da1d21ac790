#include "plait/detail/digest.h"

#include <openssl/evp.h>

#include "openssl.h"

namespace plait::net::detail {
namespace {

template <std::size_t Size>
std::array<std::byte, Size> digest(const EVP_MD* kind, Bytes message, const char* tried) {
  std::array<std::byte, Size> result;
  ::ERR_clear_error();
  if (::EVP_Digest(message.data(), message.size(), reinterpret_cast<unsigned char*>(result.data()),
                   nullptr, kind, nullptr) != 1) {
    throwTlsError(tried);
  }
  return result;
}

}  // namespace

std::array<std::byte, kSha1Bytes> sha1(Bytes message) {
  return digest<kSha1Bytes>(::EVP_sha1(), message, "computing a SHA-1 digest");
}

std::array<std::byte, kSha256Bytes> sha256(Bytes message) {
  return digest<kSha256Bytes>(::EVP_sha256(), message, "computing a SHA-256 digest");
}

}  // namespace plait::net::detail
