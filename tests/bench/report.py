"""The markdown tables: the machine, what was measured, and every goal with what it came to."""
import datetime
import os
import pathlib
import platform
import statistics

import echo_runs
import micro_runs

# Server CPU per request and p99, as a multiple of the better raw loop's.
CPU_GOALS = {"64x64": 1.05, "64x1000": 1.05, "64x10000": 1.10}
P99_GOAL = 1.15
ENTERS_GOALS = {"64x1000": 0.1}
# plait's figure, the program and figure it is compared to, the ratio at most.
MICRO_GOALS = [
    ("yield_2", "fcontext_micro", "fcontext_jump", 3.2),
    ("yield_1000", "fcontext_micro", "fcontext_jump", 3.2),
    ("spawn_join", "go_micro", "spawn_join", 0.5),
    ("spawn_join", "boost_fiber_micro", "spawn_join", 0.5),
    ("spawn_join_batch", "go_micro", "spawn_join_batch", 0.5),
    ("spawn_join_batch", "boost_fiber_micro", "spawn_join_batch", 0.5),
    ("queue_handover", "go_micro", "queue_handover", 1 / 3),
]
DEFERRED_GOALS = [
    ("chain_1", "kj_micro", "chain_1", 0.5),
    ("hop_of_10", "kj_micro", "hop_of_10", 0.25),
    ("wait_unfired", "plait_deferred_micro", "park_wake", 2),
]
MICRO_LIMITS = [("plait_micro", "parked_million_bytes", 4096 + 512),
                ("plait_micro", "parked_million_maps", 499),
                ("plait_deferred_micro", "chain_4_allocations", 1)]


def table(header, rows):
    """The first column is text, all others are numbers."""
    lines = ["| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|"]
    return lines + ["| " + " | ".join(row) + " |" for row in rows] + [""]


def number(value, digits=2):
    return "-" if value is None else f"{value:,.{digits}f}"


def human(value, unit):
    if unit != "ns":
        return f"{value:,.0f} {unit}"
    for name, scale in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if value >= 10 * scale or (name == "s" and value >= scale / 10):
            return f"{value / scale:,.2f} {name}"
    return f"{value:,.1f} ns"


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo")
                  if line.startswith("model name")), platform.processor())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = "Linux"
    if pathlib.Path("/etc/os-release").exists():
        system = platform.freedesktop_os_release().get("PRETTY_NAME", system)
    return (f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, {system}, "
            f"kernel {platform.release()}, {datetime.date.today()}")


def echo_table(figure, series):
    raw_cpu = echo_runs.better_raw(series, "cpu_us")
    raw_p99 = echo_runs.better_raw(series, "p99_us")
    rows = []
    for name, mine in series.items():
        rows.append([
            name, number(mine.median("requests_per_second"), 0), number(mine.median("p50_us"), 1),
            number(mine.median("p99_us"), 1), number(mine.median("p999_us"), 1),
            number(mine.median("cpu_us")),
            number(mine.ratio(raw_cpu, "cpu_us") if raw_cpu else None, 3),
            number(mine.ratio(raw_p99, "p99_us") if raw_p99 else None, 3),
            number(mine.enters_per_request, 4), number(mine.resident_mib, 1)])
    waited = [value for mine in series.values() for value in mine.rounds["waited"].values()]
    title = f"### {figure.bytes:,} bytes, {figure.connections:,} connections"
    note = ("Time that server or load waited for their cores, because of other work: "
            f"{statistics.median(waited):.1%}.")
    return [title, ""] + table(
        ["server", "requests/s", "p50 µs", "p99 µs", "p99.9 µs", "CPU µs/request", "CPU / raw",
         "p99 / raw", "enters/request", "RSS MiB"], rows) + [note, ""]


def net_table(family, figure, series):
    base = echo_runs.better_raw(series, "cpu_us", family.baselines)
    rows = []
    for name, mine in series.items():
        rows.append([
            name, number(mine.median("requests_per_second"), 0), number(mine.median("p50_us"), 0),
            number(mine.median("p99_us"), 0), number(mine.median("cpu_us")),
            number(mine.ratio(base, "cpu_us") if base else None, 3),
            number(mine.enters_per_request, 3), number(mine.resident_mib, 1)])
    waited = [value for mine in series.values() for value in mine.rounds["waited"].values()]
    against = next((name for name in series if series[name] is base), "none")
    return [f"### {figure.title[0].upper()}{figure.title[1:]}", ""] + table(
        ["server", f"{figure.unit}s/s", "p50 µs", "p99 µs", f"CPU µs/{figure.unit}",
         f"CPU / {against}", f"enters/{figure.unit}", "RSS MiB"], rows) + [
             "Time that server or load waited for their cores, because of other work: "
             f"{statistics.median(waited):.1%}.", ""]


def net_goals(net):
    rows = []
    for family, results in net:
        for figure, series in results.items():
            if "plait" not in series:
                continue
            for rival, limit in family.goals.items():
                names = [name for name in series if name.startswith(rival)]
                other = echo_runs.better_raw(series, "cpu_us", names)
                if other:
                    rows.append(verdict(
                        f"{family.name}, {figure.title}: CPU per {figure.unit} / {rival}",
                        series["plait"].ratio(other, "cpu_us"), limit, 3))
    return rows


def micro_table(results):
    known = [*micro_runs.PROGRAMS, *micro_runs.SCRIPTS]
    programs = [p for p in known if any(p in per for per in results.values())]
    rows = []
    for name, per_program in results.items():
        row = [name]
        for program in programs:
            values = per_program.get(program)
            row.append(human(values.median(), values.unit) if values else "-")
        rows.append(row)
    return table(["figure"] + [program.removesuffix("_micro") for program in programs], rows)


def verdict(label, value, limit, digits=2):
    met = value <= limit
    return [label, number(value, digits), number(limit, digits), "yes" if met else "**no**"]


def echo_goals(results):
    rows = []
    for figure, series in results.items():
        plait = series.get("plait")
        if plait is None:
            continue
        raw_cpu = echo_runs.better_raw(series, "cpu_us")
        raw_p99 = echo_runs.better_raw(series, "p99_us")
        if raw_cpu and figure.label in CPU_GOALS:
            rows.append(verdict(f"echo {figure.label}: CPU per request / raw",
                                plait.ratio(raw_cpu, "cpu_us"), CPU_GOALS[figure.label], 3))
            rows.append(verdict(f"echo {figure.label}: p99 / raw",
                                plait.ratio(raw_p99, "p99_us"), P99_GOAL, 3))
            rows += ahead_of_peers(figure, series)
        if plait.enters_per_request is not None and figure.label in ENTERS_GOALS:
            rows.append(verdict(f"echo {figure.label}: enters per request",
                                plait.enters_per_request, ENTERS_GOALS[figure.label], 4))
    return rows


def ahead_of_peers(figure, series):
    """plait's CPU per request over that of the best peer that is not one of our raw loops."""
    peers = {name: mine for name, mine in series.items()
             if name not in echo_runs.RAW_LOOPS and not name.startswith("plait")}
    if not peers:
        return []
    best = min(peers, key=lambda name: peers[name].median("cpu_us"))
    return [verdict(f"echo {figure.label}: CPU per request / {best}, the best peer",
                    series["plait"].ratio(peers[best], "cpu_us"), 1.0, 3)]


def micro_goals(results):
    rows = []
    for ours, goals in (("plait_micro", MICRO_GOALS), ("plait_deferred_micro", DEFERRED_GOALS)):
        for mine, program, theirs, limit in goals:
            plait = results.get(mine, {}).get(ours)
            other = results.get(theirs, {}).get(program)
            if plait and other and plait.ratio(other) is not None:
                rows.append(verdict(f"{mine} / {program.removesuffix('_micro')} {theirs}",
                                    plait.ratio(other), limit))
    for program, mine, limit in MICRO_LIMITS:
        plait = results.get(mine, {}).get(program)
        if plait:
            rows.append(verdict(mine, plait.median(), limit, 0))
    return rows


def render(command, load_average, options, echo, net, micro, problems):
    lines = ["# Benchmarks", "",
             f"{machine()}; load average before the run {load_average:.2f}.", "",
             f"Command: `{command}`", ""]
    goals = echo_goals(echo) + net_goals(net) + micro_goals(micro)
    if goals:
        lines += ["## Goals", ""] + table(["goal", "measured", "at most", "reached"], goals)
    if any(echo.values()):
        lines += ["## TCP echo", "",
                  f"Servers on core {options.cores[0]}, load generator on core {options.cores[1]}, "
                  f"{options.rounds} rounds of {options.seconds} s slices in random order. "
                  "Medians; a ratio is the median of those of the rounds, to the better raw loop. "
                  "Enters are io_uring_enter calls, for raw_epoll all system calls.", ""]
        for figure, series in echo.items():
            if series:
                lines += echo_table(figure, series)
    for family, results in net:
        lines += [f"## {family.title}", "", family.note, ""]
        for figure, series in results.items():
            if series:
                lines += net_table(family, figure, series)
    if micro:
        lines += ["## One operation at a time", ""] + micro_table(micro)
    if problems:
        lines += ["## What did not work", "", *(f"- {problem}" for problem in problems), ""]
    return "\n".join(lines)
