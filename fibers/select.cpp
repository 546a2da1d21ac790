#include "plait/select.h"

#include "scheduler.h"

namespace plait::detail {

std::size_t Selection::wait() {
  for (SelectCase* each : cases_) each->enlist(*this);
  return waiter_.park([this] {
    withdrawAll();
    return OnCancel::leave;
  });
}

void Selection::commit(const SelectCase& winner) noexcept {
  std::size_t number = 0;
  while (cases_[number] != &winner) ++number;
  withdrawAll();
  waiter_.wake(std::move(number));
}

void Selection::withdrawAll() noexcept {
  for (SelectCase* each : cases_) each->withdraw();
}

std::size_t nextSelectStart() noexcept { return Scheduler::current()->nextSelectStart(); }

}  // namespace plait::detail
