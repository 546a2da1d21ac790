// The question as libc answers it: /etc/hosts, then the name servers.
#pragma once

#include <string>

#include "plait/detail/lookup.h"

namespace plait::net::detail {

// Blocks the thread, with dead name servers for half a minute.
LookupResult askSystem(const std::string& host, Family family);

}  // namespace plait::net::detail
