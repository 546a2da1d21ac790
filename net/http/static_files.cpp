#include "plait/static_files.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <optional>
#include <utility>

#include "conditional.h"
#include "gzip.h"
#include "http_date.h"
#include "plait/directory.h"
#include "plait/file.h"
#include "request_state.h"

namespace plait::http {
namespace {

struct Found {
  os::File file;
  os::FileStatus status;
};

// "/a/b.css" below the root as a path of the file system, or nothing. Each part is looked at after
// it was decoded: a '/' that comes of "%2f" cannot be a name.
std::optional<std::string> pathOf(const std::string& root, std::string_view rest,
                                  const StaticFileOptions& options) {
  std::string path = root;
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::string_view piece = rest.substr(0, rest.find('/'));
    rest.remove_prefix(piece.size());
    // "/a/": the directory itself.
    if (piece.empty() && rest.empty()) break;
    const auto name = percentDecode(piece);
    if (!name || name->empty() || *name == "." || *name == ".." ||
        name->find('/') != std::string::npos || name->find('\0') != std::string::npos) {
      return std::nullopt;
    }
    if (name->front() == '.' && !options.hidden && *name != ".well-known") return std::nullopt;
    path += '/';
    path += *name;
  }
  return path;
}

// What everybody may not know: whether it is not there, or not for them.
int statusOf(const IoError& error) noexcept {
  switch (error.code().value()) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
    case ENXIO:
      return 404;
    case EACCES:
    case EPERM:
      return 403;
    default:
      return 500;
  }
}

[[noreturn]] void refuse(std::string_view path) {
  throw HttpError(404, "no file for " + std::string(path));
}

// Looks before it opens: a pipe would wait for its other end. What is opened is looked at again.
Found openBelow(const std::string& root, const std::string& path, bool followLinks) {
  for (std::size_t end = root.size(); !followLinks && end < path.size();) {
    end = std::min(path.find('/', end + 1), path.size());
    if (os::linkStatus(path.substr(0, end)).type == os::FileType::symbolicLink) refuse(path);
  }
  const os::FileStatus before = os::status(path);
  if (before.isDirectory()) return {os::File(), before};
  if (!before.isRegular()) refuse(path);
  Found found{os::File::open(path, {.followLinks = followLinks}), {}};
  found.status = found.file.status();
  if (!found.status.isRegular()) refuse(path);
  return found;
}

std::string etagOf(const os::FileStatus& status) {
  const auto nanoseconds =
      std::chrono::duration_cast<std::chrono::nanoseconds>(status.modified.time_since_epoch())
          .count();
  std::array<char, 64> text{};
  char* const last = text.data() + text.size();
  char* end = std::to_chars(text.data(), last, status.size, 16).ptr;
  *end++ = '-';
  end = std::to_chars(end, last, nanoseconds, 16).ptr;
  return "\"" + std::string(text.data(), end) + "\"";
}

Response redirectToDirectory(const detail::RequestState& request) {
  std::string_view path = request.rawPath;
  while (path.starts_with("//")) path.remove_prefix(1);
  std::string location = std::string(path) + "/";
  if (!request.query.empty()) location.append("?").append(request.query);
  return Response::redirect(location, 308);
}

Response answer(const Request& asked, Found found, std::string_view name) {
  const Fields& request = asked.fields();
  const detail::Validator validator{etagOf(found.status), detail::inSeconds(found.status.modified)};
  const std::uint64_t size = found.status.size;
  const auto describe = [&validator](Response response) {
    response.with("ETag", validator.etag)
        .with("Last-Modified", detail::formatDate(validator.modified))
        .with("Accept-Ranges", "bytes");
    return response;
  };
  if (const int status = detail::statusOfConditions(request, validator)) {
    return describe(Response(status));
  }
  const auto field = request.find("Range");
  const auto range = field && asked.method() == "GET" && detail::rangeIsMeant(request, validator)
                         ? detail::parseRange(*field, size)
                         : std::nullopt;
  if (!range) return describe(Response::file(std::move(found.file), 0, size, name));
  if (range->count == 0) {
    return describe(Response(416)).with("Content-Range", "bytes */" + std::to_string(size));
  }
  return describe(Response::file(std::move(found.file), range->first, range->count, name, 206))
      .with("Content-Range", "bytes " + std::to_string(range->first) + "-" +
                                 std::to_string(range->first + range->count - 1) + "/" +
                                 std::to_string(size));
}

class StaticFiles final {
 public:
  StaticFiles(std::string root, StaticFileOptions options)
      : root_(std::move(root)), options_(std::move(options)) {
    while (root_.size() > 1 && root_.ends_with('/')) root_.pop_back();
  }

  Response operator()(Request& request) const {
    detail::RequestState& state = request.state();
    if (request.method() != "GET" && request.method() != "HEAD") {
      if (request.method() == "OPTIONS") return Response(204).with("Allow", "GET, HEAD, OPTIONS");
      state.allowed = "GET, HEAD, OPTIONS";
      throw HttpError(405, "a file is for GET and HEAD");
    }
    auto path = pathOf(root_, state.rest, options_);
    if (!path) refuse(request.path());
    try {
      return serve(request, std::move(*path));
    } catch (const IoError& error) {
      const int status = statusOf(error);
      if (status == 500) throw;
      throw HttpError(status, error.what());
    }
  }

 private:
  Response serve(const Request& request, std::string path) const {
    const detail::RequestState& state = request.state();
    const bool isAskedAsDirectory = state.rest.ends_with('/');
    Found found = openBelow(root_, path, options_.followLinks);
    if (found.status.isDirectory()) {
      if (!isAskedAsDirectory) return redirectToDirectory(state);
      if (options_.index.empty()) refuse(path);
      path += "/" + options_.index;
      found = openBelow(root_, path, options_.followLinks);
      if (found.status.isDirectory()) refuse(path);
    } else if (isAskedAsDirectory) {
      refuse(path);
    }
    const bool isCompressed = options_.precompressed && preferCompressed(request, path, found);
    Response response = answer(request, std::move(found), path);
    if (options_.precompressed) response.with("Vary", "Accept-Encoding");
    if (isCompressed && response.status() / 100 == 2) response.with("Content-Encoding", "gzip");
    if (!options_.cacheControl.empty()) response.with("Cache-Control", options_.cacheControl);
    return response;
  }

  // Puts the compressed file in the place of the one that was found, if there is one.
  bool preferCompressed(const Request& request, const std::string& path, Found& found) const {
    if (!detail::acceptsGzip(request.fields())) return false;
    try {
      Found compressed = openBelow(root_, path + ".gz", options_.followLinks);
      if (compressed.status.isDirectory()) return false;
      found = std::move(compressed);
      return true;
    } catch (const IoError&) {
      return false;
    } catch (const HttpError&) {
      return false;
    }
  }

  std::string root_;
  StaticFileOptions options_;
};

}  // namespace

Handler staticFiles(std::string root, StaticFileOptions options) {
  return StaticFiles(std::move(root), std::move(options));
}

}  // namespace plait::http
