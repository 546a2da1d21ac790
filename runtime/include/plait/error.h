// Every error that plait throws. One base with notes; a subclass only where someone would catch it
// apart. The message says what was tried, on what, why it failed, and the way out if there is one.
#pragma once

#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace plait {

class Error : public std::system_error {
 public:
  Error(std::error_code code, std::string message);
  Error(std::errc code, std::string message);

  // Adds a line of context, shown by what() below the message.
  void addNote(std::string note);
  const std::vector<std::string>& notes() const noexcept { return notes_; }

  const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
  std::vector<std::string> notes_;
};

// A read, write, connect, accept or other operation that the kernel refused; code() is its errno.
class IoError : public Error {
 public:
  using Error::Error;
  // `errnoValue` is positive, as in errno.
  IoError(int errnoValue, std::string_view tried);
};

// The peer or this side closed the stream, so the operation cannot go on.
class ConnectionClosed : public IoError {
 public:
  using IoError::IoError;
};

// A limit that the caller named was exceeded: a line, a message, a buffer.
class LimitError : public Error {
 public:
  explicit LimitError(std::string message);
};

class TimeoutError : public Error {
 public:
  explicit TimeoutError(std::string message);
};

class CancelledError : public Error {
 public:
  explicit CancelledError(std::string message);
};

// What get() throws for a greenlet that ended by a kill.
class GreenletKilled : public CancelledError {
 public:
  using CancelledError::CancelledError;
};

// A name that could not be resolved; code() is of resolveCategory(), getaddrinfo's EAI_ numbers.
class ResolveError : public Error {
 public:
  using Error::Error;
};

const std::error_category& resolveCategory() noexcept;

// The loop addressed has ended, or is ending.
class ReactorStopped : public Error {
 public:
  explicit ReactorStopped(std::string message);
};

// Everything waits for something that cannot happen any more.
class DeadlockError : public Error {
 public:
  explicit DeadlockError(std::string message);
};

// Two fibers did at once what only one may do: reading one stream, for example.
class ConcurrentUseError : public Error {
 public:
  explicit ConcurrentUseError(std::string message);
};

// A result that can be set once was set again.
class AlreadyCalledError : public Error {
 public:
  explicit AlreadyCalledError(std::string message);
};

// A Deferred whose result was taken before, or whose type has changed since, was added to or waited
// for once more.
class AlreadyChainedError : public Error {
 public:
  explicit AlreadyChainedError(std::string message);
};

// A Deferred that nobody can fire any more.
class BrokenDeferredError : public Error {
 public:
  explicit BrokenDeferredError(std::string message);
};

// The queue was closed: nothing more can be put, or everything in it has been taken.
class QueueClosed : public Error {
 public:
  explicit QueueClosed(std::string message);
};

}  // namespace plait
