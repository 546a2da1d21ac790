// What the AMP tests share.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "amp_commands.h"
#include "protocol_support.h"

namespace plait::test {

class AmpPeer final : public amp::AMP {
 public:
  std::optional<Failure> reason;
  Event over;

  void connectionLost(const Failure& why) override {
    AMP::connectionLost(why);
    reason = why;
    over.set();
  }
};

inline double divide(int numerator, int denominator) {
  if (denominator == 0) throw DivisionByZero("by zero");
  return static_cast<double>(numerator) / denominator;
}

}  // namespace plait::test
