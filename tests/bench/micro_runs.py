"""The programs that measure one operation at a time, run in rounds of random order."""
import collections
import json
import pathlib
import random
import statistics
import subprocess
import sys

PROGRAMS = ("plait_micro", "plait_deferred_micro", "plait_file_micro", "fcontext_micro",
            "boost_fiber_micro", "go_micro",
            "kj_micro", "boost_future_micro", "asio_awaitable_micro", "std_micro")
# Peers that are not built.
SCRIPTS = {"twisted_micro": pathlib.Path(__file__).parent / "micro" / "twisted_micro.py"}
TIME_UNITS = {"ns": 1, "us": 1e3, "ms": 1e6, "seconds": 1e9}
PROGRAM_SECONDS = 300


def parse(line):
    """{"name": ..., "<unit>": value} -> (name, unit, value), every time in nanoseconds."""
    try:
        fields = json.loads(line)
        name = fields.pop("name")
        unit, value = next((u, float(v)) for u, v in fields.items() if isinstance(v, (int, float)))
    except (ValueError, KeyError, AttributeError, StopIteration):
        return None
    if unit in TIME_UNITS:
        return name, "ns", value * TIME_UNITS[unit]
    return name, unit, value


def run_once(path, results, number, problems):
    try:
        done = subprocess.run([str(path)], stdout=subprocess.PIPE, text=True,
                              timeout=PROGRAM_SECONDS)
    except subprocess.TimeoutExpired:
        problems.append(f"{path.name}: not done after {PROGRAM_SECONDS} s")
        return
    if done.returncode != 0:
        problems.append(f"{path.name}: ended with status {done.returncode}")
    for line in done.stdout.splitlines():
        parsed = parse(line)
        if parsed is None:
            problems.append(f"{path.name}: not a figure: {line!r}")
            continue
        name, unit, value = parsed
        results[name][path.stem].unit = unit
        results[name][path.stem].rounds[number] = value


class Values:
    """One figure of one program: a value per round, and its unit."""

    def __init__(self):
        self.unit = ""
        self.rounds = {}

    def median(self):
        return statistics.median(self.rounds.values())

    def ratio(self, other):
        ratios = [mine / other.rounds[n] for n, mine in self.rounds.items() if other.rounds.get(n)]
        return statistics.median(ratios) if ratios else None


def run_all(build, rounds, problems):
    """figure -> program -> Values"""
    results = collections.defaultdict(lambda: collections.defaultdict(Values))
    programs = [build / "tests" / "bench" / name for name in PROGRAMS] + list(SCRIPTS.values())
    programs = [path for path in programs if path.exists()]
    for number in range(rounds):
        random.shuffle(programs)
        for path in programs:
            print(f"micro: round {number + 1} of {rounds}: {path.name}", file=sys.stderr)
            run_once(path, results, number, problems)
    return results
