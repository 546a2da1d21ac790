// The one bridge from an operation to a fiber.
#pragma once

#include <cstdint>

#include "plait/detail/op.h"

namespace plait::detail {

// Submits `op` and parks until its completion; returns its result, negative errno on failure. On a
// kill or timeout it asks the kernel to cancel and stays parked all the same: the kernel owns the
// buffer until the op's own completion. If the op succeeded after all its result is returned, and
// the cancellation strikes at the next blocking call: nothing received or accepted is lost. `what`
// names the wait in reports; static. May switch. Throws: what strikes the fiber, before the op is
// submitted or after it was cancelled.
std::int32_t await(Op& op, const char* what);
// The same without the checkpoint before it: nobody else runs between the call and the submission.
std::int32_t awaitNow(Op& op, const char* what);

// The current loop's answer to an op that never waits. Throws: std::logic_error off a loop.
std::int32_t callKernel(Op& op);

// Asks for the end of all operations on the descriptor; those that wait for them get -ECANCELED.
void cancelDescriptor(int descriptor);

// Gives the kernel an op to complete by itself, `op.complete` set by the caller.
void submitToKernel(Op& op);
void cancelInKernel(Op& op);

}  // namespace plait::detail
