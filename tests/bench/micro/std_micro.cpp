// The floor: a call through std::function, and std::promise with its future.
#include <functional>
#include <future>

#include "report.h"

int main() {
  std::function<int(int)> function = [](int value) { return value + 1; };
  report("function_call", nanosecondsEach(20'000'000, [&function](long count) {
           int value = 0;
           for (long i = 0; i < count; ++i) {
             value = function(value);
             asm volatile("" : "+r"(value));
           }
         }));
  report("promise_future", nanosecondsEach(1'000'000, [](long count) {
           for (long i = 0; i < count; ++i) {
             std::promise<int> promise;
             std::future<int> future = promise.get_future();
             promise.set_value(1);
             future.get();
           }
         }));
}
