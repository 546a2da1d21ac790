#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>

#include "plait/error.h"
#include "plait/http_client_body.h"

namespace plait::http {
namespace {

constexpr std::size_t kPieceBytes = 65'536;  // read at once

// A name between quotes in a part's head: browsers write these three so.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char each : text) {
    if (each == '"') {
      result += "%22";
    } else if (each == '\r') {
      result += "%0D";
    } else if (each == '\n') {
      result += "%0A";
    } else {
      result += each;
    }
  }
  return result + "\"";
}

// A line that is in none of the values.
std::string findBoundary(const std::vector<FormPart>& parts) {
  for (std::size_t number = 0;; ++number) {
    std::string boundary = "plait-form-boundary-" + std::to_string(number);
    const bool isFree = std::none_of(parts.begin(), parts.end(), [&boundary](const FormPart& part) {
      return part.value.find(boundary) != std::string::npos;
    });
    if (isFree) return boundary;
  }
}

// At most `length` bytes.
void copyPieces(net::Stream& from, std::uint64_t length, const ClientBody::Write& write) {
  // Not on the stack: fibers' stacks are small.
  const auto buffer = std::make_unique<std::array<std::byte, kPieceBytes>>();
  while (length > 0) {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(length, kPieceBytes));
    const std::size_t count = from.readSome(net::MutableBytes(*buffer).first(most));
    if (count == 0) return;
    length -= count;
    write({reinterpret_cast<const char*>(buffer->data()), count});
  }
}

[[noreturn]] void failLength(std::uint64_t promised, const std::string& difference) {
  throw Error(std::errc::invalid_argument, "the source of a body gave " + difference + " the " +
                                               std::to_string(promised) +
                                               " bytes that were promised");
}

}  // namespace

ClientBody ClientBody::form(const Parameters& parameters) {
  return ClientBody(toQuery(parameters), "application/x-www-form-urlencoded");
}

ClientBody ClientBody::multipart(const std::vector<FormPart>& parts) {
  const std::string boundary = findBoundary(parts);
  std::string text;
  for (const FormPart& part : parts) {
    text += "--" + boundary + "\r\nContent-Disposition: form-data; name=" + quoted(part.name);
    if (!part.fileName.empty()) text += "; filename=" + quoted(part.fileName);
    std::string type = part.contentType;
    if (type.empty() && !part.fileName.empty()) type = "application/octet-stream";
    // A line's end in it would begin a field of somebody else's choice.
    std::erase_if(type, [](char c) { return c == '\r' || c == '\n'; });
    if (!type.empty()) text += "\r\nContent-Type: " + type;
    text += "\r\n\r\n" + part.value + "\r\n";
  }
  return ClientBody(text + "--" + boundary + "--\r\n", "multipart/form-data; boundary=" + boundary);
}

ClientBody ClientBody::chunks(Producer producer, std::string contentType) {
  ClientBody body;
  body.kind_ = Kind::chunks;
  body.producer_ = std::move(producer);
  body.contentType_ = std::move(contentType);
  return body;
}

ClientBody ClientBody::counted(std::uint64_t length, Producer producer, std::string contentType) {
  ClientBody body = chunks(std::move(producer), std::move(contentType));
  body.kind_ = Kind::counted;
  body.length_ = length;
  return body;
}

ClientBody ClientBody::stream(net::Stream& from, std::string contentType) {
  return chunks([&from](const Write& write) { copyPieces(from, ~std::uint64_t{0}, write); },
                std::move(contentType));
}

ClientBody ClientBody::stream(net::Stream& from, std::uint64_t length, std::string contentType) {
  return counted(
      length, [&from, length](const Write& write) { copyPieces(from, length, write); },
      std::move(contentType));
}

void ClientBody::produce(const Write& write) const {
  if (isText()) return write(text_);
  if (kind_ == Kind::chunks) return producer_(write);
  if (kind_ == Kind::none) return;
  std::uint64_t left = length_;
  producer_([this, &left, &write](std::string_view piece) {
    if (piece.size() > left) failLength(length_, "more than");
    left -= piece.size();
    write(piece);
  });
  if (left > 0) failLength(length_, std::to_string(left) + " bytes less than");
}

}  // namespace plait::http
