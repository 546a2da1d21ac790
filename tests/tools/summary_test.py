"""summary.py counts doctest's test cases, and one for each other test."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from summary import count

DOCTEST = "[doctest] test cases:  {} | {} passed | {} failed | {} skipped\n[doctest] assertions: 9"


def entry(result, stdout="", name="t"):
    return {"name": name, "result": result, "stdout": stdout, "returncode": 1}


def doctest(result, passed, failed, skipped=0):
    return entry(result, "noise\n" + DOCTEST.format(passed + failed, passed, failed, skipped))


class SummaryTest(unittest.TestCase):
    def test_a_doctest_program_counts_its_test_cases(self):
        self.assertEqual(count(doctest("OK", 12, 0)), (12, 0, ""))
        self.assertEqual(count(doctest("FAIL", 10, 2)), (10, 2, "2 test cases failed"))
        self.assertEqual(count(doctest("OK", 3, 0, 4)), (3, 0, "4 test cases not run"))

    def test_the_last_summary_is_the_programs_own(self):
        both = DOCTEST.format(1, 0, 1, 0) + "\n" + DOCTEST.format(5, 5, 0, 0)
        self.assertEqual(count(entry("OK", both))[:2], (5, 0))

    def test_colours_do_not_hide_the_summary(self):
        text = "\x1b[0;36m[doctest] \x1b[0mtest cases: \x1b[0;32m 7\x1b[0m | 7 passed | 0 failed |"
        self.assertEqual(count(entry("OK", text))[:2], (7, 0))

    def test_another_test_counts_as_one(self):
        self.assertEqual(count(entry("OK", "fine")), (1, 0, ""))
        self.assertEqual(count(entry("EXPECTEDFAIL")), (1, 0, ""))
        self.assertEqual(count(entry("FAIL")), (0, 1, "fail"))
        self.assertEqual(count({"result": "TIMEOUT", "stdout": None}), (0, 1, "timeout"))
        self.assertEqual(count(entry("UNEXPECTEDPASS")), (0, 1, "unexpectedpass"))
        self.assertEqual(count(entry("SKIP")), (0, 0, "skipped"))

    def test_a_program_that_fails_after_its_test_cases_has_one_failure(self):
        self.assertEqual(count(doctest("FAIL", 8, 0))[:2], (8, 1))
        self.assertEqual(count(doctest("TIMEOUT", 8, 0))[:2], (8, 1))

    def run_on(self, *entries):
        with tempfile.TemporaryDirectory() as build:
            if entries:
                log = pathlib.Path(build, "meson-logs", "testlog.json")
                log.parent.mkdir()
                log.write_text("".join(json.dumps(each) + "\n" for each in entries))
            command = [sys.executable, "-B", pathlib.Path(__file__).with_name("summary.py"), build]
            return subprocess.run(command, capture_output=True, text=True)

    def test_the_sum_is_the_only_line_on_standard_output(self):
        done = self.run_on(doctest("OK", 12, 0), entry("OK"), entry("SKIP", name="tls"))
        self.assertEqual((done.stdout, done.returncode), ("13 passed, 0 failed\n", 0))
        self.assertEqual(done.stderr, "tls: skipped\n")

    def test_a_failure_ends_with_1_and_is_named(self):
        done = self.run_on(doctest("OK", 12, 0), entry("FAIL", name="install"))
        self.assertEqual((done.stdout, done.returncode), ("12 passed, 1 failed\n", 1))
        self.assertEqual(done.stderr, "install: fail\n")

    def test_nothing_ran_is_no_success(self):
        done = self.run_on()
        self.assertEqual((done.stdout, done.returncode), ("0 passed, 0 failed\n", 1))


if __name__ == "__main__":
    unittest.main()
