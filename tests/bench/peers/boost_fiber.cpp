// TCP echo, a Boost.Fiber per connection over Boost.Asio.
//
// The glue is smaller, and faster, than the scheduler in Boost.Fiber's own examples: the main fiber
// runs Asio's handlers, which make fibers ready, then yields once. As the main fiber goes to the
// end of the ready queue, every fiber made ready has run, and parked again, when the yield
// returns. That holds because fibers here wait for Asio only, and no fiber launches another.
#include <array>
#include <cstdio>
#include <cstdlib>

#include <boost/asio.hpp>
#include <boost/fiber/all.hpp>

namespace asio = boost::asio;
namespace fibers = boost::fibers;
using asio::ip::tcp;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;
using boost::system::error_code;

namespace {

// The result of one asynchronous operation, and the fiber that waits for it.
struct Completion {
  fibers::context* waiter = fibers::context::active();
  error_code error;
  std::size_t size = 0;

  // Handlers only run in the main fiber, so the waiter has always parked by then.
  auto handler() {
    return [this](error_code result, std::size_t count = 0) {
      error = result;
      size = count;
      fibers::context::active()->schedule(waiter);
    };
  }

  void wait() { waiter->suspend(); }
};

void echo(Socket socket) {
  std::array<char, 16 * 1024> buffer;
  for (;;) {
    Completion read;
    socket.async_read_some(asio::buffer(buffer), read.handler());
    read.wait();
    if (read.error) return;
    Completion write;
    asio::async_write(socket, asio::buffer(buffer.data(), read.size), write.handler());
    write.wait();
    if (write.error) return;
  }
}

// Runs in the main fiber. Launched by dispatch, a connection runs at once until it parks.
void accept(Acceptor& acceptor, fibers::pooled_fixedsize_stack& stacks) {
  acceptor.async_accept([&](error_code error, Socket socket) {
    if (!error) {
      socket.set_option(tcp::no_delay(true), error);
      fibers::fiber(fibers::launch::dispatch, std::allocator_arg, stacks, echo, std::move(socket))
          .detach();
    }
    accept(acceptor, stacks);
  });
}

}  // namespace

int main(int argc, char** argv) {
  asio::io_context io(1);
  const auto port = static_cast<unsigned short>(argc > 1 ? std::atoi(argv[1]) : 0);
  Acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), port));
  std::printf("listening on 127.0.0.1:%d\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  // Pooled and 64 KiB: the default mallocs 128 KiB for each connection.
  fibers::pooled_fixedsize_stack stacks(64 * 1024);
  accept(acceptor, stacks);
  for (;;) {
    io.run_one();
    io.poll();
    boost::this_fiber::yield();
  }
}
