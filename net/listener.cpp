#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "plait/detail/await.h"
#include "plait/detail/endpoint.h"
#include "plait/tcp.h"
#include "socket_state.h"

namespace plait::net {

using detail::SocketState;
using plait::detail::Op;
using plait::detail::OpKind;

Listener::Listener() noexcept = default;
Listener::Listener(int descriptor) : state_(std::make_unique<SocketState>(descriptor)) {}
Listener::Listener(Listener&&) noexcept = default;
Listener& Listener::operator=(Listener&&) noexcept = default;
Listener::~Listener() = default;

SocketStream Listener::accept() {
  std::error_code error;
  SocketStream stream = accept(error);
  if (error) throwStreamError(error, "accepting on", describe());
  return stream;
}

SocketStream Listener::accept(std::error_code& error) {
  error.clear();
  for (;;) {
    Op op(OpKind::accept);
    op.flags = SOCK_CLOEXEC;
    const std::int32_t result = state_ ? state_->descriptor.await(op, "accept") : -EBADF;
    if (result >= 0) return SocketStream(result, *state_);
    // The client has gone again before it was accepted: no concern of ours.
    if (result == -EINTR || result == -ECONNABORTED || result == -EPROTO) continue;
    error = detail::systemError(result);
    return SocketStream();
  }
}

Address Listener::address() const {
  const Address address = state_ ? state_->name(OpKind::localName) : Address();
  if (address.family() == Family::none) {
    throwStreamError(detail::systemError(-EBADF), "asking the address of", describe());
  }
  return address;
}

std::string Listener::describe() const {
  if (!isOpen()) return "a closed listener";
  return "listener " + state_->name(OpKind::localName).toString();
}

void Listener::close() {
  if (state_) state_->descriptor.close();
}

bool Listener::isOpen() const noexcept { return state_ && state_->descriptor.isOpen(); }
int Listener::descriptor() const noexcept { return state_ ? state_->descriptor.number() : -1; }

namespace {

std::int32_t bindTo(SocketState& socket, const Address& address) {
  Address copy = address;
  Op op(OpKind::bind);
  op.setBuffer(copy.data(), copy.length());
  return socket.descriptor.call(op);
}

[[noreturn]] void failToListen(std::int32_t result, const Address& address) {
  IoError error(-result, "listening on " + address.toString());
  if (result == -EADDRINUSE)
    error.addNote("another socket listens there; choose another port or stop it");
  if (result == -EACCES) error.addNote("ports below 1024 and foreign directories need privileges");
  throw error;
}

// A socket file that nobody listens on any more is in the way; one that somebody serves is not
// touched.
bool removeStale(const Address& address) {
  // An abstract name has no file; and what is no socket is not ours to remove, which the kernel op
  // sees to.
  if (address.path().starts_with('@')) return false;
  std::error_code error;
  const SocketStream probe = connect(address, error);
  if (error != std::errc::connection_refused) return false;
  const std::string path = address.path();
  Op op(OpKind::unlink);
  op.setBuffer(path.c_str(), path.size());
  return plait::detail::callKernel(op) == 0;
}

// Before it listens: nobody can connect with the wrong permissions.
void setMode(const Address& address, std::uint32_t mode) {
  const std::string path = address.path();
  if (path.starts_with('@') || ::chmod(path.c_str(), static_cast<mode_t>(mode)) == 0) return;
  throw IoError(errno, "setting the permissions of the socket " + path);
}

}  // namespace

Listener listen(const Address& address, const ListenOptions& options) {
  const int number = detail::makeSocket(address.family(), SOCK_STREAM);
  if (number < 0) failToListen(number, address);
  Listener listener(number);
  SocketState& socket = listener.state();
  const auto set = [&socket](int level, int name, bool on) {
    const int value = on ? 1 : 0;
    if (on) socket.setOption(level, name, &value, sizeof value, "setting an option of");
  };
  const bool isUnix = address.family() == Family::unixSocket;
  set(SOL_SOCKET, SO_REUSEADDR, options.reuseAddress && !isUnix);
  set(SOL_SOCKET, SO_REUSEPORT, options.reusePort);
  set(IPPROTO_IPV6, IPV6_V6ONLY, options.onlyIpv6);
  // Said once, before there are connections, it holds for all that are accepted.
  set(IPPROTO_TCP, TCP_NODELAY, !isUnix);
  socket.passesOptionsOn = true;
  std::int32_t result = bindTo(socket, address);
  if (result == -EADDRINUSE && isUnix && options.unlinkStale && removeStale(address)) {
    result = bindTo(socket, address);
  }
  if (result < 0) failToListen(result, address);
  if (isUnix && options.mode) setMode(address, *options.mode);
  Op op(OpKind::listen);
  op.length = static_cast<std::uint32_t>(options.backlog);
  result = socket.descriptor.call(op);
  if (result < 0) failToListen(result, address);
  return listener;
}

Listener listen(std::string_view text, const ListenOptions& options) {
  const detail::Endpoint endpoint = detail::parseEndpoint(text, detail::EndpointUse::listen);
  if (endpoint.hasLayers()) {
    throw Error(std::errc::invalid_argument,
                "listening on " + endpoint.text +
                    ": it is more than a socket; listenStream() of <plait/endpoint.h> takes it");
  }
  return detail::listenOn(endpoint, options);
}

Listener detail::listenOn(const Endpoint& endpoint, const ListenOptions& given) {
  if (endpoint.passed) {
    return Listener(
        adoptListening(passedDescriptor(*endpoint.passed, endpoint.text), endpoint.text));
  }
  if (endpoint.descriptor >= 0) {
    return Listener(adoptListening(endpoint.descriptor, endpoint.text));
  }
  ListenOptions options = given;
  options.backlog = endpoint.backlog.value_or(given.backlog);
  if (endpoint.mode) options.mode = endpoint.mode;
  // A name may stand for several addresses; the first that can be listened on is taken.
  std::exception_ptr lastError;
  for (const Address& address : endpoint.resolve()) {
    try {
      return listen(address, options);
    } catch (const IoError&) {
      lastError = std::current_exception();
    }
  }
  std::rethrow_exception(lastError);
}

}  // namespace plait::net
