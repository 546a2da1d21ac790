#include "chain_record.h"

#include <execinfo.h>

#include <cstdlib>
#include <memory>
#include <new>

namespace plait::detail {

Backtrace Backtrace::here() {
  constexpr int kFramesMax = 32;
  void* frames[kFramesMax];
  const int count = ::backtrace(frames, kFramesMax);
  Backtrace trace;
  trace.frames_.assign(frames, frames + count);
  return trace;
}

std::string Backtrace::describe() const {
  if (frames_.empty()) return " at a time when debugging was off";
  const std::unique_ptr<char*, decltype(&std::free)> lines(
      ::backtrace_symbols(frames_.data(), static_cast<int>(frames_.size())), &std::free);
  std::string text;
  for (std::size_t i = 0; lines && i < frames_.size(); ++i) {
    text += "\n    ";
    text += lines.get()[i];
  }
  return text;
}

ChainRecord* ChainRecord::make() noexcept {
  try {
    auto record = std::make_unique<ChainRecord>();
    record->created = Backtrace::here();
    return record.release();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

std::string ChainRecord::describe() const {
  return "\n  C: Deferred was created:" + created.describe() +
         "\n  I: First Invoker was:" + fired.describe();
}

}  // namespace plait::detail
