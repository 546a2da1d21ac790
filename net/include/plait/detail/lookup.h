// The question that the resolver asks the system, as a replaceable function.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "plait/address.h"
#include "plait/time.h"

namespace plait::net::detail {

struct LookupResult {
  int code = 0;         // EAI_*, 0 for success
  int systemError = 0;  // errno, if the code is EAI_SYSTEM
  std::vector<Address> addresses;
};

// Runs on a thread of the resolver's pool and may block it. `family` none: IPv4 and IPv6.
using Lookup = std::function<LookupResult(const std::string& host, Family family)>;

// For tests: from now on `lookup` is asked, and `clock` says how old an answer is; empty ones are
// the system's. Forgets what is known; lookups under way tell those who wait for them, nobody else.
// Never switches. Any thread.
void setLookup(Lookup lookup, std::function<TimePoint()> clock = {});

}  // namespace plait::net::detail
