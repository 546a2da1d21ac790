// A server for peers_test.py to talk to: http_peer DIRECTORY. Says "listening on HOST:PORT" and
// runs until SIGTERM.

#include <csignal>
#include <iostream>
#include <string>

#include "plait/greenlet.h"
#include "plait/http_server.h"
#include "plait/run.h"
#include "plait/static_files.h"

using namespace plait;
using namespace std::chrono_literals;
using http::BodyWriter;
using http::Request;
using http::Response;

namespace {

http::App makeApp(const std::string& directory) {
  http::App app;
  app.route("GET", "/hello", [](Request&) { return "hello world"; });
  app.route("GET", "/text", [](Request&) {
    std::string text;
    for (int i = 0; i < 20'000; ++i) text += "line " + std::to_string(i) + "\n";
    return text;
  });
  app.route("GET", "/headers", [](Request& request) {
    std::string text;
    for (const http::Field each : request.fields()) {
      text.append(each.name).append(": ").append(each.value).append("\n");
    }
    return text;
  });
  app.route("POST", "/echo", [](Request& request, BodyWriter& writer) {
    writer.begin(200, {{"X-Length", request.contentLength() ? "said" : "chunked"}});
    std::string piece(10'000, '\0');
    while (const std::size_t count =
               request.readSome(std::as_writable_bytes(std::span(piece.data(), piece.size())))) {
      writer.write(std::string_view(piece).substr(0, count));
    }
    const std::string trailer(request.trailers().get("X-Trailer"));
    if (!trailer.empty()) writer.setTrailer("X-Trailer", trailer);
  });
  app.route("POST", "/unread", [](Request&) { return "unread"; });
  app.route("POST", "/form", [](Request& request) {
    std::string text;
    for (const auto& [name, value] : request.form()) text += name + "=" + value + "\n";
    return text;
  });
  app.route("GET", "/slow", [](Request&) {
    sleep(200ms);
    return "slow";
  });
  app.mount("/files", http::staticFiles(directory));
  return app;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string directory = argc > 1 ? argv[1] : ".";
  return run([&directory] {
    http::Server server("tcp:127.0.0.1:0", makeApp(directory), {.stopGrace = 1s});
    server.stopOn({SIGTERM});
    std::cout << "listening on " << server.address().toString() << std::endl;
    server.serve();
  });
}
