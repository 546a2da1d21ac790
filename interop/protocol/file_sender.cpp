#include "plait/file_sender.h"

#include <cerrno>
#include <stdexcept>
#include <utility>

#include "plait/cancellation.h"
#include "plait/offload.h"

namespace plait {

Deferred<char> FileSender::beginFileTransfer(std::istream& file, Transport& transport,
                                             Transform transform, std::source_location at) {
  if (done_) throw std::logic_error("FileSender: a transfer is under way");
  file_ = &file;
  transport_ = &transport;
  transform_ = std::move(transform);
  last_ = 0;
  const Deferred<char> done(at);
  done_.emplace(done);
  try {
    transport.registerProducer(*this, false);
  } catch (...) {
    done_.reset();
    throw;
  }
  return done;
}

void FileSender::resumeProducing() {
  std::string piece;
  try {
    // A transform may leave nothing of a piece.
    for (bool isEnd = false; piece.empty() && !isEnd && !stopped_;) {
      piece = readPiece();
      isEnd = piece.empty();
      if (!isEnd && transform_) piece = transform_(std::move(piece));
    }
  } catch (const Cancellation&) {
    stopped_ = true;
    end({});
    throw;
  } catch (...) {
    transport_->unregisterProducer();
    return end(Failure());
  }
  if (stopped_) return end({});
  if (piece.empty()) {
    transport_->unregisterProducer();
    return end(last_);
  }
  last_ = piece.back();
  transport_->write(piece);
}

std::string FileSender::readPiece() {
  struct Reading {
    bool& flag;
    explicit Reading(bool& f) noexcept : flag(f) { flag = true; }
    ~Reading() { flag = false; }
  };
  const Reading reading(reading_);
  std::string piece(kPieceBytes, '\0');
  const auto count = offload([this, &piece] {
    file_->read(piece.data(), static_cast<std::streamsize>(piece.size()));
    return file_->gcount();
  });
  if (file_->bad()) throw IoError(EIO, "reading the file that is being sent");
  piece.resize(static_cast<std::size_t>(count));
  return piece;
}

void FileSender::stopProducing() {
  stopped_ = true;
  // A thread may have the file still; whoever waits for that ends the transfer.
  if (!reading_) end({});
}

void FileSender::end(std::optional<Result<char>> result) {
  stopped_ = false;
  const auto done = std::exchange(done_, std::nullopt);
  if (!done || done->isCalled()) return;
  if (!result) {
    result.emplace(
        Failure(ConnectionAborted(ECONNABORTED, "the connection went before the file was sent")));
  }
  fire(*done, std::move(*result));
}

}  // namespace plait
