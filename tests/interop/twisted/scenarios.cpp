#include "scenarios.h"

#include "plait/report.h"

int main() {
  using namespace plait;
  using namespace plait::stories;
  setErrorSink([](const ErrorReport&) {});  // Twisted's log is silent, too
  for (const auto* stories : {&kChainStories, &kWorkStories}) {
    for (const Story& each : *stories) each.tell(Teller(each.name));
  }
}
