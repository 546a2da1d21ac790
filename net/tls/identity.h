// Certificates and keys from PEM into OpenSSL's objects.
#pragma once

#include "openssl.h"
#include "plait/tls.h"

namespace plait::net::detail {

// Certificate, chain and key, checked to belong together. Throws: TlsError; `context` is of no use
// then.
void useIdentity(SSL_CTX& context, const TlsIdentity& identity);

// Adds each certificate of `pem` to those that are trusted. Throws: TlsError, also for none at all.
void trustAuthorities(SSL_CTX& context, const std::string& pem);
// Tells clients whose certificates are asked for.
void nameAuthorities(SSL_CTX& context, const std::string& pem);

// The whole of a small file, read by a thread of the pool. May switch. Throws: IoError.
std::string loadPem(const std::string& path);

std::string toPem(X509* certificate);               // "" for none
std::string commonNameOf(const X509* certificate);  // "" for none

}  // namespace plait::net::detail
