"""The server with clients and proxies of others [HTTP-42]: peers_test.py HTTP_PEER [TEST...]."""

import concurrent.futures
import http.client
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

PATIENCE = 100  # seconds until something counts as hung: far more than it ever takes
TEXT = "".join(f"line {i}\n" for i in range(20_000))

NGINX = """
daemon off;
master_process off;
worker_processes 1;
error_log stderr crit;
pid %(folder)s/pid;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path %(folder)s/body;
  proxy_temp_path %(folder)s/proxy;
  fastcgi_temp_path %(folder)s/fastcgi;
  uwsgi_temp_path %(folder)s/uwsgi;
  scgi_temp_path %(folder)s/scgi;
  upstream plait { server 127.0.0.1:%(upstream)d; keepalive 8; }
  server {
    listen 127.0.0.1:%(port)d;
    location / {
      proxy_pass http://plait;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_request_buffering off;
    }
    location /old/ { proxy_pass http://plait/; proxy_http_version 1.0; }
  }
}
"""


class Peer(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "a.txt").write_text("0123456789")
        (self.folder / "great").write_text(TEXT * 10)
        self.process = subprocess.Popen([HTTP_PEER, str(self.folder)], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.stop)
        line = self.process.stdout.readline()
        self.assertRegex(line, r"^listening on 127\.0\.0\.1:\d+\n$")
        self.port = int(line.rpartition(":")[2])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        errors = self.process.communicate(timeout=PATIENCE)[1]
        self.assertEqual((self.process.returncode, errors), (0, ""))

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def curl(self, *arguments, data=None):
        done = subprocess.run(["curl", "-sS", "--max-time", str(PATIENCE), *arguments],
                              input=data, capture_output=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    def raw(self, text):
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as client:
            client.sendall(text.encode("latin-1"))
            client.shutdown(socket.SHUT_WR)
            answer = b""
            while more := client.recv(65536):
                answer += more
            return answer.decode("latin-1")


class Curl(Peer):
    def test_get_keeps_the_connection(self):
        text = self.curl("-v", "--stderr", "-", self.url("/hello"), self.url("/hello"))

        self.assertEqual(text.count("hello world"), 2)
        self.assertIn("Re-using existing connection", text)

    def test_compressed(self):
        self.assertEqual(self.curl("--compressed", self.url("/text")), TEXT)

    def test_post_chunked_and_of_a_length(self):
        data = (TEXT * 5).encode()

        self.assertEqual(self.curl("-H", "Transfer-Encoding: chunked", "--data-binary", "@-",
                                   self.url("/echo"), data=data), TEXT * 5)
        self.assertEqual(self.curl("--data-binary", "@-", self.url("/echo"), data=data), TEXT * 5)
        self.assertEqual(self.curl("-0", "--data-binary", "@-", self.url("/echo"), data=data),
                         TEXT * 5)

    def test_expect_continue(self):
        text = self.curl("-v", "--stderr", "-", "-H", "Expect: 100-continue", "-d", "hello",
                         self.url("/echo"))

        self.assertIn("HTTP/1.1 100 Continue", text)
        self.assertTrue(text.endswith("hello") or "\nhello" in text, text)

    def test_a_great_body_that_nobody_reads(self):
        self.assertEqual(self.curl("-H", "Expect:", "--data-binary", "@-", self.url("/unread"),
                                   data=b"x" * 3_000_000), "unread")

    def test_form(self):
        self.assertEqual(self.curl("--data-urlencode", "a=1 & 2", "-d", "b=c", self.url("/form")),
                         "a=1 & 2\nb=c\n")

    def test_head(self):
        text = self.curl("-I", self.url("/hello"))

        self.assertRegex(text, r"^HTTP/1\.1 200 OK\r\n")
        self.assertIn("Content-Length: 11\r\n", text)

    def test_files_ranges_and_conditions(self):
        url = self.url("/files/a.txt")
        etags = self.folder / "etag"

        self.assertEqual(self.curl("-r", "2-4", url), "234")
        self.assertEqual(self.curl("-r", "-3", url), "789")
        self.assertEqual(self.curl("--etag-save", str(etags), url), "0123456789")
        self.assertEqual(self.curl("--etag-compare", str(etags), "-w", "%{http_code}", url), "304")
        self.assertEqual(self.curl("--path-as-is", "-o", "/dev/null", "-w", "%{http_code}",
                                   self.url("/files/../../../../etc/passwd")), "404")
        self.assertEqual(self.curl(self.url("/files/great")), TEXT * 10)

    def test_many_at_once(self):
        text = self.curl("-Z", "--parallel-max", "20", *[self.url("/slow")] * 20)

        self.assertEqual(text, "slow" * 20)


class Python(Peer):
    def test_many_requests_on_one_connection(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

        for _ in range(200):
            connection.request("GET", "/hello")
            answer = connection.getresponse()
            self.assertEqual((answer.status, answer.read()), (200, b"hello world"))

        connection.close()

    def test_a_body_of_an_iterator_is_chunked(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

        connection.request("POST", "/echo", iter([b"one ", b"two ", b"three"]))
        answer = connection.getresponse()

        self.assertEqual((answer.headers["X-Length"], answer.read()), ("chunked", b"one two three"))
        connection.close()

    def test_many_clients_at_once(self):
        def ask(number):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            body = f"client {number} " * 1000
            connection.request("POST", "/echo", body)
            answer = connection.getresponse().read().decode()
            connection.close()
            return answer == body

        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            self.assertTrue(all(pool.map(ask, range(200))))


class LoadGenerators(Peer):
    """Not for their figures: they ask more, and faster, than the others, and count what goes wrong."""

    def setUp(self):
        super().setUp()
        self.program = {"test_wrk": "wrk", "test_h2load": "h2load"}[self._testMethodName]
        if shutil.which(self.program) is None:
            self.skipTest(f"{self.program} is not installed")

    def run_load(self, *arguments):
        done = subprocess.run([self.program, *arguments, self.url("/hello")], capture_output=True,
                              text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_wrk(self):
        output = self.run_load("-t1", "-c64", "-d1s")

        self.assertRegex(output, r"[1-9]\d* requests in ")
        self.assertNotIn("Socket errors", output)
        self.assertNotIn("Non-2xx", output)

    def test_h2load(self):
        output = self.run_load("--h1", "-n20000", "-c100", "-m4")  # four pipelined

        self.assertIn("20000 total, 20000 started, 20000 done, 20000 succeeded, 0 failed, 0 errored",
                      output)


class Bytes(Peer):
    def test_pipelined_requests(self):
        text = self.raw("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n" * 100)

        self.assertEqual(text.count("hello world"), 100)

    def test_a_trailer_is_taken_and_given(self):
        text = self.raw("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "5\r\nhello\r\n0\r\nX-Trailer: end\r\n\r\n")

        self.assertTrue(text.endswith("5\r\nhello\r\n0\r\nX-Trailer: end\r\n\r\n"), text)

    def test_smuggled_requests_are_refused(self):
        smuggled = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
        for fields in ("Content-Length: 5\r\nTransfer-Encoding: chunked",
                       "Transfer-Encoding: chunked\r\nContent-Length: 5",
                       "Content-Length: 5\r\nContent-Length: 0",
                       "Transfer-Encoding : chunked", "Transfer-Encoding:\x0bchunked",
                       "Content-Length: 5\n", "X: y\n\nGET /hello HTTP/1.1"):
            with self.subTest(fields=fields):
                text = self.raw(f"POST /unread HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"
                                f"0\r\n\r\n{smuggled}")

                self.assertRegex(text, "^HTTP/1.1 400 ")
                self.assertEqual(text.count("HTTP/1.1"), 1, text)

    def test_garbage_is_answered_and_harms_nobody(self):
        self.assertRegex(self.raw("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n"), "^HTTP/1.1 400 ")
        self.assertEqual(self.raw(""), "")
        self.assertRegex(self.raw("GET /hello HTTP/1.0\r\n\r\n"), "hello world$")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@unittest.skipUnless(shutil.which("nginx", path="/usr/sbin:/usr/bin"), "no nginx")
class Nginx(Peer):
    def setUp(self):
        super().setUp()
        self.upstream = self.port
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.port = free_port()
        configuration = pathlib.Path(folder, "nginx.conf")
        configuration.write_text(
            NGINX % {"folder": folder, "upstream": self.upstream, "port": self.port})
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
        self.proxy = subprocess.Popen([program, "-p", folder, "-c", str(configuration)],
                                      stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.stop_proxy)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)

    def stop_proxy(self):
        self.proxy.terminate()
        self.assertEqual(self.proxy.communicate(timeout=PATIENCE)[1], "")

    def test_it_proxies_what_others_ask_directly(self):
        data = (TEXT * 5).encode()

        self.assertEqual(self.curl(self.url("/hello"), self.url("/hello")), "hello world" * 2)
        self.assertEqual(self.curl(self.url("/text")), TEXT)
        self.assertEqual(self.curl("--data-binary", "@-", self.url("/echo"), data=data), TEXT * 5)
        self.assertEqual(self.curl("-H", "Transfer-Encoding: chunked", "--data-binary", "@-",
                                   self.url("/echo"), data=data), TEXT * 5)
        self.assertEqual(self.curl("-r", "2-4", self.url("/files/a.txt")), "234")
        self.assertEqual(self.curl(self.url("/old/text")), TEXT)
        self.assertIn("X-Seen", self.curl("-H", "X-Seen: y", self.url("/headers")))

    def test_many_through_few_connections(self):
        def ask(_):
            return self.curl(*[self.url("/hello")] * 20) == "hello world" * 20

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            self.assertTrue(all(pool.map(ask, range(16))))


if __name__ == "__main__":
    HTTP_PEER = sys.argv.pop(1)
    unittest.main(verbosity=2)
