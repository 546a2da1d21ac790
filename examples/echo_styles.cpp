// The same echo server in the four styles, on one loop: choose per part of a program.
//
//   echo_styles fiber|deferred|coroutine|protocol
#include <iostream>
#include <map>

#include <plait/interop.h>

using namespace plait;
using Client = std::shared_ptr<net::SocketStream>;

// Reads and writes as Deferreds. They own what they use, so nobody has to wait for them.
Deferred<std::string> read(Client client) {
  return deferToGreenlet([client] {
    std::string data(16384, '\0');
    data.resize(client->readSome(std::as_writable_bytes(std::span(data))));
    return data;
  });
}
Deferred<void> write(Client client, std::string data) {
  return deferToGreenlet([client, data = std::move(data)] { client->writeAll(data); });
}

void echoFiber(Client client) {
  std::array<std::byte, 16384> buffer;
  while (const std::size_t count = client->readSome(buffer)) {
    client->writeAll(net::Bytes(buffer).first(count));
  }
}

void echoDeferred(Client client) {
  read(client)
      .addCallback([client](std::string data) {
        if (data.empty()) return;
        write(client, std::move(data)).addCallback([client] { echoDeferred(client); });
      })
      .addErrback([](const Failure& failure) { failure.trap<ConnectionClosed>(); });
}

Deferred<void> echoCoroutine(Client client) {
  for (;;) {
    std::string data = co_await read(client);
    if (data.empty()) co_return;
    co_await write(client, std::move(data));
  }
}

struct EchoProtocol : Protocol {
  void dataReceived(std::string_view data) override { transport().write(data); }
};

int main(int argc, char** argv) {
  const std::map<std::string, std::function<void(Client)>> styles = {
      {"fiber", [](Client client) { spawn([client] { echoFiber(client); }); }},
      {"deferred", echoDeferred},
      {"coroutine", echoCoroutine}};
  const std::string style = argc > 1 ? argv[1] : "fiber";
  reactor().callWhenRunning([&] {
    if (style == "protocol") {
      const auto port = listenTCP(0, Factory::forProtocol<EchoProtocol>(), 50, "127.0.0.1");
      std::cout << "listening on " << port.getHost().toString() << std::endl;
      return;
    }
    net::Listener listener = net::listen("tcp:127.0.0.1:0");
    std::cout << "listening on " << listener.address().toString() << std::endl;
    for (;;) styles.at(style)(std::make_shared<net::SocketStream>(listener.accept()));
  });
  reactor().run();
}
