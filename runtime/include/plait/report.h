// Where errors go that nobody waits for: an unhandled exception of a fiber or a callback.
#pragma once

#include <exception>
#include <functional>
#include <string>

namespace plait {

struct ErrorReport {
  std::string context;  // "greenlet 'worker' (spawned at server.cpp:12)"
  std::exception_ptr error;
};

using ErrorSink = std::function<void(const ErrorReport&)>;

// Replaces the current loop's sink and returns the one before; off a loop, the one that every loop
// made later starts with. The default writes a line to standard error. A sink that throws is
// ignored. Never switches.
ErrorSink setErrorSink(ErrorSink sink);

// Reports through the current loop's sink. Never switches. Any thread.
void reportError(std::string context, std::exception_ptr error) noexcept;

// "std::runtime_error: no such user"; also for exceptions that are not std::exceptions.
std::string describe(const std::exception_ptr& error);

}  // namespace plait
