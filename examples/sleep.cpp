// A fiber waits for a Deferred: the smallest program with both.
#include <iostream>

#include <plait/interop.h>

using namespace plait;

int main() {
  return react([] {
    std::cout << "and now" << std::endl;
    std::cout << waitForDeferred(deferLater(100ms, [] { return "a moment later"; })) << std::endl;
  });
}
