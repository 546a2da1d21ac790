// While a NoSwitchScope lives, a call that would park throws std::logic_error naming both places:
// for code that holds what no other fiber may see half-done, such as a std::mutex.
#pragma once

#include <source_location>

namespace plait {

class NoSwitchScope final {
 public:
  explicit NoSwitchScope(std::source_location at = std::source_location::current());
  NoSwitchScope(const NoSwitchScope&) = delete;
  NoSwitchScope& operator=(const NoSwitchScope&) = delete;
  ~NoSwitchScope();

 private:
  std::source_location at_;
  const std::source_location* outer_;
};

}  // namespace plait
