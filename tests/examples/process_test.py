"""The process supervisor: process_test.py FOLDER [TEST...]."""

import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

import program
from program import Case


class Supervisor(Case):
    def supervise(self, *commands):
        process = subprocess.Popen(
            [str(pathlib.Path(self.folder, "supervisor")), *commands],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def stop(self, process, number):
        """Its last lines."""
        process.send_signal(number)
        output, errors = process.communicate(timeout=program.PATIENCE)
        self.assertEqual(process.returncode, 0, errors)
        self.assertEqual(errors, "")
        return output.splitlines()

    def test_lines_are_forwarded_and_both_signals_stop_all(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number):
                process = self.supervise(
                    "echo one; exec sleep 1000",
                    "trap 'echo bye; exit 3' TERM; echo two >&2; while :; do sleep 0.01; done")
                begun = {process.stdout.readline() for _ in range(2)}

                last = self.stop(process, number)

                self.assertEqual(begun, {"1: one\n", "2: two\n"})
                self.assertEqual(sorted(last), ["1: stopped: ended by SIGTERM", "2: bye",
                                                "2: stopped: exit status 3"])

    def test_what_dies_is_started_again_after_a_growing_delay(self):
        with tempfile.TemporaryDirectory() as folder:
            count = pathlib.Path(folder, "count")
            process = self.supervise(f"echo x >> {count}; exit 5")

            lines = [process.stdout.readline() for _ in range(3)]
            self.stop(process, signal.SIGTERM)

            self.assertEqual(lines, [f"1: exit status 5, again in {delay} ms\n"
                                     for delay in (100, 200, 400)])
            self.assertGreaterEqual(len(count.read_text().split()), 3)

    def test_a_command_that_does_not_exist_is_told(self):
        process = self.supervise("/no/such/program")

        lines = [process.stdout.readline() for _ in range(2)]
        self.stop(process, signal.SIGTERM)

        self.assertIn("/no/such/program", lines[0])
        self.assertEqual(lines[1], "1: exit status 127, again in 100 ms\n")

    def test_without_a_command_it_says_how_it_is_used(self):
        self.assertEqual(program.run(self.folder, "supervisor").returncode, 2)


if __name__ == "__main__":
    Case.folder = sys.argv.pop(1)
    unittest.main(verbosity=2)
