#include "plait/deferred_list.h"

namespace plait {
namespace {

std::string listOf(const std::vector<Failure>& failures) {
  std::string text = "all " + std::to_string(failures.size()) + " have failed";
  for (const Failure& each : failures) text += "\n  " + each.message();
  return text;
}

}  // namespace

FirstError::FirstError(Failure failure, std::size_t index)
    : Error(std::errc::operation_canceled, "the first of several to fail, number " +
                                               std::to_string(index) + ": " + failure.message()),
      failure_(std::move(failure)),
      index_(index) {}

FailureGroup::FailureGroup(std::vector<Failure> failures)
    : Error(std::errc::operation_canceled, listOf(failures)), failures_(std::move(failures)) {}

}  // namespace plait
