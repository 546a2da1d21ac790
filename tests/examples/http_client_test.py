"""The HTTP examples that ask: http_client_test.py FOLDER [TEST...]."""

import http.client
import http.server
import socket
import sys
import threading
import unittest

from program import PATIENCE, Case, read_all


class Backend(http.server.BaseHTTPRequestHandler):
    """Says who it is and what it was asked."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        answer = b"%d " % self.server.server_address[1] + body
        self.send_response(302 if self.path == "/moved" else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Location", "/elsewhere")
        self.send_header("X-Backend", "yes")
        self.send_header("Connection", "X-Secret")
        self.send_header("X-Secret", "for one hop")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_POST = do_HEAD = do_DELETE = answer

    def log_message(self, *_):
        pass


class ReverseProxy(Case):
    def backend(self, handler=Backend):
        server = self.enterContext(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
        server.seen = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        return server

    def proxy(self, *servers):
        urls = ["http://127.0.0.1:%d" % server.server_address[1] for server in servers]
        return self.start("reverse_proxy", "tcp:127.0.0.1:0", *urls)

    def ask(self, proxy, method, path, **options):
        client = http.client.HTTPConnection(*proxy.address, timeout=PATIENCE)
        self.addCleanup(client.close)
        client.request(method, path, **options)
        answer = client.getresponse()
        return answer, answer.read()

    def test_servers_take_turns(self):
        first, second = self.backend(), self.backend()
        proxy = self.proxy(first, second)

        ports = [int(self.ask(proxy, "GET", "/")[1]) for _ in range(4)]

        self.assertEqual(ports, [s.server_address[1] for s in (first, second, first, second)])

    def test_requests_and_answers_pass_as_they_are_but_for_one_hop(self):
        server = self.backend()
        proxy = self.proxy(server)

        answer, body = self.ask(proxy, "POST", "/a%20b?c=d", body=b"x" * 100_000, headers={
            "Host": "site.example", "Connection": "X-Private", "X-Private": "no", "X-Public": "yes",
            "X-Forwarded-For": "192.0.2.1"})
        moved, _ = self.ask(proxy, "GET", "/moved")
        head, nothing = self.ask(proxy, "HEAD", "/")

        method, path, fields, received = server.seen[0]
        self.assertEqual((method, path, received), ("POST", "/a%20b?c=d", b"x" * 100_000))
        self.assertEqual(fields["Host"], "site.example")
        self.assertEqual(fields["X-Public"], "yes")
        self.assertNotIn("X-Private", fields)
        self.assertEqual(fields["X-Forwarded-For"], "192.0.2.1, 127.0.0.1")
        self.assertEqual(fields["X-Forwarded-Proto"], "http")
        self.assertEqual(body[-100_000:], b"x" * 100_000)
        self.assertEqual(answer.getheader("X-Backend"), "yes")
        self.assertIsNone(answer.getheader("X-Secret"))
        self.assertEqual((moved.status, moved.getheader("Location")), (302, "/elsewhere"))
        self.assertEqual((head.status, nothing), (200, b""))

    def test_bodies_of_unknown_length_pass_in_chunks(self):
        server = self.backend()
        proxy = self.proxy(server)

        _, body = self.ask(proxy, "POST", "/", body=iter([b"one ", b"two"]), encode_chunked=True,
                           headers={"Transfer-Encoding": "chunked"})

        self.assertEqual(server.seen[0][3], b"one two")
        self.assertTrue(body.endswith(b"one two"))

    def test_an_answer_streams_through_piece_by_piece(self):
        go_on = threading.Event()

        class Slow(Backend):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", "10")
                self.end_headers()
                self.wfile.write(b"first")
                go_on.wait(PATIENCE)
                self.wfile.write(b"later")

        proxy = self.proxy(self.backend(Slow))
        client = proxy.connect()
        self.addCleanup(client.close)
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

        received = b""
        while not received.endswith(b"first"):
            received += client.recv(65536)
        go_on.set()

        self.assertTrue(read_all(client).endswith(b"later"))

    def test_a_server_that_is_not_there_is_a_bad_gateway(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            url = "http://127.0.0.1:%d" % probe.getsockname()[1]
        proxy = self.start("reverse_proxy", "tcp:127.0.0.1:0", url)

        answer, _ = self.ask(proxy, "GET", "/")

        self.assertEqual(answer.status, 502)


if __name__ == "__main__":
    Case.folder = sys.argv.pop(1)
    unittest.main(verbosity=2)
