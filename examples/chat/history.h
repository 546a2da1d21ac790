// What was said, in SQLite. The library blocks, so all its calls are made by one thread of its own,
// and many lines go into one transaction.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include <plait/plait.h>

struct sqlite3;

class History {
 public:
  // Makes the file if it is not there. May switch. Throws: std::runtime_error.
  explicit History(const std::string& file);
  ~History();  // writes what is not yet written

  void add(std::string room, std::string line);  // Never switches: written soon.
  // The last lines of a room, the oldest first. May switch.
  std::deque<std::string> recent(const std::string& room, std::size_t count);

 private:
  void flush();
  void execute(const char* statement);
  void insert(const std::vector<std::pair<std::string, std::string>>& lines);

  plait::ThreadPool thread_{plait::ThreadPoolOptions{.threadsMax = 1}};
  sqlite3* database_ = nullptr;
  std::vector<std::pair<std::string, std::string>> pending_;  // room and line
  plait::Mutex turn_;
  plait::Event isPending_;
  plait::Greenlet<void> writer_;
};
