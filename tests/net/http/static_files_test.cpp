// Files as answers, and what no path may reach.
#include "plait/static_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "http_server_support.h"

namespace plait::test {
namespace {

using http::Request;
using http::Response;

// A directory with files, and beside it one that is nobody's business.
class Tree final {
 public:
  Tree() {
    char name[] = "/tmp/plait_http_XXXXXX";
    path_ = ::mkdtemp(name);
    std::filesystem::create_directories(path_ + "/www/sub/deep");
    write("secret", "secret");
    write("www/a.txt", "0123456789");
    write("www/with space.txt", "space");
    write("www/.hidden", "hidden");
    write("www/sub/index.html", "<p>index");
    write("www/x.css", "p { color: red }");
    write("www/x.css.gz", "compressed");
    write("www/empty", "");
    std::filesystem::create_symlink("../secret", path_ + "/www/link");
    std::filesystem::create_directory_symlink("..", path_ + "/www/linked");
    ::mkfifo((path_ + "/www/pipe").c_str(), 0600);
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  ~Tree() { std::filesystem::remove_all(path_); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ + "/" + name) << text;
  }
  std::string root() const { return path_ + "/www"; }

 private:
  std::string path_;
};

std::unique_ptr<http::Server> serveFiles(const Tree& tree, http::StaticFileOptions options = {}) {
  http::App app;
  app.mount("/s", http::staticFiles(tree.root(), std::move(options)));
  return serve(std::move(app));
}

FIBER_TEST("a file is sent with its type, length and validators [HTTP-40]") {
  const Tree tree;
  const auto server = serveFiles(tree);
  RawClient client(server->address());

  const Answer answer = client.get("/s/a.txt");
  CHECK(answer.status == 200);
  CHECK(answer.body == "0123456789");
  CHECK(answer.fields.get("Content-Type") == "text/plain; charset=utf-8");
  CHECK(answer.fields.get("Content-Length") == "10");
  CHECK(answer.fields.has("ETag"));
  CHECK(answer.fields.get("Last-Modified").size() == 29);
  CHECK(client.get("/s/with%20space.txt").body == "space");
  CHECK(client.get("/s/empty").body.empty());
  const Answer head = client.ask("HEAD /s/a.txt HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(head.fields.get("Content-Length") == "10");
  const Answer refused =
      client.ask("POST /s/a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  CHECK(refused.status == 405);
  CHECK(refused.fields.get("Allow") == "GET, HEAD, OPTIONS");
}

FIBER_TEST("a great file is sent whole and in ranges [HTTP-40] [HTTP-39]") {
  const Tree tree;
  std::string text;
  for (int i = 0; text.size() < 3'000'000; ++i) text += std::to_string(i) + " ";
  tree.write("www/great", text);
  const auto server = serveFiles(tree);
  RawClient client(server->address());

  CHECK(client.get("/s/great").body == text);
  const Answer part = client.get("/s/great", "Range: bytes=1000000-2499999\r\n");
  CHECK(part.status == 206);
  CHECK(part.body == text.substr(1'000'000, 1'500'000));
}

FIBER_TEST("a file that is shorter than was said ends the connection [HTTP-30]") {
  ExpectedErrors errors;
  const Tree tree;
  const auto server = serveAll([&tree](Request& request) {
    return Response::file(os::File::open(tree.root() + "/a.txt"), 0,
                          request.path() == "/great" ? 1'000'000 : 11, "a.txt");
  });

  for (const char* const target : {"/little", "/great"}) {
    RawClient client(server->address());
    CHECK_THROWS_AS(client.get(target), ConnectionClosed);
  }
  CHECK(errors.take(2).size() == 2);
}

FIBER_TEST("no path leads out of the root [HTTP-41]") {
  const Tree tree;
  const auto server = serveFiles(tree);
  RawClient client(server->address());

  for (const char* const target : {"/s/../secret",
                                   "/s/..%2fsecret",
                                   "/s/%2e%2e/secret",
                                   "/s/.%2e/secret",
                                   "/s/sub/../../secret",
                                   "/s/%2e%2e%2fsecret",
                                   "/s//secret",
                                   "/s//etc/passwd",
                                   "/s/sub//index.html",
                                   "/s/./a.txt",
                                   "/s/a.txt/",
                                   "/s/a.txt/b",
                                   "/s/link",
                                   "/s/linked/secret",
                                   "/s/linked/www/a.txt",
                                   "/s/pipe",
                                   "/s/.hidden",
                                   "/s/nothing",
                                   "/s/a.txt%20",
                                   "/s/..",
                                   "/s/../"}) {
    CAPTURE(target);
    CHECK(client.get(target).status == 404);
  }
  RawClient other(server->address());
  CHECK(other.get("/s/a.txt%00.html").status == 400);
}

FIBER_TEST("links and hidden files are shown to who asks for that [HTTP-41]") {
  const Tree tree;
  const auto server = serveFiles(tree, {.followLinks = true, .hidden = true});
  RawClient client(server->address());

  CHECK(client.get("/s/link").body == "secret");
  CHECK(client.get("/s/.hidden").body == "hidden");
  CHECK(client.get("/s/../secret").status == 404);
}

FIBER_TEST("a directory is its index, below a path that ends with a slash [HTTP-40]") {
  const Tree tree;
  const auto server = serveFiles(tree);
  RawClient client(server->address());

  CHECK(client.get("/s/sub/").body == "<p>index");
  const Answer answer = client.get("/s/sub?x");
  CHECK(answer.status == 308);
  CHECK(answer.fields.get("Location") == "/s/sub/?x");
  CHECK(client.get("/s").fields.get("Location") == "/s/");
  CHECK(client.get("/s/").status == 404);
  CHECK(client.get("/s/sub/deep/").status == 404);
}

FIBER_TEST("conditions and ranges are heeded [HTTP-38] [HTTP-39]") {
  const Tree tree;
  const auto server = serveFiles(tree);
  RawClient client(server->address());
  const Answer first = client.get("/s/a.txt");
  const std::string tag(first.fields.get("ETag"));
  const auto get = [&client](const std::string& fields) { return client.get("/s/a.txt", fields); };

  const Answer same = get("If-None-Match: " + tag + "\r\n");
  CHECK(same.status == 304);
  CHECK(same.fields.get("ETag") == tag);
  CHECK_FALSE(same.fields.has("Content-Length"));
  CHECK(get("If-Match: \"other\"\r\n").status == 412);
  const Answer part = get("Range: bytes=2-4\r\nIf-Range: " + tag + "\r\n");
  CHECK(part.status == 206);
  CHECK(part.body == "234");
  CHECK(part.fields.get("Content-Range") == "bytes 2-4/10");
  CHECK(get("Range: bytes=2-4\r\nIf-Range: \"other\"\r\n").body == "0123456789");
  CHECK(get("Range: bytes=0-1,3-4\r\n").body == "0123456789");
  const Answer beyond = get("Range: bytes=10-\r\n");
  CHECK(beyond.status == 416);
  CHECK(beyond.fields.get("Content-Range") == "bytes */10");
}

FIBER_TEST("a file that changes has another tag [HTTP-38]") {
  const Tree tree;
  const auto server = serveFiles(tree);
  RawClient client(server->address());
  const std::string before(client.get("/s/a.txt").fields.get("ETag"));

  tree.write("www/a.txt", "9876543210x");

  CHECK(client.get("/s/a.txt", "If-None-Match: " + before + "\r\n").body == "9876543210x");
}

FIBER_TEST("a compressed twin is sent to who takes it [HTTP-40]") {
  const Tree tree;
  const auto server = serveFiles(tree, {.precompressed = true, .cacheControl = "max-age=60"});
  RawClient client(server->address());

  const Answer compressed = client.get("/s/x.css", "Accept-Encoding: gzip\r\n");
  CHECK(compressed.body == "compressed");
  CHECK(compressed.fields.get("Content-Encoding") == "gzip");
  CHECK(compressed.fields.get("Content-Type") == "text/css; charset=utf-8");
  CHECK(compressed.fields.get("Vary") == "Accept-Encoding");
  CHECK(compressed.fields.get("Cache-Control") == "max-age=60");
  const Answer plain = client.get("/s/x.css");
  CHECK(plain.body == "p { color: red }");
  CHECK(plain.fields.get("ETag") != compressed.fields.get("ETag"));
  CHECK_FALSE(client.get("/s/a.txt", "Accept-Encoding: gzip\r\n").fields.has("Content-Encoding"));
}

}  // namespace
}  // namespace plait::test
