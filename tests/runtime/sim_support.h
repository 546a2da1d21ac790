// A bare loop on the sim kernel, and operations that remember how they ended.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>

#include "plait/detail/loop.h"
#include "plait/sim.h"
#include "sim_kernel.h"

namespace simtest {

using namespace plait;
using namespace std::chrono_literals;
using detail::Loop;
using detail::Op;
using detail::OpKind;
using detail::SimKernel;
using detail::Task;
using detail::Timer;

// An operation; its completion stores the result and enqueues the Job, which then runs `then`.
class Job final : public Task {
 public:
  Job(OpKind kind, int descriptor) : Task(&Job::runThen), link_(kind, descriptor, *this) {
    static_assert(std::is_standard_layout_v<Link>);
    link_.op.complete = &Job::completed;
  }

  Op& op() { return link_.op; }
  bool isDone() const { return !results.empty() && !more; }
  int result() const {
    REQUIRE(isDone());
    return results.back();
  }

  std::vector<int> results;
  bool more = false;
  std::string bytes;  // what it sends, or room for what it receives
  std::string text() const { return bytes.substr(0, static_cast<std::size_t>(result())); }
  std::function<void(Job&)> then;

 private:
  struct Link {
    Link(OpKind kind, int descriptor, Job& itsJob) : op(kind, descriptor), job(&itsJob) {}
    Op op;
    Job* job;
  };

  static void completed(Op& op, std::int32_t result, bool more) {
    Job& self = *reinterpret_cast<Link&>(op).job;
    self.results.push_back(result);
    self.more = more;
    if (self.then && !self.isQueued_) {
      self.isQueued_ = true;
      Loop::current()->enqueue(self);
    }
  }
  static void runThen(Task& task) {
    Job& self = static_cast<Job&>(task);
    self.isQueued_ = false;
    self.then(self);
  }

  Link link_;
  bool isQueued_ = false;
};

// An internet or unix address as the socket calls take it.
struct Where {
  sockaddr_storage storage{};
  std::uint32_t length = 0;

  static Where v4(std::uint32_t host, std::uint16_t port) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    in.sin_addr.s_addr = htonl(host);
    return of(in, sizeof in);
  }
  static Where v6(const in6_addr& host, std::uint16_t port) {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    in.sin6_addr = host;
    return of(in, sizeof in);
  }
  static Where path(std::string_view path) {
    sockaddr_un un{};
    un.sun_family = AF_UNIX;
    std::memcpy(un.sun_path, path.data(), path.size());
    return of(un, static_cast<std::uint32_t>(offsetof(sockaddr_un, sun_path) + path.size()));
  }
  static Where loopback(std::uint16_t port = 0) { return v4(INADDR_LOOPBACK, port); }

  std::uint16_t port() const {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
  }

 private:
  template <class T>
  static Where of(const T& from, std::uint32_t length) {
    Where result;
    std::memcpy(&result.storage, &from, sizeof from);
    result.length = length;
    return result;
  }
};

class World final {
 public:
  explicit World(const SimOptions& options = SimOptions::calm(), detail::SimFault fault = {})
      : World(std::make_unique<SimKernel>(options, std::move(fault))) {}
  ~World() {
    for (const auto& job : jobs_) {
      if (job->op().inFlight) kernel.cancel(job->op());
    }
    while (kernel.inFlight() > 0) loop.step();
  }

  // The calls that never wait.
  int socket(int domain = AF_INET, int type = SOCK_STREAM);
  std::array<int, 2> pair(int type = SOCK_STREAM);
  std::array<int, 2> pipe();
  int bind(int descriptor, const Where& where);
  int listen(int descriptor, int backlog = 16);
  int shutdown(int descriptor, int how);
  int close(int descriptor);
  int setOption(int descriptor, int level, int name, int value);
  int option(int descriptor, int level, int name);
  Where name(int descriptor, OpKind which = OpKind::localName);
  int call(Op& op) { return kernel.call(op); }

  // Operations; they live as long as the World.
  Job& make(OpKind kind, int descriptor);
  Job& submit(Job& job) {
    kernel.submit(job.op());
    return job;
  }
  Job& start(OpKind kind, int descriptor) { return submit(make(kind, descriptor)); }
  Job& recv(int descriptor, std::size_t bytes, std::uint32_t flags = 0);
  Job& send(int descriptor, std::string bytes, std::uint32_t flags = 0);
  Job& connect(int descriptor, const Where& where);

  // Steps the loop until they are done; an hour of virtual time is a failure.
  void finish(std::initializer_list<Job*> jobs);
  int result(Job& job) {
    finish({&job});
    return job.result();
  }
  void pass(Duration time);  // steps the loop until so much virtual time has passed

  // A tcp listener on a port of the network's choice, and a connection to it.
  int listener(int backlog = 16);
  std::array<int, 2> connection();

  SimKernel& kernel;
  Loop loop;

 private:
  explicit World(std::unique_ptr<SimKernel> itsKernel)
      : kernel(*itsKernel), loop(std::move(itsKernel)) {}

  std::deque<std::unique_ptr<Job>> jobs_;
  std::deque<Where> addresses_;
};

// `bytes` of a pattern that shows where it was cut.
std::string pattern(std::size_t bytes, std::size_t from = 0);

}  // namespace simtest
