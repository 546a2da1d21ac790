#include "plait/defer_to_thread.h"

#include <stdexcept>
#include <string>

#include "plait/detail/loop.h"

namespace plait {

void detail::requireNoLoop(const char* what) {
  if (Loop::current() == nullptr) return;
  throw std::logic_error(std::string(what) +
                         " on a loop's thread would wait for itself: call the function, or wait in "
                         "a fiber");
}

void callMultipleInThread(std::vector<detail::UniqueFunction<void()>> functions,
                          std::source_location at) {
  callInThread(
      [functions = std::move(functions)]() mutable {
        for (detail::UniqueFunction<void()>& each : functions) each();
      },
      at);
}

}  // namespace plait
