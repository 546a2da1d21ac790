// The HTTP server of the benchmarks in plait: PORT.
#include <csignal>
#include <iostream>
#include <string>

#include "loop_stats.h"
#include "plait/http_app.h"
#include "plait/http_server.h"
#include "plait/plait.h"

using namespace plait;

int main(int argc, char** argv) {
  return run([&] {
    http::App app;
    app.route("GET", "/",
              [](http::Request&) { return http::Response(200, "Hello, World!", "text/plain"); });
    http::Server server("tcp:127.0.0.1:" + std::string(argc > 1 ? argv[1] : "0"), app);
    server.stopOn({SIGTERM});
    std::cout << "listening on " << server.address().toString() << std::endl;
    server.serve();
    printLoopStats();
  });
}
