// The chat itself: rooms, their members, and what was said. It knows nothing of connections.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "history.h"
#include <plait/plait.h>

constexpr std::size_t kOutboxMax = 200;  // lines that wait for one member
constexpr std::size_t kRecentMax = 50;   // lines that a newcomer is told

struct Member {
  void hear(const std::string& line);
  std::string nick, room;
  plait::Queue<std::string> outbox{kOutboxMax};
};
using MemberPointer = std::shared_ptr<Member>;  // shared with a speaker who waits for its outbox

struct Room {
  plait::Mutex turn;  // one line after the other, so that all members see the same order
  std::set<MemberPointer> members;
  std::optional<std::deque<std::string>> recent;  // once somebody needed it
};

class Chat {
 public:
  explicit Chat(History& history) : history_(history) {}

  // A member's life: reads lines until there is none, and writes what it hears.
  using Read = std::function<std::optional<std::string>()>;
  using Write = std::function<void(const std::string& lines)>;
  void serve(const Read& read, const Write& write);

  // A line for each room: "* NAME: NICK NICK"; the last one has no end.
  std::string list() const;

 private:
  void obey(const MemberPointer& me, const std::string& line);
  void enter(const MemberPointer& me, const std::string& name);
  void leave(const MemberPointer& me);
  void say(const MemberPointer& me, const std::string& line);

  History& history_;
  std::map<std::string, std::shared_ptr<Room>> rooms_;  // shared with who waits for its turn
  int guests_ = 0;
};
