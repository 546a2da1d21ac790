"""The examples of files and processes: os_test.py FOLDER [TEST...]."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

from program import PATIENCE, Case, run


class TailFollow(Case):
    def setUp(self):
        self.place = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.log = self.place / "log"

    def follow(self):
        process = subprocess.Popen([str(pathlib.Path(self.folder, "tail_follow")), str(self.log)],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def append(self, text):
        with self.log.open("ab") as log:
            log.write(text)

    def expect(self, process, text):
        """A hung read is ended by the test's own time limit."""
        self.assertEqual(process.stdout.read(len(text)), text)

    def end(self, process):
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, rest, errors), (0, b"", b""))

    def test_it_prints_what_the_file_ends_with_and_what_is_added(self):
        self.append(b"before\n" * 1000)
        process = self.follow()
        self.expect(process, (b"before\n" * 1000)[-1024:])

        for number in range(20):
            self.append(b"line %d\n" % number)
            self.expect(process, b"line %d\n" % number)
        self.end(process)

    def test_it_begins_anew_when_the_file_is_cut(self):
        self.append(b"a long beginning\n")
        process = self.follow()
        self.expect(process, b"a long beginning\n")

        self.log.write_bytes(b"")
        self.append(b"short\n")

        self.expect(process, b"short\n")
        self.end(process)

    def test_it_follows_the_name_when_another_file_takes_it(self):
        self.append(b"the first\n")
        process = self.follow()
        self.expect(process, b"the first\n")

        self.log.rename(self.place / "log.1")
        self.append(b"the second\n")
        self.expect(process, b"the second\n")
        (self.place / "next").write_bytes(b"the third\n")
        os.replace(self.place / "next", self.log)

        self.expect(process, b"the third\n")
        self.end(process)

    def test_a_file_that_is_not_there_is_an_error_with_its_name(self):
        result = run(self.folder, "tail_follow", str(self.log))

        self.assertNotEqual(result.returncode, 0)
        self.assertIn(f"opening file {self.log}: No such file", result.stderr)


if __name__ == "__main__":
    Case.folder = sys.argv.pop(1)
    unittest.main()
