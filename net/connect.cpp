#include <sys/socket.h>

#include <cerrno>

#include "happy_eyeballs.h"
#include "plait/detail/endpoint.h"
#include "plait/tcp.h"
#include "plait/timeout.h"
#include "socket_state.h"

namespace plait::net {

using detail::SocketState;
using plait::detail::Op;
using plait::detail::OpKind;

namespace {

std::int32_t prepareAndConnect(SocketState& socket, const Address& address,
                               const ConnectOptions& options) {
  if (options.bindTo) {
    Address local = *options.bindTo;
    Op op(OpKind::bind);
    op.setBuffer(local.data(), local.length());
    const std::int32_t result = socket.descriptor.call(op);
    if (result < 0) return result;
  }
  Address to = address;
  Op op(OpKind::connect);
  op.setBuffer(to.data(), to.length());
  return socket.descriptor.await(op, "connect");
}

std::string wayOut(std::int32_t result) {
  switch (result) {
    case -ECONNREFUSED:
      return "nobody listens there; is the server running?";
    case -ENETUNREACH:
    case -EHOSTUNREACH:
      return "there is no route to it from this machine";
    case -EMFILE:
      return "this process has no file descriptor left; raise RLIMIT_NOFILE (ulimit -n)";
    case -EADDRNOTAVAIL:
      return "no local port is free for it, or bindTo is not an address of this machine";
    case -ENOENT:
      return "there is no such socket file";
    default:
      return {};
  }
}

}  // namespace

SocketStream connect(const Address& address, std::error_code& error,
                     const ConnectOptions& options) {
  error.clear();
  const int number = detail::makeSocket(address.family(), SOCK_STREAM);
  if (number < 0) {
    error = detail::systemError(number);
    return SocketStream();
  }
  // A cancelled connect leaves its socket half connected, so each attempt has a socket of its own.
  SocketStream stream(number);
  const std::int32_t result = prepareAndConnect(stream.state(), address, options);
  if (result >= 0) return stream;
  error = detail::systemError(result);
  return SocketStream();
}

SocketStream connect(const Address& address, const ConnectOptions& options) {
  std::error_code error;
  SocketStream stream = connect(address, error, options);
  if (!error) return stream;
  IoError failure(error.value(), "connecting to " + address.toString());
  const std::string way = wayOut(-error.value());
  if (!way.empty()) failure.addNote(way);
  throw failure;
}

namespace {

SocketStream connectToName(const detail::Endpoint& endpoint, const ConnectOptions& options) {
  const std::vector<Address> addresses = endpoint.resolve();
  if (addresses.size() == 1) return connect(addresses.front(), options);
  return detail::connectFirst(addresses, options.attemptDelay, [&options](const Address& address) {
    return connect(address, options);
  });
}

}  // namespace

SocketStream connect(std::string_view text, const ConnectOptions& options) {
  const detail::Endpoint endpoint = detail::parseEndpoint(text, detail::EndpointUse::connect);
  if (endpoint.hasLayers()) {
    throw Error(std::errc::invalid_argument,
                "connecting to " + endpoint.text +
                    ": it is more than a socket; connectStream() of <plait/endpoint.h> takes it");
  }
  return detail::connectTo(endpoint, options);
}

SocketStream detail::connectTo(const Endpoint& endpoint, const ConnectOptions& given) {
  if (endpoint.descriptor >= 0) {
    return SocketStream(adoptConnected(endpoint.descriptor, endpoint.text));
  }
  ConnectOptions options = given;
  if (endpoint.bindTo) options.bindTo = endpoint.bindTo;
  if (endpoint.timeout == kForever) return connectToName(endpoint, options);
  try {
    return withTimeout(endpoint.timeout, [&] { return connectToName(endpoint, options); });
  } catch (TimeoutError& error) {
    error.addNote("connecting to " + endpoint.text);
    throw;
  }
}

SocketStream connect(std::string_view endpoint, std::error_code& error) {
  error.clear();
  try {
    return connect(endpoint);
  } catch (const Error& failure) {
    error = failure.code();
  }
  return SocketStream();
}

}  // namespace plait::net
