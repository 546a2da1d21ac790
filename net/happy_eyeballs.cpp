#include "happy_eyeballs.h"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <string>
#include <utility>

#include "plait/cancel_shield.h"
#include "plait/cancellation.h"
#include "plait/detail/assert.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/group.h"
#include "plait/report.h"

namespace plait::net::detail {
namespace {

// The attempts tell it how they ended; it must outlive them.
struct Outcome {
  explicit Outcome(std::size_t count) : errors(count) {}

  void fail(std::size_t index, std::exception_ptr error) noexcept {
    errors[index] = std::move(error);
    ++failures;
    changed.set();
  }
  bool isFailed() const noexcept { return failures == errors.size(); }

  std::vector<std::exception_ptr> errors;  // by address
  std::size_t failures = 0;
  bool succeeded = false;
  Event changed;
};

std::string reasonOf(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& known) {
    return known.code().message();
  } catch (...) {
    return describe(std::current_exception());
  }
}

[[noreturn]] void fail(std::span<const Address> addresses, const Outcome& outcome) {
  try {
    std::rethrow_exception(outcome.errors.back());
  } catch (Error& last) {
    for (std::size_t i = 0; i < addresses.size() && addresses.size() > 1; ++i) {
      last.addNote(addresses[i].toString() + ": " + reasonOf(outcome.errors[i]));
    }
    throw;
  }
}

}  // namespace

std::vector<Address> interleaveFamilies(std::span<const Address> addresses) {
  std::vector<Address> mine, others;
  for (const Address& each : addresses) {
    (each.family() == addresses.front().family() ? mine : others).push_back(each);
  }
  std::vector<Address> result;
  result.reserve(addresses.size());
  for (std::size_t i = 0; i < std::max(mine.size(), others.size()); ++i) {
    if (i < mine.size()) result.push_back(mine[i]);
    if (i < others.size()) result.push_back(others[i]);
  }
  return result;
}

void attemptInTurn(std::span<const Address> addresses, Duration delay,
                   const std::function<void(const Address&)>& attempt) {
  PLAIT_ASSERT(!addresses.empty());
  Outcome outcome(addresses.size());
  TaskGroup attempts;  // left by a kill, it ends them first
  std::size_t started = 0;
  while (!outcome.succeeded && !outcome.isFailed()) {
    if (started < addresses.size()) {
      attempts.spawn([&outcome, &attempt, &addresses, index = started] {
        try {
          attempt(addresses[index]);
          outcome.succeeded = true;
          outcome.changed.set();
        } catch (const Cancellation&) {
          outcome.fail(index, std::make_exception_ptr(CancelledError("the attempt was cancelled")));
          throw;
        } catch (...) {
          outcome.fail(index, std::current_exception());
        }
      });
      ++started;
    }
    outcome.changed.wait(started < addresses.size() ? delay : kForever);
    outcome.changed.clear();
  }
  if (!outcome.succeeded) fail(addresses, outcome);
  // The result is there: a kill of the caller must not lose it any more.
  const CancelShield shield;
  attempts.requestKill();
  attempts.join();
}

}  // namespace plait::net::detail
