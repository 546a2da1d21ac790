// TLS without I/O: one SSL object between two buffers in memory. Nothing in here switches, so the
// error queue, which is the thread's, is read right after the call that filled it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "context.h"
#include "openssl.h"
#include "plait/tls.h"

namespace plait::net::detail {

inline constexpr std::size_t kRecordBytes = 16'384;           // plain bytes of a record at most
inline constexpr std::size_t kBatchBytes = 4 * kRecordBytes;  // encrypted before they are sent
inline constexpr std::size_t kInputBytesMin = kRecordBytes + 512;
inline constexpr std::size_t kInputBytesMax = 4 * kInputBytesMin;
inline constexpr std::size_t kIdleOutputMax = 4'096;  // memory that is kept for the next output

class Engine final {
 public:
  Engine(std::shared_ptr<TlsContextState> context, const std::string& serverName);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  static Engine& of(SSL& ssl) noexcept;  // for OpenSSL's callbacks

  enum class Result { done, wantsInput, ended, failed };
  Result handshake();
  // As many bytes as are there, at least one; wantsInput if none is. `ended` is the peer's
  // close_notify.
  Result read(MutableBytes into, std::size_t& count);
  Result write(Bytes from);  // never wantsInput
  Result closeNotify();
  Result updateKeys(bool peerToo);
  // After the handshake: a message of the peer's, such as a ticket, has come in part. Until
  // handshake() has read the rest, nothing can be written.
  bool isInMessage() const noexcept { return !hasFailed_ && ::SSL_in_init(ssl_.get()) != 0; }

  // What the peer sent: received into room(), then told.
  MutableBytes room();
  void received(std::size_t bytes) noexcept;
  // For the peer, in this order, each byte once; the owner takes them.
  std::vector<std::byte>& output() noexcept { return output_; }
  void releaseOutput() noexcept;  // of much output its memory

  // Nothing more can be read.
  bool isOver() const noexcept {
    return hasFailed_ || (::SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
  }
  TlsErrc failedWith() const noexcept { return failedWith_; }
  const std::string& failure() const noexcept { return failure_; }  // in words, once it failed

  const Certificates& certificates() const noexcept { return *certificates_; }
  void keepSession(SessionPointer session);
  SSL* ssl() const noexcept { return ssl_.get(); }

 private:
  static const BIO_METHOD* buffersMethod();
  void setPeer(const std::string& serverName);
  bool mayHavePlainBytes() const noexcept;
  Result outcome(int result, const char* tried);
  void settle();

  const std::shared_ptr<TlsContextState> context_;          // shared with the TlsContext
  const std::shared_ptr<const Certificates> certificates_;  // shared with later connections
  std::string serverName_;
  SslPointer ssl_;

  std::vector<std::byte> input_;
  std::size_t begin_ = 0;  // of what is in it
  std::size_t end_ = 0;
  bool wasFilled_ = false;
  bool wasLittle_ = false;
  std::vector<std::byte> output_;
  TlsErrc failedWith_ = TlsErrc::failed;
  std::string failure_;
  bool hasFailed_ = false;
};

}  // namespace plait::net::detail
