// Connecting to the first of several addresses that answers, as RFC 8305 says.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/address.h"
#include "plait/time.h"

namespace plait::net::detail {

// The families take turns, beginning with that of the first; within a family the order stays.
std::vector<Address> interleaveFamilies(std::span<const Address> addresses);

// Calls `attempt` for one address after the other, each on a greenlet of its own: the next when
// `delay` has passed since the last start, or at once when one has failed. Returns when one has
// succeeded; the others are then killed, and have ended. At least one address.
// May switch. Throws: the error of the last address, if all fail, with a note for each.
void attemptInTurn(std::span<const Address> addresses, Duration delay,
                   const std::function<void(const Address&)>& attempt);

// Attempts `connect(address)` in turn, the families interleaved, and returns what it returned where
// it first succeeded; a success that comes too late is destroyed. A kill ends all attempts, then is
// passed on. Switches and throws as attemptInTurn.
template <class Connect>
auto connectFirst(std::span<const Address> addresses, Duration delay, Connect connect) {
  if (addresses.size() == 1) return connect(addresses.front());
  std::optional<std::invoke_result_t<Connect&, const Address&>> first;
  attemptInTurn(interleaveFamilies(addresses), delay, [&first, &connect](const Address& address) {
    auto connected = connect(address);
    if (!first) first.emplace(std::move(connected));
  });
  return std::move(*first);
}

}  // namespace plait::net::detail
