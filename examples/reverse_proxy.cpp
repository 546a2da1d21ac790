// A reverse proxy: passes each request on to one of several servers, in turn. Bodies stream through
// in both directions, in little memory however long they are.
//
//   reverse_proxy ENDPOINT http://HOST:PORT...      for example tcp:127.0.0.1:8080
//   http://localhost:9000
#include <array>
#include <csignal>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <plait/http_client.h>
#include <plait/http_server.h>
#include <plait/plait.h>

using namespace plait;

// What is meant for the next hop only: the fields that Connection names, and these.
bool isForOneHop(const http::Fields& fields, std::string_view name) {
  for (const char* each : {"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
                           "TE", "Trailer", "Transfer-Encoding", "Upgrade"}) {
    if (http::equalsNoCase(name, each)) return true;
  }
  return fields.hasToken("Connection", name);
}

http::RequestOptions outgoing(http::Request& request) {
  http::RequestOptions options;
  for (const http::Field each : request.fields()) {
    const bool isOurs =
        http::equalsNoCase(each.name, "Content-Length") || http::equalsNoCase(each.name, "Expect");
    if (!isOurs && !isForOneHop(request.fields(), each.name)) {
      options.fields.add(each.name, each.value);
    }
  }
  const std::string before(request.field("X-Forwarded-For"));
  options.fields.set("X-Forwarded-For",
                     (before.empty() ? "" : before + ", ") + request.peer().host());
  options.fields.set("X-Forwarded-Proto", request.isSecure() ? "https" : "http");
  if (!request.hasBody()) return options;
  const auto pieces = [&request](const http::ClientBody::Write& write) {
    std::array<char, 16384> piece;
    while (const std::size_t count = request.readSome(std::as_writable_bytes(std::span(piece)))) {
      write({piece.data(), count});
    }
  };
  const auto length = request.contentLength();
  options.body =
      length ? http::ClientBody::counted(*length, pieces) : http::ClientBody::chunks(pieces);
  return options;
}

void passOn(http::Session& session, const std::string& server, http::Request& request,
            http::BodyWriter& writer) {
  http::ClientResponse response =
      session.request(request.method(), server + std::string(request.target()), outgoing(request));
  http::Fields fields;
  for (const http::Field each : response.fields()) {
    if (!isForOneHop(response.fields(), each.name)) fields.add(each.name, each.value);
  }
  writer.begin(response.status(), std::move(fields));
  std::array<std::byte, 16384> piece;
  while (const std::size_t count = response.readSome(piece)) {
    writer.write(net::Bytes(piece).first(count));
    writer.flush();
  }
}

int main(int argc, char** argv) {
  if (argc < 3) return std::cerr << "reverse_proxy ENDPOINT http://HOST:PORT...\n", 2;
  return run([endpoint = argv[1], servers = std::vector<std::string>(argv + 2, argv + argc)] {
    http::Session session({.redirectsMax = 0,
                           .keepsCookies = false,
                           .decompress = false,
                           .connectionsPerHost = 256,
                           .connectionsMax = 1024,
                           .userAgent = ""});
    std::size_t turn = 0;
    http::App app;
    app.mount("/", [&](http::Request& request) {
      return http::Response::streamWithHead([&](http::BodyWriter& writer) {
        try {
          passOn(session, servers[turn++ % servers.size()], request, writer);
        } catch (const TimeoutError& error) {
          throw http::HttpError(504, error.what());
        } catch (const IoError& error) {
          throw http::HttpError(502, error.what());
        }
      });
    });
    http::Server server(endpoint, std::move(app));
    server.stopOn({SIGINT, SIGTERM});
    std::cout << "listening on " << server.address().toString() << std::endl;
    server.serve();
    return 0;
  });
}
