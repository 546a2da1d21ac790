// TCP echo, State Threads: a thread of its own scheduler per connection.
#include <st.h>
#include <unistd.h>

#include "listener.h"

namespace {

constexpr int kStackSize = 64 * 1024;

void* echo(void* argument) {
  auto* stream = static_cast<st_netfd_t>(argument);
  char buffer[kReadMax];
  for (;;) {
    const ssize_t n = st_read(stream, buffer, sizeof buffer, ST_UTIME_NO_TIMEOUT);
    if (n <= 0) break;
    const auto size = static_cast<std::size_t>(n);
    if (st_write(stream, buffer, size, ST_UTIME_NO_TIMEOUT) != n) break;
  }
  st_netfd_close(stream);
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  // Debian's libst is built without epoll, and asking for it silently gives select, which ends at
  // 1,024 descriptors.
  st_set_eventsys(ST_EVENTSYS_POLL);
  if (st_init() != 0) die("st_init");
  const int listener = listenOn(portArgument(argc, argv), 0);
  announce(portOf(listener));
  st_netfd_t acceptor = st_netfd_open_socket(listener);
  for (;;) {
    st_netfd_t stream = st_accept(acceptor, nullptr, nullptr, ST_UTIME_NO_TIMEOUT);
    if (stream == nullptr) die("st_accept");
    if (st_thread_create(echo, stream, 0, kStackSize) == nullptr) st_netfd_close(stream);
  }
}
