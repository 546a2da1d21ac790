// Sockets that this process was given: by systemd, by a parent, by number.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>

#include "plait/detail/endpoint.h"
#include "plait/error.h"

namespace plait::net::detail {
namespace {

constexpr int kFirstPassed = 3;  // as sd_listen_fds(3) says

int optionOf(int descriptor, int option, const std::string& what) {
  int value = 0;
  socklen_t bytes = sizeof value;
  if (::getsockopt(descriptor, SOL_SOCKET, option, &value, &bytes) != 0) {
    throw IoError(errno, "looking at descriptor " + std::to_string(descriptor) + " for " + what);
  }
  return value;
}

// The program's own descriptor stays as it is: an endpoint may be listened on again.
int copyOf(int descriptor, const std::string& what) {
  const int copy = ::fcntl(descriptor, F_DUPFD_CLOEXEC, kFirstPassed);
  if (copy < 0) {
    throw IoError(errno, "copying descriptor " + std::to_string(descriptor) + " for " + what);
  }
  return copy;
}

void requireStream(int descriptor, const std::string& what) {
  if (optionOf(descriptor, SO_TYPE, what) == SOCK_STREAM) return;
  throw IoError(EPROTOTYPE, "taking descriptor " + std::to_string(descriptor) + " for " + what);
}

// Of an environment variable; -1 if it has none.
long numberIn(const char* name) {
  const char* const text = std::getenv(name);
  if (text == nullptr) return -1;
  const std::string_view view(text);
  long number = -1;
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), number);
  return error == std::errc() && end == view.data() + view.size() ? number : -1;
}

unsigned indexOfName(const std::string& name, const std::string& what) {
  const char* const names = std::getenv("LISTEN_FDNAMES");
  std::string_view rest = names == nullptr ? "" : names;
  for (unsigned index = 0; !rest.empty(); ++index) {
    const std::size_t colon = std::min(rest.find(':'), rest.size());
    if (rest.substr(0, colon) == name) return index;
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  throw Error(std::errc::no_such_device, what + ": systemd passed no socket named '" + name + "'");
}

}  // namespace

int adoptListening(int descriptor, const std::string& what) {
  requireStream(descriptor, what);
  if (optionOf(descriptor, SO_ACCEPTCONN, what) == 1) return copyOf(descriptor, what);
  throw IoError(EINVAL, what + ": descriptor " + std::to_string(descriptor) +
                            " is a socket that does not listen");
}

int adoptConnected(int descriptor, const std::string& what) {
  requireStream(descriptor, what);
  return copyOf(descriptor, what);
}

int passedDescriptor(const PassedSocket& passed, const std::string& what) {
  const long count = numberIn("LISTEN_FDS");
  if (count <= 0 || numberIn("LISTEN_PID") != ::getpid()) {
    throw Error(std::errc::no_such_device,
                what +
                    ": systemd passed no sockets to this process (LISTEN_FDS, LISTEN_PID); is it "
                    "started by a socket unit?");
  }
  const unsigned index = passed.name.empty() ? passed.index : indexOfName(passed.name, what);
  if (static_cast<long>(index) >= count) {
    throw Error(std::errc::no_such_device, what + ": there is no socket of index " +
                                               std::to_string(index) + "; systemd passed " +
                                               std::to_string(count));
  }
  const int descriptor = kFirstPassed + static_cast<int>(index);
  if (passed.domain) {
    const int domain = optionOf(descriptor, SO_DOMAIN, what);
    const Family family = domain == AF_UNIX    ? Family::unixSocket
                          : domain == AF_INET6 ? Family::ipv6
                                               : Family::ipv4;
    if (family != *passed.domain) {
      throw Error(std::errc::address_family_not_supported,
                  what + ": the socket that systemd passed is of another domain");
    }
  }
  return descriptor;
}

}  // namespace plait::net::detail
