// A chat server with rooms. A fiber reads from each member and a fiber writes to it; what a slow
// reader has not taken yet waits in its outbox, whoever speaks waits while that is full, and a
// member who leaves it full is dropped.
//
//   chat [ENDPOINT]     default tcp:127.0.0.1:7100; then: nc 127.0.0.1 7100
//   /nick NAME   /join ROOM   /list   /stats   /quit   and every other line is said to the room
#include <plait/plait.h>

#include <csignal>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

using namespace plait;

constexpr std::size_t kLineMax = 1000;       // bytes of a line
constexpr std::size_t kOutboxMax = 200;      // lines that wait for a reader
constexpr int kUnsentMax = 65'536;           // bytes that wait in the kernel besides
constexpr auto kPatience = 1s;               // how long a speaker waits for a full outbox

using Line = std::shared_ptr<const std::string>;  // shared by the outboxes of a room
