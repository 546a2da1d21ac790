// Who waits for which name, and what is known already: one for all loops of the process.
#pragma once

#include <memory>
#include <string>

#include "plait/address.h"
#include "plait/detail/lookup.h"

namespace plait::net::detail {

// Shared by the table and by all who waited for it; never changed.
using Answer = std::shared_ptr<const LookupResult>;

// The answer for a name, a failure too; one without a code has an address. Parks until it is there,
// if it is not known; a kill leaves at once.
// May switch. Throws: LimitError; Error if the system refuses even one thread.
Answer findAnswer(const std::string& host, Family family);

}  // namespace plait::net::detail
