// An open descriptor with operations in flight. Closing it is a protocol: the operations are
// cancelled, their fibers leave, and only then is the number given back, so no completion of the
// old descriptor can meet a new one of the same number.
#pragma once

#include <cstdint>

#include "plait/detail/op.h"
#include "plait/detail/signal_node.h"

namespace plait::detail {

class Descriptor final {
 public:
  Descriptor() noexcept = default;
  // One that is not `owned` stays open for others when this one is closed.
  explicit Descriptor(int number, bool owned = true) noexcept : number_(number), owned_(owned) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();  // nothing is in flight; never parks

  int number() const noexcept { return number_; }
  bool isOpen() const noexcept { return number_ >= 0 && !closing_; }

  // Runs the op on this descriptor and parks for it, as detail::await(). -EBADF once it is closed
  // or when close() ends it. May switch.
  std::int32_t await(Op& op, const char* what);
  // Runs an op that never waits; -EBADF once it is closed. Never switches.
  std::int32_t call(Op& op) const;

  // May switch; completes also if the caller is killed meanwhile.
  void close();
  // The first half of it: ends what is in flight, waits until all have left, and gives the number
  // to the caller to close. -1 if somebody else has closed it, or it is not owned. May switch, as
  // close().
  int retire();

  // Gives the descriptor away; nothing is in flight. Never switches.
  int release() noexcept;

  // What waits in the kernel without a fiber, as a multishot accept, is counted in and out by its
  // owner.
  void enter() noexcept { ++users_; }
  void leave() noexcept;

  // A call, from before its first checkpoint to its end: close() returns when all have left, and
  // the object may be gone then.
  class Use final {
   public:
    explicit Use(Descriptor& descriptor) noexcept : descriptor_(descriptor) { descriptor.enter(); }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use() { descriptor_.leave(); }

   private:
    Descriptor& descriptor_;
  };

 private:
  int number_ = -1;
  bool owned_ = true;
  bool closing_ = false;
  std::uint32_t users_ = 0;  // operations in flight
  SignalQueue closers_;
};

}  // namespace plait::detail
