#include "plait/copy.h"

#include <vector>

#include "plait/error.h"
#include "plait/group.h"

namespace plait::net {
namespace {

void passEndOn(Stream& to) {
  try {
    to.shutdownWrite();
  } catch (const ConnectionClosed&) {
    // It took all the bytes and has gone by itself; if it is closed here, its next call says so.
  }
}

}  // namespace

std::uint64_t copy(Stream& from, Stream& to) {
  try {
    std::vector<std::byte> buffer(kCopyBytes);
    std::uint64_t copied = 0;
    while (const std::size_t count = from.readSome(buffer)) {
      to.writeAll(Bytes(buffer).first(count));
      copied += count;
    }
    passEndOn(to);
    return copied;
  } catch (Error& error) {
    error.addNote("copying from " + from.describe() + " to " + to.describe());
    throw;
  }
}

void copyBoth(Stream& a, Stream& b) {
  // If both directions fail in one turn, the second error says nothing new: it counts as taken.
  struct Directions {
    Greenlet<std::uint64_t> forth;
    Greenlet<std::uint64_t> back;
    ~Directions() {
      if (forth) static_cast<void>(forth.exception());
      if (back) static_cast<void>(back.exception());
    }
  } directions;
  withTaskGroup([&a, &b, &directions](TaskGroup& group) {
    directions.forth = group.spawn([&a, &b] { return copy(a, b); });
    directions.back = group.spawn([&a, &b] { return copy(b, a); });
  });
}

}  // namespace plait::net
