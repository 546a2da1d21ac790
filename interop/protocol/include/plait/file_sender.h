// Twisted's FileSender: a file into a transport, as fast as the peer takes it.
#pragma once

#include <functional>
#include <istream>
#include <memory>
#include <optional>
#include <source_location>
#include <string>

#include "plait/deferred.h"
#include "plait/transport.h"

namespace plait {

class FileSender final : private Producer {
 public:
  using Transform = std::function<std::string(std::string)>;

  // Reads `file` to its end, on a thread of the default pool, and writes it; each piece through
  // `transform`, if there is one. Fires with the last byte that was sent (0 for an empty file), or
  // fails with ConnectionAborted when the transport goes before the end. `file`, the transport and
  // this live until then. One transfer at a time.
  // May switch. Throws: std::logic_error if the transport has a producer, or this is at work.
  Deferred<char> beginFileTransfer(std::istream& file, Transport& transport,
                                   Transform transform = {},
                                   std::source_location at = std::source_location::current());

 private:
  static constexpr std::size_t kPieceBytes = 16'384;

  void resumeProducing() override;
  void pauseProducing() override {}
  void stopProducing() override;
  std::string readPiece();
  // Fires; without a result, because the connection has gone.
  void end(std::optional<Result<char>> result);

  std::istream* file_ = nullptr;
  Transport* transport_ = nullptr;
  Transform transform_;
  char last_ = 0;
  bool reading_ = false;
  bool stopped_ = false;
  std::optional<Deferred<char>> done_;
};

}  // namespace plait
