#include "plait/error.h"

#include <netdb.h>

#include <utility>

namespace plait {

Error::Error(std::error_code code, std::string message)
    : std::system_error(code), message_(std::move(message)) {}

Error::Error(std::errc code, std::string message)
    : Error(std::make_error_code(code), std::move(message)) {}

void Error::addNote(std::string note) {
  message_ += "\n  " + note;
  notes_.push_back(std::move(note));
}

IoError::IoError(int errnoValue, std::string_view tried)
    : Error(std::error_code(errnoValue, std::system_category()),
            std::string(tried) + ": " + std::system_category().message(errnoValue)) {}

LimitError::LimitError(std::string message)
    : Error(std::errc::value_too_large, std::move(message)) {}

TimeoutError::TimeoutError(std::string message) : Error(std::errc::timed_out, std::move(message)) {}

CancelledError::CancelledError(std::string message)
    : Error(std::errc::operation_canceled, std::move(message)) {}

ReactorStopped::ReactorStopped(std::string message)
    : Error(std::errc::owner_dead, std::move(message)) {}

DeadlockError::DeadlockError(std::string message)
    : Error(std::errc::resource_deadlock_would_occur, std::move(message)) {}

ConcurrentUseError::ConcurrentUseError(std::string message)
    : Error(std::errc::device_or_resource_busy, std::move(message)) {}

AlreadyCalledError::AlreadyCalledError(std::string message)
    : Error(std::errc::operation_not_permitted, std::move(message)) {}

AlreadyChainedError::AlreadyChainedError(std::string message)
    : Error(std::errc::operation_not_permitted, std::move(message)) {}

BrokenDeferredError::BrokenDeferredError(std::string message)
    : Error(std::errc::owner_dead, std::move(message)) {}

QueueClosed::QueueClosed(std::string message) : Error(std::errc::broken_pipe, std::move(message)) {}

const std::error_category& resolveCategory() noexcept {
  class Category final : public std::error_category {
    const char* name() const noexcept override { return "getaddrinfo"; }
    std::string message(int code) const override { return ::gai_strerror(code); }
  };
  static const Category category;
  return category;
}

}  // namespace plait
