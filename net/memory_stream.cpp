// Each direction is a ring of bytes that both ends share. What is in it stays there until a reader
// has copied it out, and between that and the return nothing can strike: a kill loses no byte.
// Whoever waits looks again when it is woken, so a wake-up says only that something has changed.
#include "plait/memory_stream.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "plait/cancel_shield.h"
#include "plait/detail/occupancy.h"
#include "plait/detail/waiter.h"
#include "plait/mutex.h"

namespace plait::net {
namespace detail {
namespace {

using plait::detail::SignalNode;
using plait::detail::SignalQueue;

void fireAll(SignalQueue& queue) noexcept {
  while (SignalNode* node = queue.pop()) node->fire();
}

class Ring final {
 public:
  explicit Ring(std::size_t capacity) : bytes_(capacity) {}

  std::size_t put(Bytes from) noexcept {
    const std::size_t count = std::min(from.size(), bytes_.size() - size_);
    const std::size_t tail = (head_ + size_) % bytes_.size();
    const std::size_t first = std::min(count, bytes_.size() - tail);
    std::copy_n(from.data(), first, bytes_.data() + tail);
    std::copy_n(from.data() + first, count - first, bytes_.data());
    size_ += count;
    return count;
  }
  std::size_t take(MutableBytes into) noexcept {
    const std::size_t count = std::min(into.size(), size_);
    const std::size_t first = std::min(count, bytes_.size() - head_);
    std::copy_n(bytes_.data() + head_, first, into.data());
    std::copy_n(bytes_.data(), count - first, into.data() + first);
    head_ = (head_ + count) % bytes_.size();
    size_ -= count;
    return count;
  }

  bool isEmpty() const noexcept { return size_ == 0; }
  bool isFull() const noexcept { return size_ == bytes_.size(); }

 private:
  std::vector<std::byte> bytes_;
  std::size_t head_ = 0;
  std::size_t size_ = 0;
};

struct Direction {
  explicit Direction(std::size_t capacity) : ring(capacity) {}

  void endWriting() noexcept {
    writeEnded = true;
    fireAll(readers);
    fireAll(writers);
  }
  void endReading() noexcept {
    readEnded = true;
    fireAll(readers);
    fireAll(writers);
  }

  Ring ring;
  bool writeEnded = false;  // shut down or closed by the writing end
  bool readEnded = false;   // closed by the reading end
  SignalQueue readers;      // who waits for bytes: one at most
  SignalQueue writers;      // who waits for room: one at most
};

struct Link {
  explicit Link(std::size_t capacity) : forth(capacity), back(capacity) {}
  Direction forth;
  Direction back;
};

std::error_code code(std::errc reason) noexcept { return std::make_error_code(reason); }

}  // namespace

class MemoryEnd final {
 public:
  MemoryEnd(std::shared_ptr<Link> link, Direction& in, Direction& out) noexcept
      : link_(std::move(link)), in_(in), out_(out) {}
  ~MemoryEnd() {
    PLAIT_ASSERT(inside_.isEmpty());
    endBoth();
  }

  std::size_t readSome(MutableBytes into, std::error_code& error) {
    const Occupancy::Visit visit(inside_);
    plait::detail::checkpoint();
    if (!isOpen_) return refuse(std::errc::bad_file_descriptor, error);
    if (reading_) return refuse(std::errc::device_or_resource_busy, error);
    if (into.empty()) return 0;
    const Reading reading(reading_);
    while (in_.ring.isEmpty() && !in_.writeEnded) {
      plait::detail::waitForSignal(in_.readers, {"MemoryStream::readSome", this, nullptr},
                                   kForever);
      if (!isOpen_) return refuse(std::errc::bad_file_descriptor, error);
    }
    const std::size_t count = in_.ring.take(into);
    fireAll(in_.writers);
    return count;
  }

  void writeAll(Bytes from, std::error_code& error) {
    const Occupancy::Visit visit(inside_);
    plait::detail::checkpoint();
    if (!isOpen_) {
      refuse(std::errc::bad_file_descriptor, error);
      return;
    }
    if (from.empty()) return;
    const std::lock_guard turn(writeTurn_);
    Progress progress(*this, from.size());
    while (progress.sent < from.size()) {
      if (!mayWrite(error)) return;
      if (out_.ring.isFull()) {
        plait::detail::waitForSignal(out_.writers, {"MemoryStream::writeAll", this, nullptr},
                                     kForever);
        continue;
      }
      progress.sent += out_.ring.put(from.subspan(progress.sent));
      fireAll(out_.readers);
    }
  }

  void shutdownWrite(std::error_code& error) {
    const Occupancy::Visit visit(inside_);
    plait::detail::checkpoint();
    if (!isOpen_) {
      refuse(std::errc::bad_file_descriptor, error);
      return;
    }
    const std::lock_guard turn(writeTurn_);
    if (isOpen_) {
      out_.endWriting();
    } else {
      refuse(std::errc::bad_file_descriptor, error);
    }
  }

  void close() {
    const CancelShield shield;
    endBoth();
    inside_.waitUntilEmpty();
  }

  bool isOpen() const noexcept { return isOpen_; }
  std::size_t interruptedAt() const noexcept { return interruptedAt_; }

  std::string describe() const {
    if (!isOpen_) return "a closed memory stream";
    if (interruptedAt_ == 0) return "memory stream";
    return "memory stream (a write of " + std::to_string(interruptedOf_) +
           " bytes was interrupted after " + std::to_string(interruptedAt_) + ")";
  }

 private:
  struct Reading {
    explicit Reading(bool& f) noexcept : flag(f) { flag = true; }
    ~Reading() { flag = false; }
    bool& flag;
  };

  // Notes, when a write is left before its end, how far it has come.
  struct Progress {
    Progress(MemoryEnd& e, std::size_t t) noexcept : end(e), total(t) {}
    ~Progress() {
      if (sent == 0 || sent == total) return;
      end.interruptedAt_ = sent;
      end.interruptedOf_ = total;
    }
    MemoryEnd& end;
    std::size_t total;
    std::size_t sent = 0;
  };

  static std::size_t refuse(std::errc reason, std::error_code& error) noexcept {
    error = code(reason);
    return 0;
  }

  bool mayWrite(std::error_code& error) const noexcept {
    if (!isOpen_) error = code(std::errc::bad_file_descriptor);
    if (isOpen_ && (interruptedAt_ > 0 || out_.writeEnded || out_.readEnded)) {
      error = code(std::errc::broken_pipe);
    }
    return !error;
  }

  void endBoth() noexcept {
    if (!isOpen_) return;
    isOpen_ = false;
    in_.endReading();
    out_.endWriting();
  }

  std::shared_ptr<Link> link_;  // shared by the two ends, which die in any order
  Direction& in_;
  Direction& out_;
  bool isOpen_ = true;
  bool reading_ = false;
  std::size_t interruptedAt_ = 0;  // 0: never
  std::size_t interruptedOf_ = 0;
  Mutex writeTurn_;
  Occupancy inside_;
};

}  // namespace detail

using detail::MemoryEnd;

MemoryStream::MemoryStream() noexcept = default;
MemoryStream::MemoryStream(std::unique_ptr<MemoryEnd> end) noexcept : end_(std::move(end)) {}
MemoryStream::MemoryStream(MemoryStream&& other) noexcept = default;
MemoryStream& MemoryStream::operator=(MemoryStream&& other) noexcept = default;
MemoryStream::~MemoryStream() = default;

std::size_t MemoryStream::readSome(MutableBytes into, std::error_code& error) {
  error.clear();
  if (end_) return end_->readSome(into, error);
  error = detail::code(std::errc::bad_file_descriptor);
  return 0;
}

void MemoryStream::writeAll(Bytes from, std::error_code& error) {
  error.clear();
  if (end_) return end_->writeAll(from, error);
  error = detail::code(std::errc::bad_file_descriptor);
}

void MemoryStream::shutdownWrite() {
  std::error_code error;
  if (end_) {
    end_->shutdownWrite(error);
  } else {
    error = detail::code(std::errc::bad_file_descriptor);
  }
  if (error) throwStreamError(error, "shutting down", describe());
}

void MemoryStream::close() {
  if (end_) end_->close();
}

bool MemoryStream::isOpen() const noexcept { return end_ && end_->isOpen(); }

std::size_t MemoryStream::interruptedAfter() const noexcept {
  return end_ ? end_->interruptedAt() : 0;
}

std::string MemoryStream::describe() const {
  return end_ ? end_->describe() : "a closed memory stream";
}

std::pair<MemoryStream, MemoryStream> memoryPair(std::size_t capacity) {
  if (capacity == 0) throw std::invalid_argument("memoryPair: a capacity of 0 lets no byte pass");
  const auto link = std::make_shared<detail::Link>(capacity);
  return {MemoryStream(std::make_unique<MemoryEnd>(link, link->back, link->forth)),
          MemoryStream(std::make_unique<MemoryEnd>(link, link->forth, link->back))};
}

}  // namespace plait::net
