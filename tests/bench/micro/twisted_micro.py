#!/usr/bin/python3
"""Twisted's Deferred: the same chains."""
import json
import time

from twisted.internet import defer


def chain(links):
    d = defer.Deferred()
    for _ in range(links):
        d.addCallback(lambda value: value + 1)
    d.callback(1)


def report(name, count, work):
    best = None
    for _ in range(3):
        begin = time.perf_counter()
        work()
        took = (time.perf_counter() - begin) / count * 1e9
        best = took if best is None else min(best, took)
    print(json.dumps({"name": name, "ns": best}), flush=True)


def chains(count, links):
    for _ in range(count):
        chain(links)


def gathers(count):
    for _ in range(count):
        members = [defer.Deferred() for _ in range(1000)]
        defer.gatherResults(members)
        for each in members:
            each.callback(1)


report("chain_1", 50_000, lambda: chains(50_000, 1))
report("hop_of_10", 100_000, lambda: chains(10_000, 10))
report("gather_1000", 30, lambda: gathers(30))
