// What debugging knows of a chain: the stacks of its creation and of its first fire.
#pragma once

#include <string>
#include <vector>

namespace plait::detail {

// Return addresses; turned into words only when somebody asks.
class Backtrace final {
 public:
  static Backtrace here();
  // One frame a line, indented.
  std::string describe() const;

 private:
  std::vector<void*> frames_;
};

struct ChainRecord {
  // Null if there is no memory.
  static ChainRecord* make() noexcept;
  std::string describe() const;

  Backtrace created;
  Backtrace fired;
};

}  // namespace plait::detail
