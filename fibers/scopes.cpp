#include "plait/cancel_shield.h"
#include "plait/detail/fiber.h"
#include "plait/no_switch_scope.h"

namespace plait {

CancelShield::CancelShield() { ++detail::Fiber::current("CancelShield").shieldDepth; }
CancelShield::~CancelShield() { --detail::Fiber::currentOrNull()->shieldDepth; }

NoSwitchScope::NoSwitchScope(std::source_location at) : at_(at) {
  detail::Fiber& fiber = detail::Fiber::current("NoSwitchScope");
  outer_ = fiber.noSwitchPlace;
  fiber.noSwitchPlace = &at_;
  ++fiber.noSwitchDepth;
  fiber.markPending();
}

NoSwitchScope::~NoSwitchScope() {
  detail::Fiber& fiber = *detail::Fiber::currentOrNull();
  fiber.noSwitchPlace = outer_;
  --fiber.noSwitchDepth;
}

}  // namespace plait
