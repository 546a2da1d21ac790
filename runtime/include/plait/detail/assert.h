// Asserts catch plait's own bugs only. They stay on in release builds.
#pragma once

namespace plait::detail {
[[noreturn, gnu::cold]] void assertionFailed(const char* fact, const char* file, int line) noexcept;
}

#define PLAIT_ASSERT(fact)                                                                    \
  (__builtin_expect(!(fact), 0) ? ::plait::detail::assertionFailed(#fact, __FILE__, __LINE__) \
                                : void())
