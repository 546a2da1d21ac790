#include "plait/report.h"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <utility>

#include "plait/cancellation.h"
#include "plait/detail/loop.h"
#include "plait/detail/process.h"
#include "plait/detail/raw.h"
#include "plait/detail/type_name.h"

namespace plait {
namespace {

constexpr int kStandardError = 2;

detail::raw::Lock defaultSinkLock;
[[maybe_unused]] const bool kHeld = detail::process::holdAcrossFork(defaultSinkLock);
ErrorSink& defaultSink() {
  // Never destroyed: a thread of a pool may still report while the process exits.
  static ErrorSink& sink = *new ErrorSink([](const ErrorReport& report) {
    const std::string line =
        "plait: " + report.context + " failed: " + describe(report.error) + "\n";
    detail::raw::write(kStandardError, line.data(), line.size());
  });
  return sink;
}

std::string thrownType() {
  const std::type_info* const type = abi::__cxa_current_exception_type();
  return type == nullptr ? "unknown type" : detail::typeName(*type);
}

}  // namespace

std::string detail::typeName(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? name.get() : type.name();
}

ErrorSink setErrorSink(ErrorSink sink) {
  if (detail::Loop* loop = detail::Loop::current()) {
    return std::exchange(loop->errorSink(), std::move(sink));
  }
  const detail::raw::Locked locked(defaultSinkLock);
  return std::exchange(defaultSink(), std::move(sink));
}

void reportError(std::string context, std::exception_ptr error) noexcept {
  try {
    const ErrorReport report{std::move(context), std::move(error)};
    if (detail::Loop* loop = detail::Loop::current()) {
      if (const ErrorSink& sink = loop->errorSink()) sink(report);
      return;
    }
    detail::defaultErrorSink()(report);
  } catch (...) {
    // A sink that fails must not take the reporting fiber with it, and there is no one left to
    // tell.
  }
}

std::string describe(const std::exception_ptr& error) {
  if (!error) return "no error";
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return thrownType() + ": " + e.what();
  } catch (const Cancellation& e) {
    return thrownType() + ": " + e.reason();
  } catch (...) {
    return thrownType();
  }
}

ErrorSink detail::defaultErrorSink() {
  const detail::raw::Locked locked(defaultSinkLock);
  return defaultSink();
}

}  // namespace plait
