#include "plait/detail/assert.h"

#include <cstdlib>
#include <cstring>

#include "plait/detail/raw.h"

namespace plait::detail {

void assertionFailed(const char* fact, const char* file, int line) noexcept {
  char number[16];
  char* digit = number + sizeof number;
  *--digit = '\n';
  for (int rest = line; rest > 0; rest /= 10) *--digit = static_cast<char>('0' + rest % 10);
  const auto say = [](const char* text, std::size_t bytes) { raw::write(2, text, bytes); };
  say("plait: assertion failed: ", 25);
  say(fact, std::strlen(fact));
  say(" at ", 4);
  say(file, std::strlen(file));
  say(":", 1);
  say(digit, static_cast<std::size_t>(number + sizeof number - digit));
  std::abort();
}

}  // namespace plait::detail
