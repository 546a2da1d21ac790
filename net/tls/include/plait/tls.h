// TLS 1.2 and 1.3 over any stream. A TlsStream is a Stream like those below it: one fiber may read
// while others write, whatever TLS itself has to send or to read for either.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/error.h"
#include "plait/stream.h"
#include "plait/tcp.h"
#include "plait/time.h"

namespace plait::net {

namespace detail {
class TlsContextState;
class TlsState;
}  // namespace detail

// A handshake, certificate or record that failed; the message has all that OpenSSL's queue said.
class TlsError : public Error {
 public:
  using Error::Error;
};

// What codes of TlsStream's overloads with an error code are of.
enum class TlsErrc : int {
  failed = 1,  // the message says what
  truncated,   // the stream below ended without close_notify: what came may not be all
  untrusted,   // the peer's certificate was not accepted
};
const std::error_category& tlsCategory() noexcept;
std::error_code make_error_code(TlsErrc code) noexcept;

// A certificate with its key. Copies are cheap to make and hold the key in memory.
struct TlsIdentity {
  std::string certificates{};  // PEM: its own first, then those that lead to the root
  std::string key{};           // PEM, not encrypted
  std::string ocspResponse{};  // DER, stapled to the handshake; empty: none

  // From PEM files. May switch. Throws: IoError.
  static TlsIdentity load(std::string certificateFile, std::string keyFile);
};

enum class TlsVersion : std::uint8_t { tls12, tls13 };

struct TlsClientOptions {
  bool verify = true;                     // the server's certificate and its name; leave it on
  std::string authorities{};              // PEM of who is trusted; empty: whom the system trusts
  std::optional<TlsIdentity> identity{};  // our own certificate, if the server asks
  std::vector<std::string> protocols{};   // ALPN, the preferred one first
  TlsVersion versionMin = TlsVersion::tls12;
  bool askOcsp = false;            // for a stapled response: TlsStream::ocspResponse()
  std::size_t sessionsMax = 1024;  // remembered for resumption, by server; 0: none
};

enum class ClientCertificate : std::uint8_t { ignore, request, require };

struct TlsServerOptions {
  TlsIdentity identity{};  // for clients that name no server, or none of `names`
  // By server name, also "*.example.org" for one level below.
  std::vector<std::pair<std::string, TlsIdentity>> names{};
  ClientCertificate clientCertificate = ClientCertificate::ignore;
  std::string authorities{};  // PEM: who may have signed clients' certificates
  std::vector<std::string>
      protocols{};  // ALPN, the preferred one first; a client with others only is refused
  TlsVersion versionMin = TlsVersion::tls12;
  std::size_t tickets = 2;  // for resumption, sent after a handshake; 0: no resumption
};

// What many streams share: trust, certificates, sessions. A handle; copies mean the same. Any
// thread.
class TlsContext final {
 public:
  // Throw: TlsError for what OpenSSL cannot read, naming it.
  explicit TlsContext(const TlsClientOptions& options);
  explicit TlsContext(const TlsServerOptions& options);

  // The certificate for new connections; those that are there keep theirs, and sessions stay
  // resumable. `name` as in TlsServerOptions::names, or empty. Any thread. Throws: TlsError, and
  // nothing is changed then.
  void setIdentity(const TlsIdentity& identity, std::string_view name = {});

  bool isServer() const noexcept;

  detail::TlsContextState& state() const noexcept { return *state_; }

 private:
  std::shared_ptr<detail::TlsContextState> state_;  // shared with the streams made of it
};

// One for clients with the default options, made by the first call. Any thread.
const TlsContext& defaultTlsContext();

inline constexpr Duration kTlsHandshakeTimeout = std::chrono::seconds(10);
inline constexpr Duration kTlsCloseTimeout = std::chrono::seconds(2);

struct TlsOptions {
  // Client: whom to talk to, sent as SNI and verified; a name or an IP address. Needed unless
  // verify is off.
  std::string serverName{};
  Duration handshakeTimeout = kTlsHandshakeTimeout;
  Duration closeTimeout = kTlsCloseTimeout;  // for close() to send its close_notify
  // Whether the end of the stream below without close_notify is the end of this one, for peers that
  // do so; otherwise it is TlsErrc::truncated.
  bool allowTruncation = false;
};

// A client's or a server's end, as its context is.
class TlsStream final : public Stream {
 public:
  TlsStream() noexcept;  // closed
  // Throws: TlsError for a client that verifies and was told no server name.
  TlsStream(std::unique_ptr<Stream> below, const TlsContext& context,
            TlsOptions options = TlsOptions());
  template <class S>
    requires(std::is_base_of_v<Stream, S>)
  TlsStream(S&& below, const TlsContext& context, TlsOptions options = TlsOptions())
      : TlsStream(std::make_unique<S>(std::forward<S>(below)), context, std::move(options)) {}
  TlsStream(TlsStream&&) noexcept;
  TlsStream& operator=(TlsStream&&) noexcept;
  // Ends the stream below without close_notify if it was not closed; nobody may be parked in it.
  ~TlsStream() override;

  // Ends when both sides have agreed. Reading and writing do it first if it was not done. Several
  // may call it; again is no error. May switch. Throws: TlsError, TimeoutError, as the stream
  // below; the stream is of no use then.
  void handshake();

  using Stream::readSome;
  using Stream::writeAll;
  // The end is the peer's close_notify; TlsErrc::truncated if the stream below ended without.
  std::size_t readSome(MutableBytes into, std::error_code& error) override;
  // A kill that strikes before anything was encrypted keeps the stream whole; a record that was
  // encrypted and not sent ends writing.
  void writeAll(Bytes from, std::error_code& error) override;
  void shutdownWrite() override;  // sends close_notify; the stream below stays open
  // close_notify, at most for the closeTimeout, then the stream below.
  void close() override;
  bool isOpen() const noexcept override;
  std::string describe() const override;  // "TLSv1.3 example.org over tcp ..."
  std::size_t interruptedAfter() const noexcept override;
  [[noreturn]] void fail(std::error_code code, const char* tried) const override;

  // New keys for what we send; with `peerToo` the peer is asked for the same. TLS 1.3 only.
  // May switch. Throws: TlsError, as writeAll.
  void updateKeys(bool peerToo = false);

  // After the handshake; empty before. Never switch.
  std::string version() const;     // "TLSv1.3"
  std::string cipher() const;      // "TLS_AES_256_GCM_SHA384"
  std::string protocol() const;    // what ALPN chose
  std::string serverName() const;  // what the client asked for
  bool isResumed() const noexcept;
  std::string peerCertificate() const;  // PEM; empty if it sent none
  std::string peerName() const;         // the common name in it
  std::string ocspResponse() const;     // DER, what the server stapled

  Stream& below() noexcept;

 private:
  std::unique_ptr<detail::TlsState> state_;
};

// Connects, and has shaken hands when it returns. "tcp:HOST:PORT"; HOST is the server name if the
// options have none. May switch. Throws: as net::connect, TlsError, TimeoutError.
TlsStream connectTls(std::string_view endpoint, const TlsContext& context = defaultTlsContext(),
                     TlsOptions options = TlsOptions());

}  // namespace plait::net

template <>
struct std::is_error_code_enum<plait::net::TlsErrc> : std::true_type {};
