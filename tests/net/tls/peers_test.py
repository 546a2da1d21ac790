"""TLS with openssl, curl and Python's ssl at the other end [TLS-39]: peers_test.py TLS_PEER [TEST...]."""

import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

PATIENCE = 60  # seconds until something counts as hung: far more than it ever takes
VERSIONS = {"-tls1_2": "TLSv1.2", "-tls1_3": "TLSv1.3"}


def openssl(*arguments, **options):
    return subprocess.run(["openssl", *arguments], cwd=FOLDER, check=True, capture_output=True,
                          timeout=PATIENCE, **options)


def make_certificate(name, common_name, *names):
    """name.pem and name.key, signed by the authority."""
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
            f"/CN={common_name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
    (FOLDER / "extensions").write_text("subjectAltName=" + ",".join(names) + "\n")
    openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "authority.pem", "-CAkey", "authority.key",
            "-set_serial", "0x" + name.encode().hex(), "-days", "2", "-extfile", "extensions",
            "-out", f"{name}.pem")


def make_files():
    for name, subject in (("authority", "/CN=Test Authority"), ("stranger", "/CN=Stranger")):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", subject, "-days", "2", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    make_certificate("server", "localhost", "DNS:localhost", "IP:127.0.0.1")
    make_certificate("many", "many", "DNS:*.many.example")
    make_certificate("client", "alice", "DNS:alice")
    (FOLDER / "index").write_text(
        f"V\t300101000000Z\t\t{'server'.encode().hex()}\tunknown\t/CN=localhost\n")
    openssl("ocsp", "-index", "index", "-rsigner", "authority.pem", "-rkey", "authority.key", "-CA",
            "authority.pem", "-issuer", "authority.pem", "-cert", "server.pem", "-ndays", "1",
            "-respout", "ocsp.der")
    (FOLDER / "page.txt").write_bytes(b"0123456789" * 100_000)


class Process:
    """A program whose output is collected, and may be waited for."""

    def __init__(self, test, *command):
        self.process = subprocess.Popen([str(each) for each in command], cwd=FOLDER,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.output = ""
        self.more = threading.Condition()
        self.reader = threading.Thread(target=self.collect)
        self.reader.start()
        test.addCleanup(self.stop)

    def collect(self):
        while block := os.read(self.process.stdout.fileno(), 65536):
            with self.more:
                self.output += block.decode("latin-1")
                self.more.notify_all()
        with self.more:
            self.output += "<end>"
            self.more.notify_all()

    def say(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def wait_for(self, pattern):
        with self.more:
            found = self.more.wait_for(
                lambda: re.search(pattern, self.output) or "<end>" in self.output, PATIENCE)
            match = re.search(pattern, self.output)
            if not found or not match:
                raise AssertionError(f"no {pattern!r} in:\n{self.output}")
            return match

    def end(self):
        """Its output, when it has ended by itself or for want of input."""
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        return self.output

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self.reader.join(PATIENCE)
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.close()


class PeerTest(unittest.TestCase):
    def serve(self, *words, how="serve"):
        server = Process(self, TLS_PEER, how, FOLDER, *words)
        self.port = server.wait_for(r"listening on 127\.0\.0\.1:(\d+)\n")[1]
        return server

    def s_client(self, *arguments):
        return Process(self, "openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-CAfile",
                       "authority.pem", "-verify_return_error", *arguments)

    def s_server(self, *arguments):
        # -port 0 takes any port, and says which.
        # Without a buffer, since it is waited for what it says.
        server = Process(self, "stdbuf", "-o0", "openssl", "s_server", "-accept", "127.0.0.1:0",
                         "-cert", "server.pem", "-key", "server.key", *arguments)
        self.port = server.wait_for(r"ACCEPT 127\.0\.0\.1:(\d+)")[1]
        return server

    def ask(self, *words):
        """What our client says, a line each."""
        asked = subprocess.run([TLS_PEER, "ask", "127.0.0.1", self.port, FOLDER, *words], text=True,
                               capture_output=True, timeout=PATIENCE)
        self.assertEqual((asked.stderr, asked.returncode), ("", 0))
        return asked.stdout.splitlines()


class OpensslAsks(PeerTest):
    def test_both_versions(self):
        server = self.serve()
        for option, version in VERSIONS.items():
            client = self.s_client(option, "-quiet", "-no_ign_eof", "-servername", "localhost")
            client.wait_for(rf"{version} resumed=no name=localhost protocol= peer=\n")
            client.say("hello\n")
            client.wait_for("hello\n")
            client.end()
        self.assertNotIn("error", server.output)

    def test_a_least_version_refuses_the_older(self):
        self.serve("tls13")
        self.assertIn("alert protocol version", self.s_client("-tls1_2").end())

    def test_an_unknown_authority_is_refused_by_it_and_told_to_us(self):
        server = self.serve()
        client = Process(self, "openssl", "s_client", "-connect", f"127.0.0.1:{self.port}",
                         "-CAfile", "stranger.pem", "-verify_return_error")
        self.assertIn("verify error", client.end())
        server.wait_for("error: the TLS handshake of .*unknown ca")

    def test_protocols(self):
        server = self.serve("alpn")
        client = self.s_client("-alpn", "x,http/1.1")
        client.wait_for("protocol=http/1.1 ")
        self.assertIn("ALPN protocol: http/1.1", client.end())
        self.assertIn("no application protocol", self.s_client("-alpn", "spdy").end())
        server.wait_for("error: .*no application protocol")

    def test_names(self):
        self.serve("named")
        for name, subject in (("a.many.example", "many"), ("A.MANY.EXAMPLE", "many"),
                              ("many.example", "localhost"), ("x.example", "localhost")):
            client = self.s_client("-servername", name)
            client.wait_for(f"name={name} ")
            self.assertIn(f"subject=CN = {subject}\n", client.end())

    def test_stapling(self):
        self.serve("staple")
        for option in VERSIONS:
            client = self.s_client("-status", option)
            client.wait_for("OCSP Response Status: successful")
            client.wait_for("Cert Status: good")
            client.wait_for("peer=\n")
            client.end()

    def test_client_certificates(self):
        server = self.serve("require")
        for option in VERSIONS:
            client = self.s_client(option, "-cert", "client.pem", "-key", "client.key")
            client.wait_for("peer=alice\n")
            client.end()
            self.assertRegex(self.s_client(option, "-ign_eof").end(),
                             "certificate required|handshake failure")
            self.assertRegex(self.s_client(option, "-ign_eof", "-cert", "stranger.pem", "-key",
                                           "stranger.key").end(), "unknown ca|decrypt error")
        server.wait_for("error: .*peer did not return a certificate")

    def test_sessions(self):
        for option, version in VERSIONS.items():
            self.serve()
            first = self.s_client(option, "-sess_out", "session", "-servername", "localhost")
            first.wait_for("resumed=no")
            first.say("x\n")
            first.wait_for("\nx\n")
            first.end()
            second = self.s_client(option, "-sess_in", "session", "-servername", "localhost")
            second.wait_for(rf"{version} resumed=yes name=localhost ")
            second.end()

    def test_reconnecting(self):
        self.serve()
        client = self.s_client("-tls1_2", "-reconnect")
        client.wait_for("resumed=yes")
        self.assertEqual(client.end().count("Reused, TLSv1.2"), 5)

    def test_no_tickets(self):
        self.serve("tickets=0")
        client = self.s_client("-tls1_2", "-reconnect")
        client.wait_for("resumed=no")
        self.assertNotIn("Reused", client.end())

    def test_new_keys(self):
        self.serve()
        client = self.s_client("-tls1_3")
        client.wait_for("resumed=no")
        for i, command in enumerate("kKkK"):
            client.say(f"{command}\n")
            client.wait_for(f"(?s)(KEYUPDATE.*){{{i + 1}}}")
            client.say(f"after {i}\n")
            client.wait_for(f"after {i}\n")
        client.end()

    def test_a_renegotiation_is_refused_and_does_no_harm_to_others(self):
        server = self.serve()
        client = self.s_client("-tls1_2")
        client.wait_for("resumed=no")
        client.say("R\n")
        self.assertIn("no renegotiation", client.end())
        other = self.s_client("-tls1_2")
        other.wait_for("resumed=no")
        other.end()
        self.assertIsNone(server.process.poll())


class OpensslAnswers(PeerTest):
    def test_both_versions_in_both_directions(self):
        for option, version in VERSIONS.items():
            server = self.s_server(option, "-rev")
            lines = self.ask("connect", "send=hello", "line", "info", "close")
            self.assertEqual(lines[0], "line: olleh")
            self.assertRegex(lines[1], rf"info: {version} resumed=no protocol= peer=localhost ocsp=0")
            server.stop()

    def test_refusals(self):
        self.s_server("-www")
        self.assertIn("hostname mismatch", self.ask("name=example.org", "connect")[0])
        self.assertIn("TlsError", self.ask("name=example.org", "connect")[0])
        self.assertEqual(self.ask("name=127.0.0.1", "connect", "close"), [])
        self.assertEqual(self.ask("unverified", "name=example.org", "connect", "close"), [])

    def test_an_unknown_authority(self):
        server = Process(self, "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert",
                         "stranger.pem", "-key", "stranger.key")
        self.port = server.wait_for(r"ACCEPT 127\.0\.0\.1:(\d+)")[1]
        self.assertIn("certificate verify failed", self.ask("connect")[0])
        server.wait_for("unknown ca")

    def test_a_least_version(self):
        self.s_server("-tls1_2")
        self.assertIn("protocol version", self.ask("tls13", "connect")[0])

    def test_a_page_of_a_megabyte(self):
        for option in VERSIONS:
            server = self.s_server("-WWW", option)
            lines = self.ask("connect", "get", "read", "close")
            self.assertRegex(lines[0], r"read: 10000\d\d bytes")
            server.stop()

    def test_sessions(self):
        for option in VERSIONS:
            server = self.s_server("-rev", option)
            lines = self.ask("connect", "send=a", "line", "close", "connect", "info", "send=a",
                             "line", "close", "connect", "info", "close")
            self.assertIn("resumed=yes", lines[1])
            self.assertIn("resumed=yes", lines[3])
            server.stop()

    def test_client_certificates(self):
        for option in VERSIONS:
            server = self.s_server("-Verify", "1", "-CAfile", "authority.pem", "-verify_return_error",
                                   "-rev", option)
            self.assertEqual(self.ask("certificate", "connect", "send=abc", "line", "close"),
                             ["line: cba"])
            refused = "".join(self.ask("connect", "line"))
            self.assertRegex(refused, "certificate required|handshake failure")
            server.stop()

    def test_protocols(self):
        server = self.s_server("-alpn", "http/1.1")
        self.assertIn("protocol=http/1.1", self.ask("alpn", "connect", "info", "close")[0])
        server.stop()
        self.s_server("-alpn", "spdy")
        self.assertIn("no application protocol", self.ask("alpn", "connect")[0])

    def test_stapling(self):
        size = (FOLDER / "ocsp.der").stat().st_size
        for option in VERSIONS:
            server = self.s_server("-status_file", "ocsp.der", option)
            self.assertIn(f"ocsp={size}", self.ask("connect", "info", "close")[0])
            server.stop()

    def test_new_keys_from_either_side(self):
        server = self.s_server("-tls1_3")
        client = Process(self, TLS_PEER, "ask", "127.0.0.1", self.port, FOLDER, "connect", "keys",
                         "send=one", "keys-both", "send=two", "line", "send=three", "line", "close")
        server.wait_for("(?s)one\n.*two\n")
        server.say("K\n")
        server.wait_for("SSL_do_handshake -> 1")
        server.say("between\n")
        client.wait_for("line: between")
        server.wait_for("three\n")
        server.say("k\n")
        server.wait_for("(?s)SSL_do_handshake -> 1.*SSL_do_handshake -> 1")
        server.say("at last\n")
        client.wait_for("line: at last")
        self.assertNotIn("Error", client.end())

    def test_an_early_end(self):
        server = self.s_server()
        client = Process(self, TLS_PEER, "ask", "127.0.0.1", self.port, FOLDER, "connect", "info",
                         "read", "close")
        client.wait_for("info: ")
        server.say("Q\n")
        client.wait_for("read: 0 bytes|truncated|without close_notify|reset")
        self.assertIn("<end>", client.end())


@unittest.skipUnless(shutil.which("curl"), "curl is not there")
class CurlAsks(PeerTest):
    def curl(self, *arguments):
        return subprocess.run(["curl", "-sS", "--http1.1", "--resolve",
                               f"localhost:{self.port}:127.0.0.1", *arguments,
                               f"https://localhost:{self.port}/"], cwd=FOLDER, text=True,
                              capture_output=True, timeout=PATIENCE)

    def test_pages_in_both_versions(self):
        self.serve(how="http")
        for version in ("1.2", "1.3"):
            got = self.curl("--cacert", "authority.pem", "--tls-max", version)
            self.assertEqual((got.stdout, got.stderr), (f"hello over TLSv{version}\n", ""))

    def test_distrust(self):
        server = self.serve(how="http")
        self.assertEqual(self.curl("--cacert", "stranger.pem").returncode, 60)
        server.wait_for("error: .*unknown ca")
        self.assertEqual(self.curl("--cacert", "authority.pem").returncode, 0)

    def test_client_certificates_and_protocols(self):
        self.serve("require", "alpn", how="http")
        with_it = self.curl("--cacert", "authority.pem", "--cert", "client.pem", "--key",
                            "client.key", "-v")
        self.assertIn("ALPN: server accepted http/1.1", with_it.stderr)
        self.assertIn("hello", with_it.stdout)
        self.assertNotEqual(self.curl("--cacert", "authority.pem").returncode, 0)


class PythonAsks(PeerTest):
    def connect(self, version=None, **options):
        context = ssl.create_default_context(cafile=str(FOLDER / "authority.pem"))
        if version:
            context.maximum_version = context.minimum_version = version
        raw = socket.create_connection(("127.0.0.1", int(self.port)), timeout=PATIENCE)
        self.addCleanup(raw.close)
        return context.wrap_socket(raw, server_hostname="localhost", **options)

    def test_half_close_by_unwrap(self):
        server = self.serve()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.connect(version) as stream:
                lines = stream.makefile("rb")
                self.assertIn(b"resumed=no", lines.readline())
                text = os.urandom(30_000)
                stream.sendall(text)
                self.assertEqual(lines.read(len(text)), text)
                stream.sendall(b"bye")
                self.assertEqual(lines.read(3), b"bye")
                # Sends close_notify, and waits for ours, before which the goodbye comes.
                with self.assertRaisesRegex(ssl.SSLError, "APPLICATION_DATA_AFTER_CLOSE_NOTIFY"):
                    stream.unwrap()
        self.assertNotIn("error", server.output)

    def test_our_end_is_no_ragged_one(self):
        self.serve(how="http")
        with self.connect(suppress_ragged_eofs=False) as stream:
            stream.sendall(b"GET / HTTP/1.0\r\n\r\n")
            page = b""
            while block := stream.recv(1000):
                page += block
        self.assertTrue(page.endswith(b"hello over TLSv1.3\n"))

    def test_its_cut_is_a_truncation(self):
        server = self.serve()
        stream = self.connect()
        self.assertIn(b"resumed=no", stream.recv(1000))
        stream.sendall(b"x")
        self.assertEqual(stream.recv(1), b"x")
        socket.socket(fileno=stream.detach()).close()
        server.wait_for("error: reading from TLSv1.3 .*without close_notify")

    def test_sessions(self):
        self.serve()
        context = ssl.create_default_context(cafile=str(FOLDER / "authority.pem"))
        session = None
        for expected in (b"resumed=no", b"resumed=yes", b"resumed=yes"):
            raw = socket.create_connection(("127.0.0.1", int(self.port)), timeout=PATIENCE)
            with context.wrap_socket(raw, server_hostname="localhost", session=session) as stream:
                self.assertIn(expected, stream.recv(1000))
                session = stream.session

    def test_many_at_once(self):
        server = self.serve()
        text = os.urandom(100_000)
        failures = []

        def talk():
            try:
                with self.connect() as stream:
                    lines = stream.makefile("rb")
                    lines.readline()
                    # One after the other: two threads at once garble an SSLSocket of Python 3.11.
                    stream.sendall(text)
                    if lines.read(len(text)) != text:
                        failures.append("another text")
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=talk) for _ in range(20)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        self.assertEqual(failures, [])
        self.assertIsNone(server.process.poll())


class PythonAnswers(PeerTest):
    def answer(self, talk, **settings):
        """Serves one connection on a thread; what talk() throws is kept in self.failures."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(FOLDER / "server.pem", FOLDER / "server.key")
        for name, value in settings.items():
            setattr(context, name, value)
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = str(listener.getsockname()[1])
        self.failures = []

        def serve():
            try:
                raw, _ = listener.accept()
                raw.settimeout(PATIENCE)
                with listener, raw:
                    talk(context.wrap_socket(raw, server_side=True))
            except Exception as error:
                self.failures.append(error)

        thread = threading.Thread(target=serve)
        thread.start()
        self.addCleanup(thread.join)
        return thread

    def test_echo_of_megabytes_in_both_versions(self):
        def talk(stream):
            while block := stream.recv(65536):
                stream.sendall(block)
            stream.unwrap().close()

        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            thread = self.answer(talk, maximum_version=version)
            lines = self.ask("connect", "echo=3000000", "half", "read", "close")
            self.assertEqual(lines, ["echo: the same", "read: 0 bytes"])
            thread.join()
            self.assertEqual(self.failures, [])

    def test_half_close_of_ours(self):
        def talk(stream):
            received = b""
            while block := stream.recv(1000):
                received += block
            stream.sendall(b"after your end: " + received)
            stream.unwrap().close()

        thread = self.answer(talk)
        self.assertEqual(self.ask("connect", "send=request", "half", "line", "read", "close"),
                         ["line: after your end: request", "read: 0 bytes"])
        thread.join()
        self.assertEqual(self.failures, [])

    def test_a_cut(self):
        def talk(stream):
            stream.sendall(b"not all")
            socket.socket(fileno=stream.detach()).close()

        for word, said in (("strict", "without close_notify"), ("tolerant", "read: 7 bytes")):
            self.answer(talk)
            self.assertIn(said, self.ask(word, "connect", "read", "close")[0])


if __name__ == "__main__":
    TLS_PEER = os.path.abspath(sys.argv.pop(1))
    with tempfile.TemporaryDirectory(prefix="plait-tls-") as folder:
        FOLDER = pathlib.Path(folder)
        make_files()
        unittest.main(verbosity=2)
