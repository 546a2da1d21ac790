// Several connects at once, gathered: which of these endpoints answer?
//
//   gather_connects ENDPOINT...
#include <iostream>

#include <plait/interop.h>

using namespace plait;

// A greenlet that connects in blocking style, seen as a Deferred.
Deferred<std::string> greet(const std::string& endpoint) {
  return deferToGreenlet([endpoint] { return net::connect(endpoint).describe(); })
      .addTimeout(2s)
      .addErrback(
          [endpoint](const Failure& failure) { return endpoint + ": " + failure.message(); });
}

int main(int argc, char** argv) {
  return react([&] {
    std::vector<Deferred<std::string>> attempts;
    for (int i = 1; i < argc; ++i) attempts.push_back(greet(argv[i]));
    for (const std::string& line : waitForDeferred(gatherResults(attempts))) {
      std::cout << line << std::endl;
    }
  });
}
