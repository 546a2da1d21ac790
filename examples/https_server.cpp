// A web server: routes, JSON, a form, a stream of events, files, and HTTPS where it has a key.
//
//   https_server [ENDPOINT [DIRECTORY]]     default tcp:127.0.0.1:8080, and the working directory
//   https_server ssl:8443:privateKey=key.pem:certKey=cert.pem /srv/www
#include <csignal>
#include <iostream>
#include <map>
#include <string>

#include <plait/http_server.h>
#include <plait/plait.h>
#include <plait/static_files.h>

using namespace plait;
using http::Request;
using http::Response;

// What the handlers share; they are fibers of one thread, so a plain map will do.
using Notes = std::map<std::int64_t, std::string>;

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char each : text) {
    if (each == '"' || each == '\\') result += '\\';
    if (static_cast<unsigned char>(each) >= 0x20) result += each;
  }
  return result + '"';
}

http::App makeApp(const std::string& directory, Notes& notes) {
  http::App app;
  app.route("GET", "/", [](Request&) { return Response::html("<h1>plait</h1>\n"); });

  app.route("GET", "/hello/<name>", [](Request& request) {
    return "hello, " + std::string(request.parameter("name")) + "\n";
  });

  app.route("GET", "/notes/<int:id>", [&notes](Request& request) {
    const auto found = notes.find(request.intParameter("id"));
    if (found == notes.end()) throw http::HttpError(404, "no such note");
    return Response::json("{\"note\": " + quoted(found->second) + "}\n");
  });
  app.route("PUT", "/notes/<int:id>", [&notes](Request& request) {
    notes[request.intParameter("id")] = request.body(10'000);
    return Response(204);
  });

  // A handler may block: it parks its own connection and nobody else's.
  app.route("GET", "/ticks", [](Request&, http::BodyWriter& writer) {
    writer.begin(200, {{"Content-Type", "text/event-stream"}});
    for (int i = 0; i < 3; ++i) {
      writer.write("data: " + std::to_string(i) + "\n\n");
      writer.flush();
      sleep(100ms);
    }
  });

  app.mount("/files", http::staticFiles(directory));
  app.use([](Request& request, const http::App::Next& next) {
    return next(request).with("X-Content-Type-Options", "nosniff");
  });
  return app;
}

int main(int argc, char** argv) {
  const std::string endpoint = argc > 1 ? argv[1] : "tcp:127.0.0.1:8080";
  const std::string directory = argc > 2 ? argv[2] : ".";
  return run([&endpoint, &directory] {
    Notes notes;
    http::ServerOptions options;
    options.stopGrace = 1s;
    options.accessLog = [](const http::AccessRecord& record) {
      std::cout << http::commonLogLine(record) << std::endl;
    };
    http::Server server(endpoint, makeApp(directory, notes), options);
    server.stopOn({SIGINT, SIGTERM});
    std::cout << "listening on " << server.address().toString() << std::endl;
    server.serve();
  });
}
