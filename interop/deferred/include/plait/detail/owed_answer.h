// Somebody outside who waits for what a loop owes: told when the loop begins to close, before
// anything of it is taken apart, if the answer has not come by then.
#pragma once

#include <memory>

namespace plait::detail {

class OwedAnswer : public std::enable_shared_from_this<OwedAnswer> {
 public:
  OwedAnswer() = default;
  OwedAnswer(const OwedAnswer&) = delete;
  OwedAnswer& operator=(const OwedAnswer&) = delete;

  // On the current loop; refuse() is called at once if it closes already.
  void oweHere();

  // The loop's thread. No answer will come; without effect if it has.
  virtual void refuse() noexcept = 0;
  virtual bool isGiven() const noexcept = 0;

 protected:
  virtual ~OwedAnswer() = default;
};

}  // namespace plait::detail
