"""The client with servers of others [CLIENT-41]: peers_test.py FETCH [TEST...]."""

import http.server
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PATIENCE = 100  # seconds until something counts as hung: far more than it ever takes
TEXT = "".join(f"line {i}\n" for i in range(20_000)).encode()

NGINX = """
daemon off;
master_process off;
worker_processes 1;
error_log stderr crit;
pid %(folder)s/pid;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path %(folder)s/body;
  proxy_temp_path %(folder)s/proxy;
  fastcgi_temp_path %(folder)s/fastcgi;
  uwsgi_temp_path %(folder)s/uwsgi;
  scgi_temp_path %(folder)s/scgi;
  keepalive_requests 10;
  server {
    listen 127.0.0.1:%(plain)d;
    listen 127.0.0.1:%(secure)d ssl;
    ssl_certificate %(folder)s/cert.pem;
    ssl_certificate_key %(folder)s/key.pem;
    root %(folder)s/root;
    location /packed/ { alias %(folder)s/root/; gzip on; gzip_types *; }
    location /echo { return 200 "$request_method $content_length $http_x_test"; }
    location /secure { return 301 https://localhost:%(secure)d/text; }
  }
}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Peers(unittest.TestCase):
    fetcher = ""

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.root = pathlib.Path(self.folder, "root")
        self.root.mkdir()
        (self.root / "sub").mkdir()
        (self.root / "sub" / "index.html").write_bytes(b"index")
        (self.root / "text").write_bytes(TEXT)
        self.file = pathlib.Path(self.folder, "got")

    def fetch(self, *arguments):
        """Its lines, split; the body of the last answer is in self.file."""
        result = subprocess.run([self.fetcher, *arguments, str(self.file)], stdout=subprocess.PIPE,
                                text=True, timeout=PATIENCE)
        self.assertEqual(result.returncode, 0, result.stdout)
        return [line.split() for line in result.stdout.splitlines()]

    def make_certificate(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
             "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", self.folder + "/key.pem", "-out", self.folder + "/cert.pem"],
            check=True, stderr=subprocess.DEVNULL)
        return self.folder + "/cert.pem"

    def start(self, command, port, **options):
        process = subprocess.Popen(command, **options)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        wait_for(port)

    def serve(self, protocol, certificate=None):
        """Python's own server; its port."""
        handler = type("Handler", (Quiet,), {"protocol_version": protocol})
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), lambda *arguments: handler(*arguments, directory=str(self.root)))
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, self.folder + "/key.pem")
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        return server.server_address[1]

    def test_python_closes_after_each_answer(self):
        url = "http://127.0.0.1:%d/text" % self.serve("HTTP/1.0")

        lines = self.fetch("--times", "3", url)

        self.assertEqual(lines, [["200", url, "identity", str(i)] for i in (1, 2, 3)])
        self.assertEqual(self.file.read_bytes(), TEXT)

    def test_python_keeps_the_connection(self):
        url = "http://127.0.0.1:%d" % self.serve("HTTP/1.1")

        lines = self.fetch("--times", "3", url + "/sub")
        missing = self.fetch(url + "/missing")

        self.assertEqual(lines, [["200", url + "/sub/", "identity", "1"]] * 3)
        self.assertEqual(self.file.read_bytes()[:9], b"<!DOCTYPE")
        self.assertEqual(missing[0][0], "404")

    def test_python_with_tls(self):
        certificate = self.make_certificate()
        url = "https://localhost:%d/text" % self.serve("HTTP/1.1", certificate)

        lines = self.fetch("--ca", certificate, "--times", "2", url)

        self.assertEqual(lines, [["200", url, "identity", "1"]] * 2)
        self.assertEqual(self.file.read_bytes(), TEXT)

    def test_openssl(self):
        certificate = self.make_certificate()
        port = free_port()
        self.start(["openssl", "s_server", "-accept", str(port), "-WWW", "-quiet", "-cert",
                    certificate, "-key", self.folder + "/key.pem"], port, cwd=self.root)
        url = "https://localhost:%d/text" % port

        lines = self.fetch("--ca", certificate, url)

        self.assertEqual(lines[0][0], "200")
        self.assertEqual(self.file.read_bytes().replace(b"\r\n", b"\n"), TEXT)

    @unittest.skipUnless(shutil.which("nginx"), "nginx is not installed")
    def test_nginx(self):
        certificate = self.make_certificate()
        ports = {"plain": free_port(), "secure": free_port(), "folder": self.folder}
        pathlib.Path(self.folder, "conf").write_text(NGINX % ports)
        self.start([shutil.which("nginx"), "-c", self.folder + "/conf", "-p", self.folder, "-e",
                    "stderr"], ports["plain"])
        plain = "http://localhost:%(plain)d" % ports
        secure = "https://localhost:%(secure)d" % ports

        with self.subTest("a connection serves as many requests as nginx lets it"):
            lines = self.fetch("--times", "25", plain + "/text")
            self.assertEqual([int(line[3]) for line in lines], [1] * 10 + [2] * 10 + [3] * 5)
            self.assertEqual(self.file.read_bytes(), TEXT)
        with self.subTest("gzip, in chunks"):
            lines = self.fetch("--times", "3", plain + "/packed/text")
            self.assertEqual(lines, [["200", plain + "/packed/text", "gzip", "1"]] * 3)
            self.assertEqual(self.file.read_bytes(), TEXT)
        with self.subTest("a part"):
            self.assertEqual(self.fetch("--field", "Range=bytes=5-13", plain + "/text")[0][0], "206")
            self.assertEqual(self.file.read_bytes(), TEXT[5:14])
        with self.subTest("a body"):
            self.fetch("--method", "POST", "--body", "x" * 1000, "--field", "X-Test=yes",
                       plain + "/echo")
            self.assertEqual(self.file.read_bytes(), b"POST 1000 yes")
        with self.subTest("HEAD"):
            self.assertEqual(self.fetch("--method", "HEAD", "--times", "2", plain + "/text"),
                             [["200", plain + "/text", "identity", "1"]] * 2)
        with self.subTest("a redirect to TLS"):
            lines = self.fetch("--ca", certificate, "--times", "2", plain + "/secure")
            self.assertEqual(lines, [["200", secure + "/text", "identity", "2"]] * 2)
            self.assertEqual(self.file.read_bytes(), TEXT)


if __name__ == "__main__":
    Peers.fetcher = sys.argv.pop(1)
    unittest.main(verbosity=2)
