// Names to addresses, by the system's resolver (/etc/hosts and the name servers) on a few threads
// of its own: when the name servers are dead, numeric addresses and the default pool do not suffer.
// What was found is kept for a moment, for all loops of the process.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "plait/address.h"
#include "plait/time.h"

namespace plait::net {

inline constexpr std::size_t kLookupThreadsMax = 4;      // lookups that run at once
inline constexpr std::size_t kLookupsWaitingMax = 1024;  // different names that wait for a thread
inline constexpr std::size_t kLookupsKeptMax = 1024;     // answers kept
inline constexpr Duration kLookupKeptFor = std::chrono::seconds(10);
inline constexpr Duration kLookupFailureKeptFor = std::chrono::seconds(1);

struct ResolveOptions {
  Family family = Family::none;  // ipv4 or ipv6: only such addresses
};

// The addresses of `host`, at least one, in the order in which the system prefers them. Numeric
// addresses and "localhost" ask nobody. Equal lookups at the same time are made once. A kill or
// timeout leaves at once, and the lookup goes on for the others. It takes real time, also on the
// sim kernel, whose clock does not wait for it. May switch. Throws: ResolveError saying why and
// what to do; LimitError if kLookupsWaitingMax wait.
std::vector<Address> resolve(std::string_view host, std::uint16_t port,
                             const ResolveOptions& options = ResolveOptions());

}  // namespace plait::net
