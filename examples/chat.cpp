// A chat server. One fiber reads from a member and one writes to it. What a member has not taken
// yet waits in its outbox; a speaker waits while that is full; a member who is too slow is dropped.
//
//   chat [ENDPOINT]     default tcp:127.0.0.1:7100; then: nc 127.0.0.1 7100
//   /join ROOM   /nick NAME   /list   /quit   and any other line is said to the room
#include <csignal>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include <plait/plait.h>

using namespace plait;

constexpr std::size_t kLineMax = 1000;   // bytes
constexpr std::size_t kOutboxMax = 200;  // lines that wait for one member
constexpr auto kPatience = 2s;           // until a member must have taken what is written to it

struct Member {
  void hear(const std::string& line) {
    try {
      outbox.put(line + "\n");
    } catch (const QueueClosed&) {  // it is leaving
    }
  }
  std::string nick, room;
  Queue<std::string> outbox{kOutboxMax};
};
using MemberPointer = std::shared_ptr<Member>;  // shared with a speaker who waits for its outbox

struct Room {
  void say(const std::string& line) {
    const CancelShield shield;  // to all of them, even if the speaker is dropped meanwhile
    const std::lock_guard lock(turn);
    for (const MemberPointer& member : std::set(members)) member->hear(line);
  }
  Mutex turn;  // one line after the other, so that all members see the same order
  std::set<MemberPointer> members;
};
std::map<std::string, Room> rooms;  // that have members; who speaks in a room is one of them

void enter(const MemberPointer& me, const std::string& room) {  // "" is outside
  rooms[me->room].members.erase(me);
  if (rooms[me->room].members.empty()) rooms.erase(me->room);
  if (!room.empty()) rooms[room].members.insert(me);
  me->room = room;
}

std::string list() {
  const LoopStatistics loop = loopStatistics();
  std::string text = "* " + std::to_string(loop.stacks) + " fibers, " +
                     std::to_string(loop.enters) + " kernel entries";
  for (const auto& [name, room] : rooms) {
    text += "\n* " + name + ":";
    for (const MemberPointer& member : room.members) text += " " + member->nick;
  }
  return text;
}

void obey(const MemberPointer& me, const std::string& line) {
  if (line == "/list") return me->hear(list());
  if (line.starts_with("/join ")) return enter(me, line.substr(6));
  if (line.starts_with("/nick ")) return me->hear("* you are " + (me->nick = line.substr(6)));
  if (me->room.empty()) return me->hear("* first /join ROOM");
  rooms[me->room].say(me->nick + ": " + line);
}

void serve(net::SocketStream& stream) {
  static int guests = 0;
  const auto me = std::make_shared<Member>("guest" + std::to_string(++guests));
  const std::shared_ptr<void> whenGone(nullptr, [&me](void*) { enter(me, ""); });
  const auto read = [&] {
    net::BufferedStream input(stream);
    while (const auto line = input.readLine(kLineMax)) {
      if (line == "/quit") break;
      obey(me, *line);
    }
    me->outbox.close();  // what waits in it is still delivered
  };
  const auto write = [&] {
    const std::shared_ptr<void> whenDone(nullptr, [&me](void*) { me->outbox.close(); });
    while (auto text = me->outbox.next()) {
      while (const auto more = me->outbox.tryGet()) *text += *more;  // all in one write
      withTimeout(kPatience, [&] { stream.writeAll(*text); });
    }
  };
  all(read, write);
}

int main(int argc, char** argv) {
  return run([&] {
    net::Server server(argc > 1 ? argv[1] : "tcp:127.0.0.1:7100", serve, {.stopGrace = 0s});
    server.stopOn({SIGINT, SIGTERM});
    std::cout << "listening on " << server.address().toString() << std::endl;
    server.serve();
  });
}
