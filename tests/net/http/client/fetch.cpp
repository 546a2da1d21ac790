// A client for peers_test.py: asks one URL several times with one session, one after the other, and
// says what came.
//
//   fetch [--ca FILE] [--method METHOD] [--body TEXT] [--times COUNT] [--field NAME=VALUE] URL FILE
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "plait/http_client.h"
#include "plait/run.h"

using namespace plait;

namespace {

struct Arguments {
  http::SessionOptions session;
  http::RequestOptions request;
  std::string method = "GET";
  int times = 1;
  std::vector<std::string> rest;
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (!name.starts_with("--")) {
      arguments.rest.push_back(name);
      continue;
    }
    const std::string value = argv[++i];
    if (name == "--ca") {
      std::ifstream file(value);
      arguments.session.tls = net::TlsContext(net::TlsClientOptions{
          .authorities = std::string(std::istreambuf_iterator<char>(file), {})});
    } else if (name == "--method") {
      arguments.method = value;
    } else if (name == "--body") {
      arguments.request.body = http::ClientBody(value);
    } else if (name == "--times") {
      arguments.times = std::stoi(value);
    } else if (name == "--field") {
      const std::size_t equals = value.find('=');
      arguments.request.fields.add(value.substr(0, equals), value.substr(equals + 1));
    }
  }
  return arguments;
}

void fetch(const Arguments& arguments) {
  http::Session session(arguments.session);
  for (int i = 0; i < arguments.times; ++i) {
    http::ClientResponse response =
        session.request(arguments.method, arguments.rest.at(0), arguments.request);
    std::ofstream(arguments.rest.at(1), std::ios::binary) << response.body();
    std::cout << response.status() << " " << response.url().toString() << " "
              << response.fields().get("Content-Encoding", "identity") << " "
              << session.statistics().connected << "\n";
  }
}

}  // namespace

int main(int argc, char** argv) {
  return run([&] {
    try {
      fetch(parse(argc, argv));
      return 0;
    } catch (const std::exception& error) {
      std::cout << error.what() << std::endl;
      return 1;
    }
  });
}
