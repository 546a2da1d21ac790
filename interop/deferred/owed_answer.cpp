#include "plait/detail/owed_answer.h"

#include <utility>
#include <vector>

#include "plait/detail/loop.h"

namespace plait::detail {
namespace {

// Of one loop; its thread only.
class Owed final {
 public:
  static Owed& of(Loop& loop) {
    static const char key = 0;
    std::shared_ptr<void>& place = loop.attachment(&key);
    if (!place) {
      auto made = std::make_shared<Owed>();
      loop.onEnd([made] { made->refuseAll(); });
      place = std::move(made);
    }
    return *static_cast<Owed*>(place.get());
  }

  void add(std::shared_ptr<OwedAnswer> answer) {
    if (closed_) return answer->refuse();
    // Those that were given go when the list has doubled, so each costs little.
    if (owed_.size() >= max_) {
      std::erase_if(owed_, [](const auto& each) { return each->isGiven(); });
      max_ = 2 * owed_.size() + 64;
    }
    owed_.push_back(std::move(answer));
  }

 private:
  void refuseAll() {
    closed_ = true;
    for (const auto& each : std::exchange(owed_, {})) each->refuse();
  }

  std::vector<std::shared_ptr<OwedAnswer>> owed_;
  std::size_t max_ = 64;
  bool closed_ = false;
};

}  // namespace

void OwedAnswer::oweHere() { Owed::of(*Loop::current()).add(shared_from_this()); }

}  // namespace plait::detail
