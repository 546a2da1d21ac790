// Names, options and datagrams of the sim network.
#include <unistd.h>

#include "sim_support.h"

using namespace simtest;

namespace {

constexpr in6_addr kLoopback6 = IN6ADDR_LOOPBACK_INIT;
constexpr in6_addr kAny6 = IN6ADDR_ANY_INIT;

// A message with its buffers, for one sendMessage or recvMessage.
struct Message {
  explicit Message(std::string itsBytes) : bytes(std::move(itsBytes)) {
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    piece = {bytes.data(), bytes.size()};
    header.msg_name = &peer.storage;
    header.msg_namelen = sizeof peer.storage;
  }
  void to(const Where& where) {
    peer = where;
    header.msg_namelen = where.length;
  }

  std::string bytes;
  Where peer;
  iovec piece{};
  msghdr header{};
};

Job& startMessage(World& world, OpKind kind, int descriptor, Message& message) {
  Job& job = world.make(kind, descriptor);
  job.op().buffer = &message.header;
  return world.submit(job);
}

int boundUdp(World& world) {
  const int descriptor = world.socket(AF_INET, SOCK_DGRAM);
  REQUIRE(world.bind(descriptor, Where::loopback()) == 0);
  return descriptor;
}

bool canConnect(World& world, int domain, const Where& where) {
  return world.result(world.connect(world.socket(domain), where)) == 0;
}

}  // namespace

TEST_CASE("both ends of a connection know each other's name") {
  World world;
  const auto [client, server] = world.connection();

  CHECK(world.name(client).port() == world.name(server, OpKind::peerName).port());
  CHECK(world.name(server).port() == world.name(client, OpKind::peerName).port());
  CHECK(world.name(client).port() != 0);
  CHECK(world.name(client).port() != world.name(server).port());
}

TEST_CASE("a name is cut at the room given, and its length told") {
  World world;
  const int descriptor = world.listener();
  char room[4] = {'a', 'a', 'a', 'a'};
  std::uint32_t length = 3;
  Op op(OpKind::localName, descriptor);
  op.setBuffer(room, sizeof room);
  op.lengthInOut = &length;

  CHECK(world.call(op) == 0);

  CHECK(length == sizeof(sockaddr_in));
  CHECK(room[3] == 'a');
}

TEST_CASE("a port can be bound once, unless both share it") {
  World world;
  const int first = world.listener();
  const Where where = world.name(first);
  const int second = world.socket();
  CHECK(world.bind(second, where) == -EADDRINUSE);
  CHECK(world.bind(second, Where::v4(INADDR_ANY, where.port())) == -EADDRINUSE);
  world.setOption(first, SOL_SOCKET, SO_REUSEPORT, 1);
  CHECK(world.bind(second, where) == -EADDRINUSE);

  world.setOption(second, SOL_SOCKET, SO_REUSEPORT, 1);

  CHECK(world.bind(second, where) == 0);
  CHECK(world.bind(world.socket(AF_INET, SOCK_DGRAM), where) == 0);
}

TEST_CASE("listeners that share a port share its connections") {
  World world;
  const int first = world.socket();
  const int second = world.socket();
  for (const int each : {first, second}) world.setOption(each, SOL_SOCKET, SO_REUSEPORT, 1);
  REQUIRE(world.bind(first, Where::loopback()) == 0);
  REQUIRE(world.bind(second, world.name(first)) == 0);
  for (const int each : {first, second}) REQUIRE(world.listen(each, 20) == 0);

  Job& one = world.start(OpKind::acceptMany, first);
  Job& other = world.start(OpKind::acceptMany, second);
  for (int i = 0; i < 20; ++i) CHECK(canConnect(world, AF_INET, world.name(first)));
  world.pass(1ms);

  CHECK(one.results.size() + other.results.size() == 20);
  CHECK(one.results.size() > 4);
  CHECK(other.results.size() > 4);
}

TEST_CASE("a wildcard listener is reached by every loopback address of its versions") {
  World world;
  const int door = world.socket(AF_INET6);
  REQUIRE(world.bind(door, Where::v6(kAny6, 8080)) == 0);
  REQUIRE(world.listen(door) == 0);
  CHECK(canConnect(world, AF_INET6, Where::v6(kLoopback6, 8080)));
  CHECK(canConnect(world, AF_INET, Where::loopback(8080)));
  CHECK(canConnect(world, AF_INET, Where::v4(0x7f000002, 8080)));

  const int only = world.socket(AF_INET6);
  world.setOption(only, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  REQUIRE(world.bind(only, Where::v6(kAny6, 8081)) == 0);
  REQUIRE(world.listen(only) == 0);

  CHECK(canConnect(world, AF_INET6, Where::v6(kLoopback6, 8081)));
  CHECK_FALSE(canConnect(world, AF_INET, Where::loopback(8081)));
}

TEST_CASE("only loopback addresses are there") {
  World world;

  CHECK(world.bind(world.socket(), Where::v4(0x0a000001, 80)) == -EADDRNOTAVAIL);
  CHECK(world.result(world.connect(world.socket(), Where::v4(0x0a000001, 80))) == -ENETUNREACH);
  CHECK(world.bind(world.socket(), Where::path("short")) == -EINVAL);
  CHECK(world.bind(world.socket(), Where::path("long as an address")) == -EAFNOSUPPORT);
}

TEST_CASE("a unix path lives until it is unlinked, an abstract name until its socket is closed") {
  World world;
  const std::string path = "/sim/socket";
  const Where named = Where::path(path);
  const Where abstract = Where::path(std::string_view("\0name", 5));
  const int door = world.socket(AF_UNIX);
  CHECK(world.result(world.connect(world.socket(AF_UNIX), named)) == -ENOENT);
  REQUIRE(world.bind(door, named) == 0);
  CHECK(world.result(world.connect(world.socket(AF_UNIX), named)) == -ECONNREFUSED);
  REQUIRE(world.listen(door) == 0);
  CHECK(canConnect(world, AF_UNIX, named));

  world.close(door);
  CHECK(world.result(world.connect(world.socket(AF_UNIX), named)) == -ECONNREFUSED);
  CHECK(world.bind(world.socket(AF_UNIX), named) == -EADDRINUSE);
  Op unlink(OpKind::unlink);
  unlink.setBuffer(path.c_str(), path.size());
  CHECK(world.call(unlink) == 0);
  CHECK(world.call(unlink) == -ENOENT);
  CHECK(world.bind(world.socket(AF_UNIX), named) == 0);

  const int hidden = world.socket(AF_UNIX);
  REQUIRE(world.bind(hidden, abstract) == 0);
  CHECK(world.bind(world.socket(AF_UNIX), abstract) == -EADDRINUSE);
  world.close(hidden);
  CHECK(world.bind(world.socket(AF_UNIX), abstract) == 0);
}

TEST_CASE("a socket without a name gets one of its own") {
  World world;
  const int one = world.socket(AF_UNIX, SOCK_DGRAM);
  const int other = world.socket(AF_UNIX, SOCK_DGRAM);

  REQUIRE(world.bind(one, Where::path("")) == 0);
  REQUIRE(world.bind(other, Where::path("")) == 0);

  const Where first = world.name(one);
  const Where second = world.name(other);
  CHECK(first.length == sizeof(sa_family_t) + 6);
  CHECK(second.length == first.length);
  CHECK(std::memcmp(&first.storage, &second.storage, first.length) != 0);
}

TEST_CASE("options are kept and given back, and those about state are answered") {
  World world;
  const auto [client, server] = world.connection();

  CHECK(world.option(client, SOL_SOCKET, SO_KEEPALIVE) == 0);
  CHECK(world.setOption(client, SOL_SOCKET, SO_KEEPALIVE, 1) == 0);

  CHECK(world.option(client, SOL_SOCKET, SO_KEEPALIVE) == 1);
  CHECK(world.option(server, SOL_SOCKET, SO_KEEPALIVE) == 0);
  CHECK(world.option(client, SOL_SOCKET, SO_TYPE) == SOCK_STREAM);
  CHECK(world.option(client, SOL_SOCKET, SO_DOMAIN) == AF_INET);
  CHECK(world.option(client, SOL_SOCKET, SO_ERROR) == 0);
  CHECK(world.option(world.listener(), SOL_SOCKET, SO_ACCEPTCONN) == 1);
}

TEST_CASE("SO_SNDBUF bounds what a socket buffers") {
  World world;
  const auto [one, other] = world.connection();

  world.setOption(one, SOL_SOCKET, SO_SNDBUF, 5000);

  CHECK(world.option(one, SOL_SOCKET, SO_SNDBUF) == 10'000);
  CHECK(world.result(world.send(one, pattern(50'000))) == 10'000);
  CHECK(world.result(world.send(other, pattern(50'000))) == 50'000);
}

TEST_CASE("datagrams arrive whole, in order and with their sender's name") {
  World world(SimOptions::hostile(5));
  const int one = boundUdp(world);
  const int other = boundUdp(world);
  Message first(pattern(1000));
  Message second("second");
  Message empty("");
  for (Message* each : {&first, &second, &empty}) {
    each->to(world.name(other));
    const int sent = world.result(startMessage(world, OpKind::sendMessage, one, *each));
    CHECK(sent == static_cast<int>(each->bytes.size()));
  }

  for (const Message* each : {&first, &second, &empty}) {
    Message got(std::string(2000, '\0'));
    const int count = world.result(startMessage(world, OpKind::recvMessage, other, got));
    CHECK(got.bytes.substr(0, static_cast<std::size_t>(count)) == each->bytes);
    CHECK(got.peer.port() == world.name(one).port());
    CHECK(got.header.msg_flags == 0);
  }
}

TEST_CASE("a datagram is cut at the room given, and says so") {
  World world;
  const auto [one, other] = world.pair(SOCK_DGRAM);
  world.result(world.send(one, "long message"));
  world.result(world.send(one, "next"));
  Message got(std::string(4, '\0'));

  CHECK(world.result(startMessage(world, OpKind::recvMessage, other, got)) == 4);

  CHECK(got.bytes == "long");
  CHECK(got.header.msg_flags == MSG_TRUNC);
  CHECK(world.result(world.recv(other, 99)) == 4);
}

TEST_CASE("a connected udp socket hears only its peer, and hears that nobody is there") {
  World world;
  const int one = boundUdp(world);
  const int other = boundUdp(world);
  const int stranger = boundUdp(world);
  REQUIRE(world.result(world.connect(one, world.name(other))) == 0);
  REQUIRE(world.result(world.connect(stranger, world.name(one))) == 0);
  REQUIRE(world.result(world.connect(other, world.name(one))) == 0);

  world.result(world.send(stranger, "not for you"));
  world.result(world.send(other, "for you"));
  Job& got = world.recv(one, 99);
  world.finish({&got});
  CHECK(got.text() == "for you");

  world.close(other);
  CHECK(world.result(world.send(one, "anybody?")) == 8);
  CHECK(world.result(world.recv(one, 1)) == -ECONNREFUSED);
}

TEST_CASE("udp drops what finds no room, a unix socket's sender waits") {
  SimOptions options;
  options.socketBytes = 100;
  World world(options);
  const int one = boundUdp(world);
  const int other = boundUdp(world);
  world.result(world.connect(one, world.name(other)));
  for (int i = 0; i < 3; ++i) CHECK(world.result(world.send(one, pattern(60))) == 60);
  CHECK(world.result(world.recv(other, 99)) == 60);
  CHECK(world.result(world.recv(other, 99, MSG_DONTWAIT)) == -EAGAIN);

  const auto [near, far] = world.pair(SOCK_DGRAM);
  CHECK(world.result(world.send(near, pattern(60))) == 60);
  Job& second = world.send(near, pattern(60));
  world.pass(1h);
  CHECK_FALSE(second.isDone());
  CHECK(world.result(world.recv(far, 99)) == 60);
  CHECK(world.result(second) == 60);
}

TEST_CASE("many datagrams go and come in one call, as many as there are") {
  World world;
  const auto [one, other] = world.pair(SOCK_DGRAM);
  std::array<char[8], 4> buffers{};
  std::array<iovec, 4> pieces{};
  std::array<mmsghdr, 4> messages{};
  for (std::size_t i = 0; i < 4; ++i) {
    pieces[i] = {buffers[i], i + 1};
    messages[i].msg_hdr.msg_iov = &pieces[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  Op send(OpKind::sendMany, one);
  send.buffer = messages.data();
  send.length = 3;
  Op receive(OpKind::receiveMany, other);
  receive.buffer = messages.data();
  receive.length = 4;

  CHECK(world.call(receive) == -EAGAIN);
  CHECK(world.call(send) == 3);
  for (iovec& piece : pieces) piece.iov_len = 8;
  CHECK(world.call(receive) == 3);
  CHECK(messages[2].msg_len == 3);
}

TEST_CASE("descriptors cannot be passed") {
  World world;
  const auto [one, other] = world.pair();
  Message message("x");
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  message.header.msg_name = nullptr;
  message.header.msg_namelen = 0;
  message.header.msg_control = control;
  message.header.msg_controllen = sizeof control;
  cmsghdr* const rights = CMSG_FIRSTHDR(&message.header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));

  CHECK(world.result(startMessage(world, OpKind::sendMessage, one, message)) == -EOPNOTSUPP);
  CHECK(world.result(world.recv(other, 1, MSG_DONTWAIT)) == -EAGAIN);
}
