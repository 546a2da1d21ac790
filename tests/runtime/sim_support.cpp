#include "sim_support.h"

#include <algorithm>

namespace simtest {
namespace {

struct Alarm {
  explicit Alarm(Loop& itsLoop, Duration wait)
      : timer([](Timer& t) { reinterpret_cast<Alarm&>(t).isOver = true; }), loop(itsLoop) {
    loop.arm(timer, wait);
  }
  ~Alarm() { loop.disarm(timer); }

  Timer timer;
  Loop& loop;
  bool isOver = false;
};

}  // namespace

int World::socket(int domain, int type) {
  Op op(OpKind::socket);
  op.level = domain;
  op.name = type;
  return call(op);
}

std::array<int, 2> World::pair(int type) {
  std::array<int, 2> ends{};
  Op op(OpKind::socketPair);
  op.level = AF_UNIX;
  op.name = type;
  op.setBuffer(ends.data(), sizeof ends);
  REQUIRE(call(op) == 0);
  return ends;
}

std::array<int, 2> World::pipe() {
  std::array<int, 2> ends{};
  Op op(OpKind::pipe);
  op.setBuffer(ends.data(), sizeof ends);
  REQUIRE(call(op) == 0);
  return ends;
}

int World::bind(int descriptor, const Where& where) {
  Op op(OpKind::bind, descriptor);
  op.setBuffer(&where.storage, where.length);
  return call(op);
}

int World::listen(int descriptor, int backlog) {
  Op op(OpKind::listen, descriptor);
  op.length = static_cast<std::uint32_t>(backlog);
  return call(op);
}

int World::shutdown(int descriptor, int how) {
  Op op(OpKind::shutdown, descriptor);
  op.flags = static_cast<std::uint32_t>(how);
  return call(op);
}

int World::close(int descriptor) {
  Op op(OpKind::close, descriptor);
  return call(op);
}

int World::setOption(int descriptor, int level, int name, int value) {
  Op op(OpKind::setOption, descriptor);
  op.level = level;
  op.name = name;
  op.setBuffer(&value, sizeof value);
  return call(op);
}

int World::option(int descriptor, int level, int name) {
  int value = -1;
  std::uint32_t length = sizeof value;
  Op op(OpKind::getOption, descriptor);
  op.level = level;
  op.name = name;
  op.setBuffer(&value, sizeof value);
  op.lengthInOut = &length;
  REQUIRE(call(op) == 0);
  return value;
}

Where World::name(int descriptor, OpKind which) {
  Where where;
  where.length = sizeof where.storage;
  Op op(which, descriptor);
  op.setBuffer(&where.storage, where.length);
  op.lengthInOut = &where.length;
  REQUIRE(call(op) == 0);
  return where;
}

Job& World::make(OpKind kind, int descriptor) {
  return *jobs_.emplace_back(std::make_unique<Job>(kind, descriptor));
}

Job& World::recv(int descriptor, std::size_t bytes, std::uint32_t flags) {
  Job& job = make(OpKind::recv, descriptor);
  job.bytes.resize(bytes);
  job.op().setBuffer(job.bytes.data(), bytes);
  job.op().flags = flags;
  return submit(job);
}

Job& World::send(int descriptor, std::string bytes, std::uint32_t flags) {
  Job& job = make(OpKind::send, descriptor);
  job.bytes = std::move(bytes);
  job.op().setBuffer(job.bytes.data(), job.bytes.size());
  job.op().flags = flags;
  return submit(job);
}

Job& World::connect(int descriptor, const Where& where) {
  const Where& kept = addresses_.emplace_back(where);
  Job& job = make(OpKind::connect, descriptor);
  job.op().setBuffer(&kept.storage, kept.length);
  return submit(job);
}

void World::finish(std::initializer_list<Job*> jobs) {
  Alarm alarm(loop, 1h);
  const auto allDone = [&jobs] {
    return std::all_of(jobs.begin(), jobs.end(), [](const Job* job) { return job->isDone(); });
  };
  while (!allDone()) {
    REQUIRE_MESSAGE(!alarm.isOver, "an operation did not end");
    loop.step();
  }
}

void World::pass(Duration time) {
  Alarm alarm(loop, time);
  while (!alarm.isOver) loop.step();
}

int World::listener(int backlog) {
  const int descriptor = socket();
  REQUIRE(bind(descriptor, Where::loopback()) == 0);
  REQUIRE(listen(descriptor, backlog) == 0);
  return descriptor;
}

std::array<int, 2> World::connection() {
  const int door = listener();
  const int client = socket();
  REQUIRE(result(connect(client, name(door))) == 0);
  const int server = result(start(OpKind::accept, door));
  REQUIRE(server >= 0);
  REQUIRE(close(door) == 0);
  return {client, server};
}

std::string pattern(std::size_t bytes, std::size_t from) {
  std::string result(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) result[i] = static_cast<char>((from + i) * 31 % 251);
  return result;
}

}  // namespace simtest
