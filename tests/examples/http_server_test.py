"""The example web server, over HTTP and HTTPS: http_server_test.py FOLDER [TEST...] [HTTP-42]."""

import http.client
import json
import pathlib
import ssl
import subprocess
import sys
import tempfile
import unittest

import program
from program import Case, PATIENCE


class HttpsServer(Case):
    def ask(self, connection, method, path, body=None):
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def directory(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "a.txt").write_text("a file\n")
        return folder

    def test_it_serves_routes_notes_events_and_files(self):
        server = self.start("https_server", "tcp:127.0.0.1:0", str(self.directory()))
        connection = http.client.HTTPConnection(*server.address, timeout=PATIENCE)

        self.assertEqual(self.ask(connection, "GET", "/"), (200, "<h1>plait</h1>\n"))
        self.assertEqual(self.ask(connection, "GET", "/hello/a%20b"), (200, "hello, a b\n"))
        self.assertEqual(self.ask(connection, "GET", "/notes/7")[0], 404)
        self.assertEqual(self.ask(connection, "PUT", "/notes/7", 'say "it"'), (204, ""))
        status, text = self.ask(connection, "GET", "/notes/7")
        self.assertEqual((status, json.loads(text)), (200, {"note": 'say "it"'}))
        self.assertEqual(self.ask(connection, "PUT", "/notes/8", "x" * 10_001)[0], 413)
        connection.close()
        self.assertEqual(self.ask(connection, "GET", "/files/a.txt"), (200, "a file\n"))
        self.assertEqual(self.ask(connection, "GET", "/files/../secret")[0], 404)
        self.assertEqual(self.ask(connection, "GET", "/ticks"),
                         (200, "data: 0\n\ndata: 1\n\ndata: 2\n\n"))
        connection.close()
        self.assertEqual(server.stop(), 0)
        self.assertIn('"PUT /notes/7 HTTP/1.1" 204 0\n', server.output)
        self.assertEqual(server.errors, "")

    def test_it_serves_https_with_a_key(self):
        folder = self.directory()
        key, certificate = folder / "key.pem", folder / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out",
                        certificate, "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=IP:127.0.0.1"],
                       check=True, capture_output=True, timeout=PATIENCE)
        server = self.start(
            "https_server",
            f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}", str(folder))
        trust = ssl.create_default_context(cafile=str(certificate))
        connection = http.client.HTTPSConnection(*server.address, context=trust, timeout=PATIENCE)

        self.assertEqual(self.ask(connection, "GET", "/hello/tls"), (200, "hello, tls\n"))
        self.assertEqual(self.ask(connection, "GET", "/files/a.txt"), (200, "a file\n"))
        connection.close()

    def test_an_idle_client_does_not_hold_up_the_stop(self):
        server = self.start("https_server", "tcp:127.0.0.1:0", str(self.directory()))
        connection = http.client.HTTPConnection(*server.address, timeout=PATIENCE)
        self.ask(connection, "GET", "/")

        self.assertEqual(server.stop(), 0)

        connection.close()


if __name__ == "__main__":
    Case.folder = sys.argv.pop(1)
    unittest.main(verbosity=2)
