"""The examples that run to an end by themselves: programs_test.py FOLDER [TEST...]."""

import http.server
import os
import pathlib
import pty
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

from program import PATIENCE, Case, run


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
    """Answers /NAME with what `contents` has, or with its end if that is asked for."""

    contents = {}
    begun = []  # from where a file was asked for, if not from its beginning

    def do_GET(self):
        data = self.contents.get(self.path)
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.send_response(404 if data is None else 206 if start else 200)
        if start:
            self.begun.append((self.path, start))
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        self.wfile.write((data or b"")[start:])

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
        self.assertRegex(result.stdout, "ftp://nowhere/x: .*none of http, https")
        self.assertEqual(pathlib.Path(self.target, "1.bin").read_bytes(), Files.contents["/1.bin"])

    def test_a_file_that_was_begun_is_gone_on_with(self):
        Files.begun = []
        pathlib.Path(self.target, "3.bin.part").write_bytes(Files.contents["/3.bin"][:1000])

        result = run(self.folder, "downloader", self.address + "/3.bin", self.address + "/4.bin",
                     cwd=self.target)

        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertEqual(Files.begun, [("/3.bin", 1000)])
        self.assertEqual(pathlib.Path(self.target, "3.bin").read_bytes(), Files.contents["/3.bin"])
        self.assertFalse(pathlib.Path(self.target, "3.bin.part").exists())

    def test_a_terminal_gets_a_bar(self):
        far, near = pty.openpty()
        self.addCleanup(os.close, far)

        process = subprocess.run([self.folder + "/downloader", self.address + "/9.bin"],
                                 cwd=self.target, stderr=near, stdout=subprocess.PIPE, text=True,
                                 timeout=PATIENCE)
        os.close(near)

        self.assertEqual(process.returncode, 0)
        self.assertRegex(os.read(far, 65536).decode(), r"\r\[[# ]{50}\] \d+ KiB")


if __name__ == "__main__":
    Case.folder = sys.argv.pop(1)
    unittest.main(verbosity=2)
