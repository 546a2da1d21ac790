// Asio's awaitables: a coroutine that awaits another one, and what it costs to begin one.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "report.h"

namespace asio = boost::asio;

namespace {

asio::awaitable<int> one() { co_return 1; }

asio::awaitable<void> awaits(long count) {
  long sum = 0;
  for (long i = 0; i < count; ++i) sum += co_await one();
  if (sum != count) std::abort();
}

}  // namespace

int main() {
  report("coroutine_call_and_await", nanosecondsEach(1'000'000, [](long count) {
           asio::io_context context(1);
           asio::co_spawn(context, awaits(count), asio::detached);
           context.run();
         }));
}
