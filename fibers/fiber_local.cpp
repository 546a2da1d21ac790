#include "plait/fiber_local.h"

#include "fiber_extras.h"

namespace plait::detail {

void* findLocal(const void* key) {
  const FiberExtras* const extras = Fiber::current("FiberLocal").extrasOrNull();
  if (extras == nullptr) return nullptr;
  for (const LocalSlot& slot : extras->locals) {
    if (slot.key == key) return slot.value;
  }
  return nullptr;
}

void addLocal(const void* key, void* value, void (*destroy)(void*) noexcept) {
  Fiber::current("FiberLocal").extras().locals.push_back({key, value, destroy});
}

}  // namespace plait::detail
