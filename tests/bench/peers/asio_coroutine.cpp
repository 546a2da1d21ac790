// TCP echo, Boost.Asio with C++20 coroutines. The concrete executor type instead of any_io_executor
// spares Asio a type erasure per operation; the concurrency hint 1 spares it most locking.
#include <array>
#include <cstdio>
#include <cstdlib>

#include <boost/asio.hpp>

namespace asio = boost::asio;
using asio::ip::tcp;
using Executor = asio::io_context::executor_type;
using Token = asio::as_tuple_t<asio::use_awaitable_t<Executor>>;
using Socket = Token::as_default_on_t<asio::basic_stream_socket<tcp, Executor>>;
using Acceptor = Token::as_default_on_t<asio::basic_socket_acceptor<tcp, Executor>>;
using Task = asio::awaitable<void, Executor>;

namespace {

Task echo(Socket socket) {
  std::array<char, 16 * 1024> buffer;
  for (;;) {
    auto [readError, size] = co_await socket.async_read_some(asio::buffer(buffer));
    if (readError) co_return;
    auto [writeError, written] =
        co_await asio::async_write(socket, asio::buffer(buffer.data(), size), Token());
    if (writeError) co_return;
  }
}

Task serve(Acceptor& acceptor) {
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept();
    if (error) continue;
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    asio::co_spawn(acceptor.get_executor(), echo(std::move(socket)), asio::detached);
  }
}

}  // namespace

int main(int argc, char** argv) {
  asio::io_context io(1);
  const auto port = static_cast<unsigned short>(argc > 1 ? std::atoi(argv[1]) : 0);
  Acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), port));
  std::printf("listening on 127.0.0.1:%d\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  asio::co_spawn(io.get_executor(), serve(acceptor), asio::detached);
  io.run();
}
