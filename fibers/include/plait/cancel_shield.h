// While a CancelShield lives, kills and Timeouts opened before it wait; they strike at the first
// blocking call after it. Shields nest. A destructor that blocks outside of unwinding should open
// one.
#pragma once

namespace plait {

class CancelShield final {
 public:
  CancelShield();  // Throws: std::logic_error off a fiber.
  CancelShield(const CancelShield&) = delete;
  CancelShield& operator=(const CancelShield&) = delete;
  ~CancelShield();
};

}  // namespace plait
