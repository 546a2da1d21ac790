"""The examples of the roof: Deferreds, protocols, a background runtime. interop_test.py FOLDER [TEST...]."""

import contextlib
import pathlib
import socket
import socketserver
import struct
import sys
import tempfile
import threading
import unittest

from program import Case, read_all, read_exactly, run

ENDED = b"\0"


class Sleep(Case):
    def test_the_fiber_waits_for_the_deferred(self):
        result = run(self.folder, "sleep")

        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(result.stdout, "and now\na moment later\n")


class GatherConnects(Case):
    def test_every_endpoint_has_its_line_in_the_order_given(self):
        with socket.create_server(("127.0.0.1", 0)) as there, \
                socket.create_server(("127.0.0.1", 0)) as gone:
            port, closed = there.getsockname()[1], gone.getsockname()[1]
            gone.close()

            result = run(self.folder, "gather_connects", f"tcp:127.0.0.1:{closed}",
                         f"tcp:127.0.0.1:{port}")

        self.assertEqual((result.returncode, result.stderr), (0, ""))
        # The refusal has a note below it.
        refused, _, connected = result.stdout.splitlines()
        self.assertIn(f"tcp:127.0.0.1:{closed}: ", refused)
        self.assertIn("refused", refused)
        self.assertIn(f"127.0.0.1:{port}", connected)


class EchoStyles(Case):
    def test_one_client_is_served_alike_in_all_four(self):
        for style in ("fiber", "deferred", "coroutine", "protocol"):
            with self.subTest(style=style):
                server = self.start("echo_styles", style)
                clients = [self.enterContext(server.connect()) for _ in range(10)]

                for number, client in enumerate(clients):
                    client.sendall(f"client {number}".encode() * 5000)
                answers = [read_exactly(client, len(f"client {number}") * 5000)
                           for number, client in enumerate(clients)]
                for client in clients:
                    client.sendall(b"last words")
                    client.shutdown(socket.SHUT_WR)
                ends = [read_all(client) for client in clients]

                for number, answer in enumerate(answers):
                    self.assertEqual(answer, f"client {number}".encode() * 5000)
                self.assertEqual(set(ends), {b"last words"})
                self.assertEqual(server.stop(), 0)
                self.assertEqual(server.errors, "")


class FakeScanner(socketserver.BaseRequestHandler):
    """clamd's INSTREAM: finds one word."""

    def handle(self):
        assert read_exactly(self.request, 10) == b"zINSTREAM\0"
        stream = b""
        while length := struct.unpack(">I", read_exactly(self.request, 4))[0]:
            stream += read_exactly(self.request, length)
        found = b"Eicar-Test-Signature FOUND" if b"EICAR" in stream else b"OK"
        self.request.sendall(b"stream: " + found + ENDED)


class OneLine(socketserver.BaseRequestHandler):
    """A rate that rises with each question."""

    def handle(self):
        self.server.asked += 1
        self.request.sendall(f"1.{self.server.asked}\n".encode())


@contextlib.contextmanager
def serving(handler):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.asked = 0
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Clamd(Case):
    def scan(self, name, endpoint):
        with tempfile.TemporaryDirectory() as folder:
            clean, infected = pathlib.Path(folder, "clean"), pathlib.Path(folder, "infected")
            clean.write_bytes(bytes(range(256)) * 1000)
            infected.write_bytes(b"." * 100_000 + b"EICAR" + b"." * 100_000)

            result = run(self.folder, name, *endpoint, str(clean), str(infected))

        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(result.stdout, f"{clean}: stream: OK\n"
                                        f"{infected}: stream: Eicar-Test-Signature FOUND\n")

    def test_the_fiber_style_tells_clean_from_infected(self):
        with serving(FakeScanner) as server:
            self.scan("clamd", ["tcp:127.0.0.1:%d" % server.server_address[1]])

    def test_the_deferred_style_tells_clean_from_infected(self):
        with serving(FakeScanner) as server:
            self.scan("clamd_deferred", ["127.0.0.1", str(server.server_address[1])])


class ExchangeRate(Case):
    def test_the_blocking_main_thread_sees_each_update_of_the_runtime_behind_it(self):
        with serving(OneLine) as server:
            result = run(self.folder, "exchange_rate",
                         "tcp:127.0.0.1:%d" % server.server_address[1], "3", "--virtual")

        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(result.stdout, "EUR/USD: 1.1\nEUR/USD: 1.2\nEUR/USD: 1.3\n")


if __name__ == "__main__":
    Case.folder = sys.argv.pop(1)
    unittest.main(verbosity=2)
