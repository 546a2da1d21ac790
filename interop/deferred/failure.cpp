#include "plait/failure.h"

#include <stdexcept>
#include <typeinfo>

#include "plait/cancellation.h"
#include "plait/detail/throw_record.h"
#include "plait/error.h"
#include "plait/report.h"

namespace plait {

namespace {

std::exception_ptr withoutCancellation(std::exception_ptr error) {
  if (detail::caughtBy(typeid(Cancellation), error) == nullptr) return error;
  try {
    std::rethrow_exception(error);
  } catch (const Cancellation& cancellation) {
    if (std::exception_ptr meaning = cancellation.asError()) return meaning;
    return std::make_exception_ptr(CancelledError(cancellation.reason()));
  }
}

}  // namespace

Failure::Failure() : error_(withoutCancellation(std::current_exception())) {
  if (!error_) throw std::logic_error("Failure() outside of a catch block has no exception");
}

Failure::Failure(std::exception_ptr error) : error_(withoutCancellation(std::move(error))) {
  if (!error_) throw std::invalid_argument("Failure(nullptr)");
}

std::string Failure::message() const { return describe(error_); }
std::string Failure::stack() const { return detail::throwStackOf(error_); }

// libstdc++'s exception_ptr is a pointer to the exception object, and its type_info knows what a
// handler would take: a question costs no throw. tests/kernel/abi_test.cpp pins both.
const void* detail::caughtBy(const std::type_info& type, const std::exception_ptr& error) noexcept {
  if (!error) return nullptr;
  const std::type_info* const thrown = error.__cxa_exception_type();
  static_assert(sizeof(void*) == sizeof error);
  void* object = *reinterpret_cast<void* const*>(&error);
  if (thrown->__is_pointer_p()) return type == *thrown ? object : nullptr;
  return type.__do_catch(thrown, &object, 1) ? object : nullptr;
}

}  // namespace plait
