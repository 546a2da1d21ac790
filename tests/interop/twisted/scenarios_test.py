"""The same small stories told by Twisted and by plait come out the same.

Usage: scenarios_test.py PROGRAM.  Each story is a test case of its own.
"""

import pathlib
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"  # the one that has Debian's python3-twisted


def told(command):
    """story -> its lines."""
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    stories = {}
    for line in output.splitlines():
        name, _, event = line.partition(": ")
        stories.setdefault(name, []).append(event)
    return stories


class Scenarios(unittest.TestCase):
    maxDiff = None

    def test_there_are_at_least_thirty(self):
        self.assertGreaterEqual(len(twisted), 30)

    def test_both_tell_the_same_stories(self):
        self.assertEqual(list(plait), list(twisted))


def add(name):
    def test(self):
        self.assertEqual(plait.get(name), twisted.get(name))

    setattr(Scenarios, f"test_{name}_is_as_in_twisted", test)


if __name__ == "__main__":
    program = sys.argv.pop(1)
    twisted = told([PYTHON, "-B", HERE / "scenarios.py"])
    plait = told([program])
    for each in twisted:
        add(each)
    unittest.main(verbosity=2)
