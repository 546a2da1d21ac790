#include "chat.h"

#include <mutex>

using namespace plait;

constexpr auto kPatience = 2s;  // until a member must have taken what is written to it

void Member::hear(const std::string& line) {
  try {
    outbox.put(line + "\n");
  } catch (const QueueClosed&) {  // it is leaving
  }
}

void Chat::serve(const Read& read, const Write& write) {
  const auto me = std::make_shared<Member>("guest" + std::to_string(++guests_));
  const std::shared_ptr<void> whenGone(nullptr, [this, &me](void*) { leave(me); });
  const auto listen = [&] {
    while (const auto line = read()) {
      if (*line == "/quit") break;
      obey(me, *line);
    }
    me->outbox.close();  // what waits in it is still delivered
  };
  const auto tell = [&] {
    const std::shared_ptr<void> whenDone(nullptr, [&me](void*) { me->outbox.close(); });
    while (auto text = me->outbox.next()) {
      while (const auto more = me->outbox.tryGet()) *text += *more;  // all in one write
      withTimeout(kPatience, [&] { write(*text); });
    }
  };
  all(listen, tell);
}

std::string Chat::list() const {
  std::string text;
  for (const auto& [name, room] : rooms_) {
    text += (text.empty() ? "* " : "\n* ") + name + ":";
    for (const MemberPointer& member : room->members) text += " " + member->nick;
  }
  return text;
}

void Chat::obey(const MemberPointer& me, const std::string& line) {
  if (line == "/list") {
    const LoopStatistics loop = loopStatistics();
    return me->hear("* " + std::to_string(loop.stacks) + " fibers, " + std::to_string(loop.enters) +
                    " kernel entries\n" + list());
  }
  if (line.starts_with("/join ")) return enter(me, line.substr(6));
  if (line.starts_with("/nick ")) return me->hear("* you are " + (me->nick = line.substr(6)));
  if (me->room.empty()) return me->hear("* first /join ROOM");
  say(me, line);
}

void Chat::enter(const MemberPointer& me, const std::string& name) {
  leave(me);
  auto& place = rooms_[name];
  if (!place) place = std::make_shared<Room>();
  const std::shared_ptr<Room> room = place;
  room->members.insert(me);
  me->room = name;
  const std::lock_guard lock(room->turn);  // nobody speaks while the newcomer is told
  if (!room->recent) room->recent = history_.recent(name, kRecentMax);
  std::string lines;
  for (const std::string& line : *room->recent) lines += (lines.empty() ? "~ " : "\n~ ") + line;
  if (!lines.empty()) me->hear(lines);
}

void Chat::leave(const MemberPointer& me) {
  const auto room = rooms_.find(std::exchange(me->room, ""));
  if (room == rooms_.end()) return;
  room->second->members.erase(me);
  if (room->second->members.empty()) rooms_.erase(room);
}

void Chat::say(const MemberPointer& me, const std::string& line) {
  const CancelShield shield;  // to all of them, even if the speaker is dropped meanwhile
  const std::shared_ptr<Room> room = rooms_.at(me->room);
  const std::lock_guard lock(room->turn);
  const std::string said = me->nick + ": " + line;
  if (!room->recent) room->recent = history_.recent(me->room, kRecentMax);
  room->recent->push_back(said);
  if (room->recent->size() > kRecentMax) room->recent->pop_front();
  history_.add(me->room, said);
  for (const MemberPointer& member : std::set(room->members)) member->hear(said);
}
