#include "plait/file_sender.h"

#include <cerrno>
#include <utility>

#include "plait/offload.h"

namespace plait {

Deferred<char> FileSender::beginFileTransfer(std::istream& file, Transport& transport,
                                             Transform transform, std::source_location at) {
  file_ = &file;
  transport_ = &transport;
  transform_ = std::move(transform);
  last_ = 0;
  const Deferred<char> done(at);
  done_.emplace(done);
  transport.registerProducer(*this, false);
  return done;
}

void FileSender::resumeProducing() {
  std::string piece(kPieceBytes, '\0');
  try {
    const auto read = offload([this, &piece] {
      file_->read(piece.data(), static_cast<std::streamsize>(piece.size()));
      return file_->gcount();
    });
    if (file_->bad()) throw IoError(EIO, "reading the file that is being sent");
    piece.resize(static_cast<std::size_t>(read));
  } catch (const Cancellation&) {
    throw;
  } catch (...) {
    const auto done = std::exchange(done_, std::nullopt);
    transport_->unregisterProducer();
    if (done) done->errback();
    return;
  }
  if (!done_) return;  // the transport has gone meanwhile
  if (piece.empty()) {
    const auto done = std::exchange(done_, std::nullopt);
    transport_->unregisterProducer();
    return done->callback(last_);
  }
  if (transform_) piece = transform_(std::move(piece));
  if (!piece.empty()) last_ = piece.back();
  transport_->write(piece);
}

void FileSender::stopProducing() {
  if (const auto done = std::exchange(done_, std::nullopt)) {
    done->errback(ConnectionAborted(ECONNABORTED, "the connection went before the file was sent"));
  }
}

}  // namespace plait
