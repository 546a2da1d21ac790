// Files of a directory as answers: app.mount("/static", staticFiles("/srv/www")).
#pragma once

#include <string>

#include "plait/http_app.h"

namespace plait::http {

struct StaticFileOptions {
  std::string index = "index.html";  // for a directory; empty: 404
  // Off: what is reached through a symbolic link below the root is 404. On: links may lead out of
  // the root.
  bool followLinks = false;
  bool hidden = false;  // names that begin with '.'; but ".well-known" is always shown
  // "x.css.gz" beside "x.css" is sent in its place to clients that take gzip.
  bool precompressed = false;
  std::string cacheControl = {};  // the field's value; empty: no such field
};

// A handler for App::mount: GET and HEAD of what is below `root`. No path leaves the root, whatever
// it is made of: "..", "%2e%2e", "%2f", empty parts and NUL are 404. Answers have an ETag and
// Last-Modified and heed If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since, Range and
// If-Range; of several ranges none is heeded, the answer is whole then. A directory without '/' is
// redirected to the path with it. The file is sent by the kernel where the stream allows.
Handler staticFiles(std::string root, StaticFileOptions options = StaticFileOptions());

}  // namespace plait::http
