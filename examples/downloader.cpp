// Downloads files in parallel into the current directory. A file that was begun is gone on with, if
// its server can do that. On a terminal a bar shows how far all of it is.
//
//   downloader http[s]://HOST[:PORT]/PATH...
#include <array>
#include <iostream>
#include <span>
#include <stdexcept>
#include <string>

#include <plait/directory.h>
#include <plait/file.h>
#include <plait/http_client.h>
#include <plait/pipe.h>
#include <plait/plait.h>

using namespace plait;

struct Progress {
  std::uint64_t expected = 0;  // bytes, as far as servers have said it
  std::uint64_t received = 0;
};

std::uint64_t download(http::Session& session, const std::string& url, Progress& progress) {
  const std::string path = http::Url::parse(url).path;
  const std::string name = path.substr(path.rfind('/') + 1);
  if (name.empty()) throw std::invalid_argument("the URL ends with no file's name");

  os::File file = os::File::open(name + ".part", {.write = true, .create = true});
  const std::uint64_t begun = file.size();
  const std::string rest = std::to_string(begun) + "-";
  http::RequestOptions options;
  if (begun > 0) options.fields.set("Range", "bytes=" + rest);
  http::ClientResponse response = session.get(url, options);
  // It has become shorter: from the beginning.
  if (response.status() == 416) response = session.get(url);
  response.raiseForStatus();
  if (response.fields().get("Content-Range").starts_with("bytes " + rest)) {
    file.seek(begun);
  } else {
    file.truncate(0);
  }

  progress.expected += response.length().value_or(0);
  std::array<std::byte, 16384> block;
  while (const std::size_t count = response.readSome(block)) {
    file.writeAll(net::Bytes(block).first(count));
    progress.received += count;
  }
  const std::uint64_t bytes = file.position();
  file.close();
  os::rename(name + ".part", name);
  return bytes;
}

void showBar(const Progress& progress) {
  for (;; sleep(100ms)) {
    const std::uint64_t tenths =
        50 * progress.received / std::max<std::uint64_t>(progress.expected, 1);
    const std::string done(std::min<std::uint64_t>(tenths, 50), '#');
    std::cerr << "\r[" << done << std::string(50 - done.size(), ' ') << "] "
              << progress.received / 1024 << " KiB " << std::flush;
  }
}

int main(int argc, char** argv) {
  return run([urls = std::span(argv + 1, argv + argc)] {
    http::Session session({.decompress = false});
    Progress progress;
    bool good = true;
    Greenlet<void> bar;
    if (os::isTerminal(2)) bar = spawn([&progress] { showBar(progress); });
    Pool(8).map(urls, [&](const std::string& url) {
      try {
        const std::uint64_t bytes = download(session, url, progress);
        std::cout << url << ": " << bytes << " bytes" << std::endl;
      } catch (const std::exception& error) {
        std::cout << url << ": " << error.what() << std::endl;
        good = false;
      }
    });
    if (bar) bar.kill();
    return good ? 0 : 1;
  });
}
