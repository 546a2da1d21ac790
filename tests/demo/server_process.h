// The chat server as a process of its own: started, looked at from outside, stopped.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

class ServerProcess final {
 public:
  // Starts `program` on free ports of the loopback, with a history that goes with it, and waits
  // until it says where it listens for lines and where its page is. It ends with this process,
  // however that ends. Blocks the thread. Throws: std::runtime_error.
  explicit ServerProcess(const std::string& program);
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  // Kills it, if it still runs.
  ~ServerProcess();

  const std::string& host() const noexcept { return host_; }
  const std::string& port() const noexcept { return port_; }
  std::string endpoint() const { return "tcp:" + host_ + ":" + port_; }
  const std::string& page() const noexcept { return page_; }  // "http://127.0.0.1:7180/"
  std::string liveUrl() const { return "ws" + page_.substr(4) + "live"; }
  double residentMegabytes() const;

  // Asks it to end, and waits. True if it ended by itself and with status 0. Blocks the thread.
  bool stop();
  // Waits until somebody else has ended it. Blocks the thread.
  bool wait();

 private:
  void readAddresses(int output);

  pid_t process_ = -1;
  std::string host_;
  std::string port_;
  std::string page_;
};
