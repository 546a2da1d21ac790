// An end of a TLS connection that is OpenSSL alone, so that it can do what TlsStream never does.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "certificates.h"
#include "plait/stream.h"

namespace plait::test {

class RawPeer final {
 public:
  // A client trusts everybody; a server has the identity. `below` outlives it.
  explicit RawPeer(net::Stream& below);
  RawPeer(net::Stream& below, const net::TlsIdentity& identity);
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;
  ~RawPeer();

  SSL* ssl() noexcept { return ssl_; }
  SSL_CTX* context() noexcept { return context_; }
  void use(const net::TlsIdentity& identity);  // before the handshake

  // They carry bytes as needed. May switch.
  bool handshake();                   // false: it failed
  void write(std::string_view text);  // all of it
  std::string read();                 // one piece; empty at an end of whatever kind
  void updateKeys(bool peerToo);      // puts the message out
  void askRenegotiation();            // TLS 1.2: what ours answers by reading
  void closeNotify();

  bool flush();    // sends what OpenSSL has put out; false if nobody takes it
  bool receive();  // what has come, to OpenSSL; false at the end

 private:
  void begin(net::Stream& below, const SSL_METHOD* method);
  bool goOn(int result);

  net::Stream* below_ = nullptr;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  BIO* in_ = nullptr;   // ssl_'s
  BIO* out_ = nullptr;  // ssl_'s
};

}  // namespace plait::test
