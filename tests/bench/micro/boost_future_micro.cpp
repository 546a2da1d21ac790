// boost::future with continuations that run where the value is set.
#define BOOST_THREAD_VERSION 5
#include <boost/thread/future.hpp>

#include "report.h"

namespace {

int chain(int links) {
  int seen = 0;
  boost::promise<int> promise;
  boost::future<int> future = promise.get_future();
  for (int i = 1; i < links; ++i) {
    future =
        future.then(boost::launch::sync, [](boost::future<int> value) { return value.get() + 1; });
  }
  future = future.then(boost::launch::sync,
                       [&seen](boost::future<int> value) { return seen = value.get(); });
  promise.set_value(1);
  future.get();
  return seen;
}

}  // namespace

int main() {
  report("chain_1", nanosecondsEach(300'000, [](long count) {
           for (long i = 0; i < count; ++i) chain(1);
         }));
  report("hop_of_10", nanosecondsEach(500'000, [](long count) {
           for (long i = 0; i < count; i += 10) chain(10);
         }));
}
