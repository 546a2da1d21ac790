#!/usr/bin/python3
"""A chat server that speaks as examples/chat does and, as FAULT says, makes one mistake to one member:

`lose` a line, say it `twice`, or `swap` it with the next one.  With `nothing` it makes none.
"""

import asyncio
import base64
import hashlib
import os
import signal
import struct

FAULT = os.environ.get("FAULT", "nothing")
FAULT_AT = 3  # the line of a room with which it happens
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

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
                member.hear(line)
                if member is victim and self.held:
                    member.hear(self.held)
                    self.held = None

    def fail(self, victim, line):
        if FAULT == "twice":
            victim.hear(line + line)
        elif FAULT == "swap":
            self.held = line


class Lines:
    """A member at a line."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def read(self):
        line = await self.reader.readline()
        return line.removesuffix(b"\n") if line else None

    def hear(self, lines):
        self.writer.write(lines)


class Page(Lines):
    """A member at a WebSocket; its messages are short and come in one frame."""

    async def open(self):
        head = await self.reader.readuntil(b"\r\n\r\n")
        fields = {}
        for line in head.split(b"\r\n")[1:-2]:
            name, value = line.split(b":", 1)
            fields[name.strip().lower()] = value.strip()
        accept = base64.b64encode(hashlib.sha1(fields[b"sec-websocket-key"] + GUID).digest())
        self.writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                          b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")

    async def read(self):
        try:
            first, second = await self.reader.readexactly(2)
            length = second & 0x7F
            if length == 126:
                length, = struct.unpack(">H", await self.reader.readexactly(2))
            mask = await self.reader.readexactly(4)
            data = await self.reader.readexactly(length)
        except asyncio.IncompleteReadError:
            return None
        if first & 0xF != 1:
            return None
        return bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))

    def hear(self, lines):
        length = bytes([len(lines)]) if len(lines) < 126 else b"\x7e" + struct.pack(">H", len(lines))
        self.writer.write(b"\x81" + length + lines)


async def converse(member):
    nick = "guest"
    room = None
    while (line := await member.read()) is not None and line != b"/quit":
        if line.startswith(b"/join "):
            room = rooms.setdefault(line[6:], Room())
            room.members.append(member)
        elif line.startswith(b"/nick "):
            nick = line[6:].decode()
            member.hear(f"* you are {nick}\n".encode())
        elif line == b"/list":
            member.hear(b"* 1 fibers, 1 kernel entries\n")
        else:
            room.say(member, nick.encode() + b": " + line + b"\n")


async def serve_lines(reader, writer):
    await converse(Lines(reader, writer))
    writer.close()


async def serve_pages(reader, writer):
    member = Page(reader, writer)
    await member.open()
    await converse(member)
    writer.write(b"\x88\x00")
    writer.close()


async def main():
    lines = await asyncio.start_server(serve_lines, "127.0.0.1", 0, backlog=1000)
    pages = await asyncio.start_server(serve_pages, "127.0.0.1", 0, backlog=1000)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    print("listening on %s:%d" % lines.sockets[0].getsockname())
    print("the page is http://%s:%d/" % pages.sockets[0].getsockname(), flush=True)
    await ended.wait()
    # The end of the run cancels who is still served.


asyncio.run(main())
