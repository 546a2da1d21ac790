// What a bare switch of stacks costs: jump_fcontext there and back. The figure is one jump, half a
// ping-pong pair, the unit in which a scheduled yield is judged.
#include <boost/context/detail/fcontext.hpp>
#include <boost/context/fixedsize_stack.hpp>

#include "report.h"

namespace context = boost::context::detail;

int main() {
  boost::context::fixedsize_stack allocator(64 * 1024);
  const auto stack = allocator.allocate();
  const auto jumpBackForEver = [](context::transfer_t t) {
    for (;;) t = context::jump_fcontext(t.fctx, nullptr);
  };
  context::fcontext_t other = context::make_fcontext(stack.sp, stack.size, jumpBackForEver);
  report("fcontext_jump", nanosecondsEach(20'000'000, [&](long jumps) {
           for (long i = 0; i < jumps; i += 2) {
             other = context::jump_fcontext(other, nullptr).fctx;
           }
         }));
  // `other` is never finished: the process ends, and its stack with it.
}
