// OpenSSL's objects as owned values, and its error queue as text.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace plait::net::detail {

template <auto Release>
struct Releaser {
  template <class T>
  void operator()(T* object) const noexcept {
    Release(object);
  }
};

using SslPointer = std::unique_ptr<SSL, Releaser<&SSL_free>>;
using SslContextPointer = std::unique_ptr<SSL_CTX, Releaser<&SSL_CTX_free>>;
using SessionPointer = std::unique_ptr<SSL_SESSION, Releaser<&SSL_SESSION_free>>;
using CertificatePointer = std::unique_ptr<X509, Releaser<&X509_free>>;
using KeyPointer = std::unique_ptr<EVP_PKEY, Releaser<&EVP_PKEY_free>>;
using BioPointer = std::unique_ptr<BIO, Releaser<&BIO_free>>;

// Everything in this thread's error queue, the oldest first, which is empty then. Call it right
// after what failed: the queue is the thread's, so nobody may switch between.
std::string takeErrors();

// Throws TlsError: "<tried>: <what the queue says>".
[[noreturn]] void throwTlsError(const std::string& tried);

// A view of the caller's bytes for OpenSSL to read.
BioPointer memoryBio(std::string_view bytes);
// What was written to a memory BIO.
std::string contentOf(BIO& bio);

}  // namespace plait::net::detail
