"""The examples that run to an end by themselves: programs_test.py FOLDER [TEST...]."""

import http.server
import pathlib
import socket
import sys
import tempfile
import threading
import unittest

from program import Case, run


class ProducerConsumer(Case):
    def test_every_number_arrives_once_and_the_queue_stays_bounded(self):
        result = run(self.folder, "producer_consumer", "10000")

        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, "the sum of 1 to 10000 is 50005000\n"
                                        "never more than 16 waited: true\n")


class TimeoutsAndKills(Case):
    def test_everything_stops_as_it_says(self):
        result = run(self.folder, "timeouts_and_kills")

        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual([line.strip() for line in result.stdout.splitlines()
                          if line.startswith("  ")],
                         ["too late", "only the inner one is over", "its destructors ran",
                          "and it has ended", "finished", "the second"])
        self.assertEqual(result.stderr, "")


class PortScanner(Case):
    def test_it_finds_the_port_that_is_open(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]

            result = run(self.folder, "port_scanner", "127.0.0.1", str(port))

        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout,
                         f"127.0.0.1:{port} is open\n1 ports tried, 1 open\n")

    def test_it_tries_a_range_and_tells_each_open_port_of_it(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            first, last = max(1, port - 300), min(65535, port + 300)

            result = run(self.folder, "port_scanner", "127.0.0.1", str(first), str(last))

        self.assertEqual(result.returncode, 0, result.stderr)
        *opened, summary = result.stdout.splitlines()
        self.assertIn(f"127.0.0.1:{port} is open", opened)
        self.assertEqual(summary, f"{last - first + 1} ports tried, {len(opened)} open")

    def test_nonsense_is_refused(self):
        for arguments in ([], ["localhost", "0"], ["localhost", "5", "4"]):
            self.assertEqual(run(self.folder, "port_scanner", *arguments).returncode, 2)


class Files(http.server.BaseHTTPRequestHandler):
    """Answers /NAME with what `contents` has."""

    contents = {}

    def do_GET(self):
        data = self.contents.get(self.path)
        self.send_response(404 if data is None else 200)
        self.end_headers()
        self.wfile.write(data or b"")

    def log_message(self, *_):
        pass


class Downloader(Case):
    def setUp(self):
        Files.contents = {f"/{i}.bin": bytes([i]) * (i * 50_000) for i in range(1, 13)}
        server = self.enterContext(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        self.address = "http://127.0.0.1:%d" % server.server_address[1]
        self.target = self.enterContext(tempfile.TemporaryDirectory())

    def test_all_files_arrive_whole(self):
        urls = [self.address + path for path in Files.contents]

        result = run(self.folder, "downloader", *urls, cwd=self.target)

        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        for path, data in Files.contents.items():
            self.assertEqual(pathlib.Path(self.target + path).read_bytes(), data)
        self.assertEqual(set(result.stdout.splitlines()),
                         {f"{url}: {len(data)} bytes"
                          for url, data in zip(urls, Files.contents.values())})

    def test_what_fails_is_named_and_the_others_arrive(self):
        result = run(self.folder, "downloader", self.address + "/missing", "ftp://nowhere/x",
                     self.address + "/1.bin", cwd=self.target)

        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stdout, r"/missing: .*404")
        self.assertIn("ftp://nowhere/x: not of the form", result.stdout)
        self.assertEqual(pathlib.Path(self.target, "1.bin").read_bytes(), Files.contents["/1.bin"])


if __name__ == "__main__":
    Case.folder = sys.argv.pop(1)
    unittest.main(verbosity=2)
