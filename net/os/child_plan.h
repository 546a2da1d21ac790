// What a child shall be, made ready in the parent: the child itself may only make system calls.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "plait/process.h"

namespace plait::os::detail {

// What is done between the start and the program, in this order.
enum class StartStep : std::uint8_t {
  none,
  endWithParent,
  session,
  group,
  redirect,
  closeOthers,
  keep,
  directory,
  execute,
};

// Plain data: the child reads it in the parent's memory, and leaves there what went wrong.
struct ChildOrders {
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  char* const* programs = nullptr;  // to be tried one after the other; ends with null
  const char* directory = nullptr;  // null: ours
  const int* kept = nullptr;
  std::size_t keptCount = 0;
  int sources[3] = {-1, -1, -1};  // of the standard streams; -1: closed
  int descriptorsMax = 0;
  int parent = 0;  // its process id
  bool newSession = false;
  bool newGroup = false;
  bool endWithParent = false;

  StartStep failed = StartStep::none;
  int reason = 0;  // errno
};

// "sleep 10", shortened.
std::string describeCommand(const std::vector<std::string>& arguments);

class ChildPlan final {
 public:
  // Throws: std::invalid_argument for no arguments, a zero byte, or a name with '='.
  ChildPlan(std::vector<std::string> arguments, const ProcessOptions& options);
  ChildPlan(const ChildPlan&) = delete;
  ChildPlan& operator=(const ChildPlan&) = delete;

  std::string describe() const { return describeCommand(arguments_); }
  // Throws what the child has left in its orders, or `reason` if there is no child.
  [[noreturn]] void throwFailure(int reason) const;

  ChildOrders orders;

 private:
  void makeEnvironment(const ProcessOptions& options);
  void findPrograms();

  std::vector<std::string> arguments_;
  std::vector<std::string> environment_;
  std::vector<std::string> programs_;
  std::vector<int> kept_;
  std::string directory_;
  std::vector<char*> argumentPointers_;
  std::vector<char*> environmentPointers_;
  std::vector<char*> programPointers_;
};

struct StartedChild {
  int id = -1;
  int descriptor = -1;  // its pidfd
};

// Starts it; the calling thread waits until the program runs or has failed to. Throws: IoError;
// then there is no child.
StartedChild startChild(ChildPlan& plan);

}  // namespace plait::os::detail
