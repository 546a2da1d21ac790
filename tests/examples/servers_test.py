"""The example servers, each as a process of its own: servers_test.py FOLDER [TEST...]."""

import json
import signal
import pathlib
import socket
import sys
import tempfile
import threading
import unittest

import program
from program import Case, read_all, read_exactly


class Echo(Case):
    def test_it_sends_back_what_many_clients_send(self):
        server = self.start("echo", "tcp:127.0.0.1:0")
        clients = [self.enterContext(server.connect()) for _ in range(50)]

        for number, client in enumerate(clients):
            client.sendall(f"client {number}".encode() * 100)

        for number, client in enumerate(clients):
            expected = f"client {number}".encode() * 100
            self.assertEqual(read_exactly(client, len(expected)), expected)

    def test_a_client_that_ends_gets_the_end_of_the_stream(self):
        server = self.start("echo", "tcp:127.0.0.1:0")
        client = self.enterContext(server.connect())

        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)

        self.assertEqual(read_all(client), b"last words")

    def test_it_ends_at_both_signals_and_prints_its_statistics_when_asked(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number):
                server = self.start("echo", "tcp:127.0.0.1:0", environment={"PLAIT_STATS": "1"})
                with server.connect() as client:
                    client.sendall(b"x")
                    read_exactly(client, 1)

                self.assertEqual(server.stop(number), 0)

                statistics = json.loads(server.errors)
                self.assertEqual(set(statistics), {"turns", "enters", "sqes", "cqes", "switches"})
                self.assertTrue(all(count > 0 for count in statistics.values()), statistics)
                self.assertEqual(server.output, "")

    def test_a_port_in_use_is_an_error_that_names_it(self):
        server = self.start("echo", "tcp:127.0.0.1:0")

        second = program.run(self.folder, "echo", "tcp:%s:%d" % server.address)

        self.assertNotEqual(second.returncode, 0)
        self.assertIn("%s:%d" % server.address, second.stderr)
        self.assertIn("in use", second.stderr)


class ThreadsEcho(Case):
    def test_it_serves_many_clients_on_two_threads_and_ends_with_all(self):
        server = self.start("threads_echo", "tcp:127.0.0.1:0", "2")
        clients = [self.enterContext(server.connect()) for _ in range(50)]

        for number, client in enumerate(clients):
            client.sendall(b"%06d" % number)

        for number, client in enumerate(clients):
            self.assertEqual(read_exactly(client, 6), b"%06d" % number)


class UdpEcho(Case):
    def test_it_sends_each_datagram_back_to_its_sender(self):
        server = self.start("udp_echo", "0")
        clients = [self.enterContext(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                   for _ in range(20)]

        for number, client in enumerate(clients):
            client.settimeout(program.PATIENCE)
            client.connect(server.address)
            client.send(b"datagram %d" % number)

        for number, client in enumerate(clients):
            self.assertEqual(client.recv(100), b"datagram %d" % number)


class TcpProxy(Case):
    def test_it_passes_both_directions_and_the_half_close_on(self):
        echo = self.start("echo", "tcp:127.0.0.1:0")
        proxy = self.start("tcp_proxy", "tcp:127.0.0.1:0", "tcp:%s:%d" % echo.address)
        client = self.enterContext(proxy.connect())
        data = bytes(range(256)) * 4096

        sender = threading.Thread(
            target=lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)))
        sender.start()
        received = read_all(client)
        sender.join()

        self.assertEqual(received, data)

    def test_a_client_whose_target_refuses_is_hung_up_on_and_others_are_served(self):
        listener = socket.create_server(("127.0.0.1", 0))
        target = listener.getsockname()
        listener.close()
        proxy = self.start("tcp_proxy", "tcp:127.0.0.1:0", "tcp:%s:%d" % target)

        for _ in range(2):
            with proxy.connect() as client:
                self.assertEqual(read_all(client), b"")

        self.assertEqual(proxy.stop(), 0)
        self.assertIn("%s:%d" % target, proxy.errors)


class Member:
    """One who chats: says lines, and reads them one by one."""

    def __init__(self, case, server, name, room):
        self.socket = case.enterContext(server.connect())
        self.lines = case.enterContext(self.socket.makefile("r", encoding="utf-8", newline="\n"))
        self.say(f"/join {room}")
        self.say(f"/nick {name}")
        case.assertEqual(self.hear(), f"* you are {name}")

    def say(self, line):
        self.socket.sendall(line.encode() + b"\n")

    def hear(self):
        return self.lines.readline().removesuffix("\n")


class Chat(Case):
    def begin_chat(self, history):
        return program.Program(self.folder, "chat", "tcp:127.0.0.1:0", "tcp:127.0.0.1:0", history)

    def start_chat(self):
        return self.enterContext(self.begin_chat(":memory:"))

    def test_a_line_reaches_all_members_of_its_room_and_nobody_else(self):
        server = self.start_chat()
        ann, bob = (Member(self, server, name, "tea") for name in ("ann", "bob"))
        eve = Member(self, server, "eve", "coffee")

        ann.say("hello")
        bob.say("hi ann")
        eve.say("anybody here?")

        for member in (ann, bob):
            self.assertEqual({member.hear(), member.hear()}, {"ann: hello", "bob: hi ann"})
        self.assertEqual(eve.hear(), "eve: anybody here?")

    def test_members_change_rooms_and_are_listed(self):
        server = self.start_chat()
        ann, bob = (Member(self, server, name, "tea") for name in ("ann", "bob"))

        bob.say("/join milk")
        bob.say("/list")

        self.assertRegex(bob.hear(), r"^\* \d+ fibers, \d+ kernel entries$")
        self.assertEqual([bob.hear(), bob.hear()], ["* milk: bob", "* tea: ann"])
        ann.say("/join milk")
        ann.say("/list")
        ann.hear()
        self.assertIn(ann.hear(), ("* milk: ann bob", "* milk: bob ann"))

    def test_who_is_in_no_room_is_told_to_join_one(self):
        server = self.start_chat()
        client = self.enterContext(server.connect())

        client.sendall(b"hello?\n/quit\n")

        self.assertEqual(read_all(client), b"* first /join ROOM\n")

    def test_who_quits_or_hangs_up_still_gets_what_was_said_before(self):
        server = self.start_chat()

        for room, ending in (("tea", b"/quit\n"), ("milk", b"")):
            client = self.enterContext(server.connect())
            client.sendall(f"/nick ann\n/join {room}\none\ntwo\n".encode() + ending)
            if not ending:
                client.shutdown(socket.SHUT_WR)

            self.assertEqual(read_all(client), b"* you are ann\nann: one\nann: two\n")

    def test_a_newcomer_is_told_what_was_said_also_by_a_server_that_started_since(self):
        with tempfile.TemporaryDirectory() as folder:
            history = str(pathlib.Path(folder, "chat.db"))
            with self.begin_chat(history) as server:
                ann = Member(self, server, "ann", "tea")
                ann.say("hello")
                self.assertEqual(ann.hear(), "ann: hello")
                with server.connect() as client:
                    client.sendall(b"/join tea\n/quit\n")
                    self.assertEqual(read_all(client), b"~ ann: hello\n")

            with self.begin_chat(history) as server, server.connect() as client:
                client.sendall(b"/join tea\n/quit\n")
                self.assertEqual(read_all(client), b"~ ann: hello\n")

    def test_a_line_over_the_limit_costs_only_its_own_connection(self):
        server = self.start_chat()
        ann = Member(self, server, "ann", "tea")
        eve = Member(self, server, "eve", "tea")

        eve.say("x" * 1001)
        self.assertEqual(eve.hear(), "")

        ann.say("y" * 1000)
        self.assertEqual(ann.hear(), "ann: " + "y" * 1000)

    def test_who_takes_nothing_is_dropped_and_the_room_goes_on(self):
        server = self.start_chat()
        ann, bob = (Member(self, server, name, "tea") for name in ("ann", "bob"))

        # Bob does not read. How much the buffers between the server and him hold, only they know.
        line = "z" * 990
        for _ in range(5000):
            ann.say("\n".join([line] * 100))
            self.assertEqual({ann.hear() for _ in range(100)}, {"ann: " + line})
            ann.say("/list")
            ann.hear()
            if ann.hear() == "* tea: ann":
                break
        else:
            self.fail("bob was never dropped")

        ann.say("alone")
        self.assertEqual(ann.hear(), "ann: alone")


if __name__ == "__main__":
    Case.folder = sys.argv.pop(1)
    unittest.main(verbosity=2)
