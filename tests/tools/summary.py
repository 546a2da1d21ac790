"""Counts what a run of `meson test` ran: `summary.py BUILD` reads BUILD/meson-logs/testlog*.json.

A doctest program counts with each of its test cases, any other test as one.  The only line on
standard output is `N passed, N failed`; what did not simply pass is named on standard error.  Ends
with 1 if anything failed, or nothing ran.
"""

import json
import pathlib
import re
import sys

DOCTEST = re.compile(
    r"^\[doctest\] test cases: *\d+ *\| *(\d+) passed *\| *(\d+) failed *\|(?: *(\d+) skipped)?",
    re.M,
)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
FINE = ("OK", "EXPECTEDFAIL")


def count(test):
    """(passed, failed, note) of one entry of the log."""
    result = test["result"]
    if result == "SKIP":
        return 0, 0, "skipped"
    # A program that runs others prints its own line last.
    lines = DOCTEST.findall(COLOUR.sub("", test.get("stdout") or ""))
    if not lines:
        return (1, 0, "") if result in FINE else (0, 1, result.lower())
    passed, failed, skipped = (int(number or 0) for number in lines[-1])
    if failed == 0 and result not in FINE:  # it died, hung, or leaked after its last test case
        return passed, 1, f"{result.lower()} after its test cases, status {test.get('returncode')}"
    notes = [f"{failed} test cases failed"] if failed else []
    notes += [f"{skipped} test cases not run"] if skipped else []
    return passed, failed, ", ".join(notes)


def summarize(lines):
    """(passed, failed, notes) over a log's lines."""
    passed = failed = 0
    notes = []
    for line in lines:
        test = json.loads(line)
        more_passed, more_failed, note = count(test)
        passed += more_passed
        failed += more_failed
        if note:
            notes.append(f"{test['name']}: {note}")
    return passed, failed, notes


def main(build):
    lines = []
    for log in sorted(pathlib.Path(build, "meson-logs").glob("testlog*.json")):
        lines += filter(None, log.read_text(encoding="utf-8").split("\n"))
    passed, failed, notes = summarize(lines)
    for note in notes:
        print(note, file=sys.stderr)
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
