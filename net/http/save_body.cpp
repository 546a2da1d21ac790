#include "plait/file.h"
#include "plait/http_client.h"
#include "response_state.h"

namespace plait::http {

std::uint64_t ClientResponse::saveTo(os::File& file, std::uint64_t limit) {
  return state_->forEachPiece(limit, [&file](net::Bytes piece) { file.writeAll(piece); });
}

}  // namespace plait::http
