// All three streams of a child at once, so that neither side can wait for the other for ever.

#include <cerrno>
#include <vector>

#include "plait/race.h"
#include "process_state.h"

namespace plait::os::detail {
namespace {

constexpr std::size_t kReadMax = 64 << 10;  // bytes at once: what a pipe holds

void write(PipeStream& to, std::string_view text) {
  if (!to.isOpen()) return;
  std::error_code error;
  to.writeAll(text, error);
  // The child did not want the rest.
  if (error && error != std::errc::broken_pipe) {
    net::throwStreamError(error, "writing the input of a process to", to.describe());
  }
  to.close();
}

std::string readAll(PipeStream& from, std::size_t limit, const char* which, const Child& child) {
  std::string text;
  if (!from.isOpen()) return text;
  std::vector<char> buffer(kReadMax);
  while (const std::size_t count = from.readSome(std::as_writable_bytes(std::span(buffer)))) {
    if (count > limit - text.size()) {
      throw LimitError("the standard " + std::string(which) + " of " + child.describe() +
                       " has more than " + std::to_string(limit) + " bytes; it was killed");
    }
    text.append(buffer.data(), count);
  }
  from.close();
  return text;
}

}  // namespace

Process::Output communicate(ProcessState& state, std::string_view input, std::size_t limit) {
  const std::shared_ptr<Child> child = state.child;
  // Goes last: the fibers that read and write have left then.
  const KillUnlessOver guard(child);
  auto [written, output, error] =
      all([&state, input] { write(state.input, input); },
          [&state, &child, limit] { return readAll(state.output, limit, "output", *child); },
          [&state, &child, limit] { return readAll(state.error, limit, "error", *child); });
  child->waitUntilOver();
  return {std::move(output), std::move(error), child->status()};
}

}  // namespace plait::os::detail
