#include "plait/detail/mask.h"

#include <cstdlib>

namespace plait::detail {

bool isMasked(std::string_view feature) noexcept {
  const char* const list = std::getenv("PLAIT_MASK");
  if (list == nullptr) return false;
  std::string_view rest(list);
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    if (rest.substr(0, comma) == feature) return true;
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
  return false;
}

}  // namespace plait::detail
