"""TCP echo: all servers at once, connected and idle, measured one short slice at a time.

The machine changes its speed within minutes, so servers are only compared within a round: every
round gives each server one slice, in random order, and ratios are taken before medians."""
import collections
import contextlib
import random
import statistics
import sys
import time

from processes import Failure, Load, Server

Figure = collections.namedtuple("Figure", "label bytes connections")
FIGURES = [Figure(f"{size}x{connections}", size, connections)
           for size, connections in ((64, 1), (64, 64), (64, 1000), (64, 10000), (1024, 64),
                                     (16384, 64))]
RAW_LOOPS = ("raw_uring", "raw_epoll")
# A slice whose two processes had to wait for their cores longer than this share of the time says
# more about the rest of the machine; it is taken again, and the one that waited least counts.
WAITED_MAX = 0.05
SPIN_CONNECTIONS_MAX = 64
ATTEMPTS = 3


class Series:
    """What one server did in one figure: a list per quantity, with one entry per round."""

    def __init__(self):
        self.rounds = collections.defaultdict(dict)  # quantity -> round -> value
        self.requests = 0
        self.enters_per_request = None
        self.resident_mib = None

    def add(self, number, result):
        for quantity, value in result.items():
            self.rounds[quantity][number] = value

    def median(self, quantity):
        return statistics.median(self.rounds[quantity].values())

    def ratio(self, other, quantity):
        """The median of the per-round ratios to `other`."""
        mine, others = self.rounds[quantity], other.rounds[quantity]
        ratios = [mine[n] / others[n] for n in mine if others.get(n)]
        return statistics.median(ratios) if ratios else None


def better_raw(series, quantity, names=RAW_LOOPS):
    """The raw loop that all are compared to, chosen once per figure by its median: the smaller of
    two noisy values in each round would be a bar that neither loop reaches itself."""
    raws = [series[name] for name in names if name in series]
    return min(raws, key=lambda raw: raw.median(quantity), default=None)


def measure_slice(number, server, load, series, seconds, options):
    attempts = []
    for _ in range(ATTEMPTS):
        cpu, waited, begin = server.cpu_nanoseconds(), waited_by(server, load), time.monotonic_ns()
        result = load.run(seconds, seconds / 8)
        result["cpu_us"] = (server.cpu_nanoseconds() - cpu) / 1000 / max(result["completed"], 1)
        result["waited"] = (waited_by(server, load) - waited) / (time.monotonic_ns() - begin)
        series.requests += result["completed"]
        if not result["requests"]:
            continue  # seen once, on a busy machine; try again before giving the server up
        attempts.append(result)
        if result["waited"] < WAITED_MAX or options.hasty:
            break
    if not attempts:
        raise Failure(f"{server.name}: no request done within a slice, {ATTEMPTS} times")
    series.add(number, min(attempts, key=lambda result: result["waited"]))


def waited_by(server, load):
    return server.waited_nanoseconds() + load.waited_nanoseconds()


def run_figure(figure, commands, make_load, options, problems):
    """Measures one figure; returns name -> Series for every server that finished it.

    `make_load(figure, server)` gives a Load, or what behaves like one."""
    series, running = {}, {}
    with contextlib.ExitStack() as cleanup:
        for name, (command, environment) in commands.items():
            if name == "plait_spin" and figure.connections > SPIN_CONNECTIONS_MAX:
                continue  # a loop with that much to do never comes to spin
            try:
                server = Server(name, command, environment, options.cores[0])
                cleanup.callback(finish, server, series)
                load = make_load(figure, server)
                cleanup.callback(load.stop)
                # Until the caches, the allocator and the sockets' windows have settled.
                series[name] = Series()
                series[name].requests = load.run(0.2, 0)["completed"]
            except Failure as failure:
                problems.append(f"{figure.label}: {failure}")
                series.pop(name, None)
                continue
            running[name] = (server, load)
        # With many connections, one message each takes a while: give the percentiles enough.
        seconds = options.seconds * (2 if figure.connections >= 10000 else 1)
        for number in range(options.rounds):
            order = list(running)
            random.shuffle(order)
            for name in order:
                try:
                    measure_slice(number, *running[name], series[name], seconds, options)
                except Failure as failure:
                    problems.append(f"{figure.label}: {failure}")
                    del running[name], series[name]
            print(f"  {figure.label}: round {number + 1} of {options.rounds}", file=sys.stderr)
        for name, (server, _) in running.items():
            series[name].resident_mib = server.resident_mib()
    return series


def finish(server, series):
    stats = server.stop()
    mine = series.get(server.name)
    if stats and mine and mine.requests:
        mine.enters_per_request = stats["enters"] / mine.requests


def run_all(figures, commands, build, options, problems):
    def make_load(figure, server):
        words = [build / "tests" / "bench" / "load", server.endpoint, figure.connections,
                 figure.bytes, "-"]
        return Load(server, words, options.cores[1])

    results = {}
    for figure in figures:
        print(f"echo {figure.label}: {len(commands)} servers", file=sys.stderr)
        results[figure] = run_figure(figure, commands, make_load, options, problems)
    return results
