// One end of TLS, for peers_test.py to talk to.
//
//   tls_peer serve FOLDER [WORD...]     echoes until SIGTERM; says "listening on HOST:PORT"
//     with FOLDER/server.pem and server.key; WORDs: tls13, require, request, staple, alpn, named,
//     tickets=N
//   tls_peer http FOLDER                answers every connection with one small page
//   tls_peer ask HOST PORT FOLDER WORD...   does what each WORD says, and what it saw, a line each:
//     alpn, certificate, tls13, unverified, name=NAME (for the connection), then
//     connect, info, reconnect, echo=BYTES, get, keys, keys-both, read, half, close

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "plait/event.h"
#include "plait/group.h"
#include "plait/report.h"
#include "plait/run.h"
#include "plait/server.h"
#include "plait/signal.h"
#include "plait/tls.h"

using namespace plait;

namespace {

using Words = std::vector<std::string>;

std::string contentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool has(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// What follows "name=" in one of the words.
std::optional<std::string> valueOf(const Words& words, const std::string& name) {
  for (const std::string& each : words) {
    if (each.starts_with(name + "=")) return each.substr(name.size() + 1);
  }
  return std::nullopt;
}

// ---- serving

net::TlsServerOptions serverOptions(const std::string& folder, const Words& words) {
  net::TlsServerOptions options;
  options.identity = net::TlsIdentity::load(folder + "/server.pem", folder + "/server.key");
  options.authorities = contentOf(folder + "/authority.pem");
  if (has(words, "staple")) options.identity.ocspResponse = contentOf(folder + "/ocsp.der");
  if (has(words, "named")) {
    options.names = {
        {"*.many.example", net::TlsIdentity::load(folder + "/many.pem", folder + "/many.key")}};
  }
  if (has(words, "tls13")) options.versionMin = net::TlsVersion::tls13;
  if (has(words, "require")) options.clientCertificate = net::ClientCertificate::require;
  if (has(words, "request")) options.clientCertificate = net::ClientCertificate::request;
  if (has(words, "alpn")) options.protocols = {"h2", "http/1.1"};
  if (const auto tickets = valueOf(words, "tickets")) options.tickets = std::stoul(*tickets);
  return options;
}

// First line: what was agreed. Then an echo, until the peer's end, and an end of ours.
void echo(net::TlsStream& stream) {
  stream.handshake();
  stream.writeAll(stream.version() + " resumed=" + (stream.isResumed() ? "yes" : "no") +
                  " name=" + stream.serverName() + " protocol=" + stream.protocol() +
                  " peer=" + stream.peerName() + "\n");
  std::vector<std::byte> room(65'536);
  while (const std::size_t count = stream.readSome(room)) {
    stream.writeAll(net::Bytes(room).first(count));
  }
  stream.writeAll("goodbye\n");
}

void answerHttp(net::TlsStream& stream) {
  std::string request;
  char room[4096];
  while (request.find("\r\n\r\n") == request.npos) {
    const std::size_t count = stream.readSome(std::as_writable_bytes(std::span(room)));
    if (count == 0) return;
    request.append(room, count);
  }
  const std::string page = "hello over " + stream.version() + "\n";
  stream.writeAll("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
                  std::to_string(page.size()) + "\r\n\r\n" + page);
}

void serve(const std::string& folder, const Words& words, void (*talk)(net::TlsStream&)) {
  const net::TlsContext context(serverOptions(folder, words));
  net::Server server("tcp:127.0.0.1:0", [&context, talk](net::SocketStream& socket) {
    net::TlsStream stream(std::move(socket), context);
    try {
      talk(stream);
    } catch (const Error& error) {
      std::cout << "error: " << error.what() << std::endl;
    }
    stream.close();
  });
  server.stopOn({SIGTERM});
  std::cout << "listening on " << server.address().toString() << std::endl;
  server.serve();
}

// ---- asking

class Asker final {
 public:
  Asker(std::string host, std::string port, const std::string& folder, const Words& words)
      : endpoint_("tcp:" + host + ":" + port), context_(clientOptions(folder, words)) {
    options_.serverName = valueOf(words, "name").value_or("localhost");
    options_.allowTruncation = has(words, "tolerant");
  }

  void does(const std::string& word) {
    if (word == "connect") stream_ = net::connectTls(endpoint_, context_, options_);
    if (word == "info") {
      say("info", stream_.version() + " resumed=" + (stream_.isResumed() ? "yes" : "no") +
                      " protocol=" + stream_.protocol() + " peer=" + stream_.peerName() +
                      " ocsp=" + std::to_string(stream_.ocspResponse().size()));
    }
    if (word.starts_with("send=")) stream_.writeAll(word.substr(5) + "\n");
    if (word == "get") stream_.writeAll("GET /page.txt HTTP/1.0\r\n\r\n");
    if (word == "line") say("line", line());
    if (word == "read") say("read", std::to_string(readToEnd()) + " bytes");
    if (word.starts_with("echo=")) echo(std::stoul(word.substr(5)));
    if (word == "keys") stream_.updateKeys();
    if (word == "keys-both") stream_.updateKeys(true);
    if (word == "half") stream_.shutdownWrite();
    if (word == "close") stream_.close();
  }

 private:
  static net::TlsClientOptions clientOptions(const std::string& folder, const Words& words) {
    net::TlsClientOptions options;
    options.authorities = contentOf(folder + "/authority.pem");
    options.verify = !has(words, "unverified");
    options.askOcsp = true;
    if (has(words, "alpn")) options.protocols = {"h2", "http/1.1"};
    if (has(words, "tls13")) options.versionMin = net::TlsVersion::tls13;
    if (has(words, "certificate")) {
      options.identity = net::TlsIdentity::load(folder + "/client.pem", folder + "/client.key");
    }
    return options;
  }

  static void say(const std::string& what, const std::string& text) {
    std::cout << what << ": " << text << std::endl;
  }

  std::string line() {
    std::string text;
    std::byte room[1];
    while (stream_.readSome(room) > 0 && room[0] != std::byte{'\n'}) {
      text += static_cast<char>(room[0]);
    }
    return text;
  }

  std::size_t readToEnd() {
    std::size_t total = 0;
    std::vector<std::byte> room(65'536);
    while (const std::size_t count = stream_.readSome(room)) total += count;
    return total;
  }

  // As much back as was sent, at once.
  void echo(std::size_t bytes) {
    std::string text(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + i * i % 23);
    std::string received(bytes, '\0');
    withTaskGroup([&](TaskGroup& group) {
      group.spawn([&] { stream_.writeAll(text); });
      const auto into = std::as_writable_bytes(std::span(received.data(), bytes));
      for (std::size_t done = 0; done < bytes;) {
        const std::size_t count = stream_.readSome(into.subspan(done));
        if (count == 0) break;
        done += count;
      }
    });
    say("echo", received == text ? "the same" : "another");
  }

  std::string endpoint_;
  net::TlsContext context_;
  net::TlsOptions options_;
  net::TlsStream stream_;
};

void ask(const Words& words) {
  Asker asker(words[1], words[2], words[3], words);
  for (std::size_t i = 4; i < words.size(); ++i) {
    try {
      asker.does(words[i]);
    } catch (const std::exception&) {
      std::cout << words[i] << ": " << describe(std::current_exception()) << std::endl;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Words words(argv + 1, argv + argc);
  if (words.size() >= 2 && words[0] == "serve") {
    return run([&words] { serve(words[1], words, &echo); });
  }
  if (words.size() >= 2 && words[0] == "http") {
    return run([&words] { serve(words[1], words, &answerHttp); });
  }
  if (words.size() >= 4 && words[0] == "ask") return run([&words] { ask(words); });
  std::cerr << "tls_peer serve|http FOLDER [WORD...] | ask HOST PORT FOLDER WORD...\n";
  return 2;
}
