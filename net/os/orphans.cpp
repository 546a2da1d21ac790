// Children that nobody holds any more: a fiber of its own waits for each while the run goes on.
// What is left at the end of the run, when there are no fibers any more, is reaped by the loop's
// attachment: the killed ones in any case, the others if they have ended.

#include <exception>
#include <utility>
#include <vector>

#include "child.h"
#include "plait/detail/loop.h"
#include "plait/greenlet.h"
#include "plait/report.h"

namespace plait::os::detail {
namespace {

const char kKey = 0;

class Orphans final {
 public:
  Orphans() = default;
  Orphans(const Orphans&) = delete;
  Orphans& operator=(const Orphans&) = delete;
  ~Orphans() {
    for (const Orphan& each : all_) {
      if (!each.child->isMine()) continue;
      if (each.killed) each.child->killAndReap();
      each.child->tryReap();
    }
  }

  static Orphans& of(plait::detail::Loop& loop) {
    std::shared_ptr<void>& place = loop.attachment(&kKey);
    if (!place) place = std::make_shared<Orphans>();
    return *static_cast<Orphans*>(place.get());
  }

  void add(std::shared_ptr<Child> child, bool killed) {
    all_.push_back({child, killed});
    // Born in a run that is closing it never begins; then the child waits for the run's end.
    spawn({.name = "plait-reaper"}, [this, child = std::move(child)] {
      child->waitUntilOver();
      std::erase_if(all_, [&child](const Orphan& each) { return each.child == child; });
    });
  }

 private:
  struct Orphan {
    std::shared_ptr<Child> child;  // shared with its fiber
    bool killed;
  };
  std::vector<Orphan> all_;
};

}  // namespace

void leaveToBackground(std::shared_ptr<Child> child, bool killed) noexcept {
  plait::detail::Loop* const loop = plait::detail::Loop::current();
  if (loop == nullptr) {
    // There is nobody whom this could keep waiting.
    if (killed) child->killAndReap();
    return;
  }
  const std::string what = "reaping " + child->describe();
  try {
    Orphans::of(*loop).add(std::move(child), killed);
  } catch (const std::exception&) {
    reportError(what, std::current_exception());
  }
}

}  // namespace plait::os::detail
