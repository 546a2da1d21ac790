#!/usr/bin/python3
"""Measures plait beside its peers and prints a markdown table.

    ninja -C BUILD bench && tests/bench/bench.py --build BUILD [--quick] [--out FILE.md]

A server or program that is not built is left out. Nothing here is a test: figures have no place in
a pass or fail, but the goals and whether they were reached stand at the top of the table."""
import argparse
import os
import pathlib
import resource
import shlex
import sys

sys.dont_write_bytecode = True  # the source folder stays as it is
import echo_runs
import micro_runs
import net_runs
import report
from processes import server_commands

DEFAULT_OFF = {"plait_epoll"}  # measured only if asked for by name


def parse_arguments():
    labels = [figure.label for figure in echo_runs.FIGURES] + net_runs.LABELS
    families = [family.name for family in net_runs.FAMILIES]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build-bench"))
    parser.add_argument("--quick", action="store_true", help="few and short slices")
    parser.add_argument("--only", default="echo,net,micro",
                        help=f"comma list of: echo, micro, net, {', '.join(families)}, "
                             f"{', '.join(labels)}")
    parser.add_argument("--servers", help="comma list; all that are built by default")
    parser.add_argument("--rounds", type=int, help="rounds of slices per echo figure")
    parser.add_argument("--seconds", type=float, help="length of a slice")
    parser.add_argument("--cores", default="0,1", help="core of the server, core of the load")
    parser.add_argument("--out", type=pathlib.Path, help="write the table there, not to stdout")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 11)
    options.seconds = options.seconds or (0.4 if options.quick else 0.6)
    options.cores = [int(core) for core in options.cores.split(",")]
    # On one shared core the two processes wait for each other, and nothing is wrong with that.
    options.hasty = options.quick or len(set(options.cores)) == 1
    options.only = set(options.only.split(","))
    unknown = options.only - {"echo", "micro", "net", *families, *labels}
    if unknown:
        parser.error(f"--only: unknown {', '.join(sorted(unknown))}")
    if not options.build.is_dir():
        parser.error(f"--build: {options.build} is not a folder")
    if not (options.build / "tests" / "bench" / "load").exists():
        parser.error(f"the load generator is not built: ninja -C {options.build} bench")
    return parser, options


def chosen_servers(parser, options):
    commands = server_commands(options.build.resolve())
    if not options.servers:
        return {name: command for name, command in commands.items() if name not in DEFAULT_OFF}
    wanted = options.servers.split(",")
    missing = [name for name in wanted if name not in commands]
    if missing:
        parser.error(f"--servers: not there: {', '.join(missing)}; there are {', '.join(commands)}")
    return {name: commands[name] for name in wanted}


def main():
    parser, options = parse_arguments()
    # Inherited by servers and load generators: 10,000 connections need as many descriptors.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    load_average = os.getloadavg()[0]
    if load_average > 0.7:
        print(f"load average {load_average:.2f}: other work is running, expect noise",
              file=sys.stderr)
    build = options.build.resolve()
    problems = []
    figures = [figure for figure in echo_runs.FIGURES
               if "echo" in options.only or figure.label in options.only]
    echo = {}
    if figures:
        echo = echo_runs.run_all(figures, chosen_servers(parser, options), build, options, problems)
    net = net_runs.run_all(build, options, problems)
    micro = {}
    if "micro" in options.only:
        micro = micro_runs.run_all(build, 1 if options.quick else 5, problems)
    # The paths of this machine say nothing to a reader.
    words = [os.path.relpath(word) if os.path.isabs(word) else word for word in sys.argv]
    text = report.render(shlex.join(words), load_average, options, echo, net, micro, problems)
    if options.out:
        options.out.write_text(text)
        print(f"written to {options.out}", file=sys.stderr)
        return
    print(text)


if __name__ == "__main__":
    main()
