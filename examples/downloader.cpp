// Downloads files in parallel over HTTP/1.0 into the current directory.
//
//   downloader http://HOST[:PORT]/PATH...
#include <array>
#include <fstream>
#include <iostream>
#include <span>
#include <stdexcept>
#include <string>

#include <plait/plait.h>

using namespace plait;

struct Url {
  explicit Url(const std::string& text) {
    const std::size_t slash = text.find('/', 7);
    if (!text.starts_with("http://") || slash == text.npos || text.ends_with('/')) {
      throw std::invalid_argument("not of the form http://HOST[:PORT]/PATH");
    }
    host = text.substr(7, slash - 7);
    path = text.substr(slash);
    file = text.substr(text.rfind('/') + 1);
    endpoint = "tcp:" + host + (host.find(':') == host.npos ? ":80" : "");
  }
  std::string host, path, file, endpoint;
};

std::size_t download(const Url& url) {
  net::BufferedStream server(net::connect(url.endpoint));
  server.writeAll("GET " + url.path + " HTTP/1.0\r\nHost: " + url.host + "\r\n\r\n");
  const std::string status = server.readLine().value_or("no answer");
  if (status.find(" 200 ") == status.npos) throw std::runtime_error(status);
  while (!server.readLine().value_or("").empty()) continue;  // the headers

  // Files block the thread, so they are written by one of a pool.
  std::ofstream file(url.file, std::ios::binary);
  std::array<std::byte, 65536> block;
  std::size_t total = 0;
  while (const std::size_t count = server.readSome(block)) {
    offload([&] { file.write(reinterpret_cast<const char*>(block.data()), long(count)); });
    total += count;
  }
  offload([&] { file.close(); });
  if (!file) throw std::runtime_error("cannot write " + url.file);
  return total;
}

int main(int argc, char** argv) {
  return run([urls = std::span(argv + 1, argv + argc)] {
    Pool pool(8);
    bool good = true;
    pool.map(urls, [&good](const std::string& url) {
      try {
        const std::size_t bytes = withTimeout(60s, [&] { return download(Url(url)); });
        std::cout << url << ": " << bytes << " bytes" << std::endl;
      } catch (const std::exception& error) {
        std::cout << url << ": " << error.what() << std::endl;
        good = false;
      }
    });
    return good ? 0 : 1;
  });
}
