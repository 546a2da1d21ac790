#!/usr/bin/python3
"""A chat server that speaks as examples/chat does and, as FAULT says, makes one mistake to one member:

`lose` a line, say it `twice`, or `swap` it with the next one.  With `nothing` it makes none.
"""

import asyncio
import os
import signal

FAULT = os.environ.get("FAULT", "nothing")
FAULT_AT = 3  # the line of a room with which it happens

rooms = {}


class Room:
    def __init__(self):
        self.members = []
        self.lines = 0
        self.held = None

    def say(self, speaker, line):
        self.lines += 1
        victim = self.members[0] if self.members[0] is not speaker else self.members[-1]
        for member in self.members:
            if member is victim and self.lines == FAULT_AT and FAULT != "nothing":
                self.fail(member, line)
            else:
                member.write(line)
                if member is victim and self.held:
                    member.write(self.held)
                    self.held = None

    def fail(self, victim, line):
        if FAULT == "twice":
            victim.write(line + line)
        elif FAULT == "swap":
            self.held = line


async def serve(reader, writer):
    nick, room = "guest", None
    while (line := await reader.readline()) and line != b"/quit\n":
        if line.startswith(b"/join "):
            room = rooms.setdefault(line[6:], Room())
            room.members.append(writer)
        elif line.startswith(b"/nick "):
            nick = line[6:-1].decode()
            writer.write(f"* you are {nick}\n".encode())
        elif line == b"/list\n":
            writer.write(b"* 1 fibers, 1 kernel entries\n")
        else:
            room.say(writer, nick.encode() + b": " + line)
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1000)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    print("listening on %s:%d" % server.sockets[0].getsockname(), flush=True)
    await ended.wait()
    # The end of the run cancels who is still served.


asyncio.run(main())
