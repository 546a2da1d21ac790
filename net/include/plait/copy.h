// Pipes of streams.
#pragma once

#include <cstddef>
#include <cstdint>

#include "plait/stream.h"

namespace plait::net {

inline constexpr std::size_t kCopyBytes = 65'536;  // on their way in one copy

// Writes to `to` what it reads from `from`, until `from` ends, and passes the end on by
// shutdownWrite; returns the bytes. The other direction of both stays open. An exception loses what
// was read and not yet written, at most kCopyBytes. May switch. Throws: what reading and writing
// throw.
std::uint64_t copy(Stream& from, Stream& to);

// Both directions at once, until both have ended: a proxy. What ends one direction otherwise, an
// error or a kill, ends the other too and is thrown; the streams are left open, and broken. May
// switch. Throws: what reading and writing throw.
void copyBoth(Stream& a, Stream& b);

}  // namespace plait::net
