"""HTTP, TLS and WebSocket servers beside their peers, in the slices and rounds of echo_runs."""
import collections
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import time

import echo_runs
from processes import HERE, Failure, Load, pinned, waited_nanoseconds

# `unit` is what one request is in the tables; `load` is for the load generator: what it is told
# beside the number of connections.
Figure = collections.namedtuple("Figure", "label title connections unit load")
# `baselines` are what plait is compared to in every table, the one with the lowest CPU counts.
Family = collections.namedtuple("Family", "name title note figures servers baselines goals")

FAMILIES = [
    Family("http", "HTTP/1.1 hello",
           "The answer is \"Hello, World!\" with the fields that each server sends by itself. The "
           "load is wrk with keep-alive connections, opened anew for each slice of a second.",
           [Figure("http_64", "64 connections", 64, "request", None),
            Figure("http_1000", "1,000 connections", 1000, "request", None)],
           ("plait", "nginx", "beast_http", "go_http", "node_http"), ("nginx",),
           {"nginx": 1.15, "go_http": 1.0, "beast_http": 1.0}),
    Family("tls", "TLS 1.3",
           "TLS_AES_256_GCM_SHA384, X25519, a P-256 certificate. openssl_loop is epoll and "
           "SSL_set_fd, openssl_ahead the same with SSL_CTX_set_read_ahead; nginx is its http "
           "module with TLS. A handshake is a new connection until the server's ticket has come "
           "and the client has closed; a MiB is sent in one write (by nginx from a file).",
           [Figure("tls_full", "full handshakes, 16 at once", 16, "handshake", ("full", 0)),
            Figure("tls_resumed", "resumed handshakes, 16 at once", 16, "handshake",
                   ("resumed", 0)),
            Figure("tls_echo_64", "echo of 64 bytes, 64 connections", 64, "request", ("echo", 64)),
            Figure("tls_echo_1024", "echo of 1 KiB, 64 connections", 64, "request",
                   ("echo", 1024)),
            Figure("tls_send", "the server sends 1 MiB writes, 4 connections", 4, "MiB",
                   ("get", 0)),
            Figure("tls_receive", "the server receives 1 MiB writes, 4 connections", 4, "MiB",
                   ("put", 0))],
           ("plait", "openssl_loop", "openssl_ahead", "nginx"), ("openssl_loop", "openssl_ahead"),
           {"openssl": 1.1}),
    Family("websocket", "WebSocket echo",
           "Texts, masked by the client, without compression; a server has to look whether they "
           "are UTF-8. go_websocket is written by hand on net/http.",
           [Figure("ws_64", "64 bytes, 64 connections", 64, "request", 64),
            Figure("ws_1024", "1 KiB, 64 connections", 64, "request", 1024)],
           ("plait", "beast_websocket", "go_websocket"), ("beast_websocket",),
           {"beast_websocket": 1.0, "go_websocket": 1.0}),
]
LABELS = [figure.label for family in FAMILIES for figure in family.figures]
# nginx has no echo, and takes no body of this protocol.
NGINX_TLS = ("tls_full", "tls_resumed", "tls_send")


def make_certificate(folder):
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-out", str(certificate), "-keyout", str(key)],
                   check=True, stderr=subprocess.DEVNULL)
    return [str(certificate), str(key)]


def commands(family, figure, build, folder):
    """The servers of a figure that are there: name -> (command, environment)."""
    programs = build / "tests" / "bench"
    found = {}
    for name in family.servers:
        words = [programs / name, "0"]
        if name == "plait":
            words = [programs / {"http": "plait_http_hello", "tls": "plait_tls",
                                 "websocket": "plait_websocket"}[family.name], "0"]
        elif name.startswith("openssl_"):
            words = [programs / "openssl_loop", "0"]
        elif name.startswith("node_"):
            words = [pathlib.Path("/usr/bin/node"), HERE / "peers" / f"{name}.js", "0"]
        elif name == "nginx":
            if family.name == "tls" and figure.label not in NGINX_TLS:
                continue
            own = pathlib.Path(tempfile.mkdtemp(dir=folder))
            words = [pathlib.Path("/usr/bin/python3"), HERE / "peers" / "nginx.py", own]
        if family.name == "tls":
            words += make_certificate(folder)
        if name == "openssl_ahead":
            words.append("ahead")
        if all(word.exists() for word in words[:2] if isinstance(word, pathlib.Path)):
            found[name] = ([str(word) for word in words], {})
    return found


class WrkLoad:
    """wrk, started for each slice: its connections last no longer."""

    def __init__(self, server, connections, core):
        self.server = server
        self.connections = connections
        self.core = core
        self.waited = 0

    def run(self, seconds, _):
        process = subprocess.Popen(
            ["wrk", "-t1", f"-c{self.connections}", f"-d{math.ceil(seconds)}s", "-s",
             str(HERE / "wrk_report.lua"), f"http://{self.server.endpoint}/"],
            stdout=subprocess.PIPE, text=True, preexec_fn=pinned(self.core))
        waited = 0
        while process.poll() is None:
            waited = waited_nanoseconds(process.pid) or waited
            time.sleep(0.05)
        self.waited += waited
        lines = process.stdout.read().splitlines()
        process.stdout.close()
        if process.returncode != 0 or not lines[-1].startswith("{"):
            raise Failure(f"wrk on {self.server.name}: ended with status {process.returncode}")
        result = json.loads(lines[-1])
        if result["errors"]:
            raise Failure(f"wrk on {self.server.name}: {result['errors']} errors")
        return result

    def waited_nanoseconds(self):
        return self.waited

    def stop(self):
        pass


def make_load(family, build, options):
    programs = build / "tests" / "bench"
    core = options.cores[1]

    def make(figure, server):
        if family.name == "http":
            return WrkLoad(server, figure.connections, core)
        if family.name == "tls":
            mode, size = figure.load
            words = [programs / "tls_load", server.endpoint, mode, figure.connections, size]
        else:
            words = [programs / "load", f"ws:{server.endpoint}", figure.connections, figure.load,
                     "-"]
        return Load(server, words, core)

    return make


def chosen(only):
    """(family, its figures that were asked for), for each family with any."""
    for family in FAMILIES:
        figures = [figure for figure in family.figures
                   if {"net", family.name, figure.label} & only]
        if figures:
            yield family, figures


def run_all(build, options, problems):
    """[(family, {figure: {server: Series}})]"""
    results = []
    wanted = options.servers.split(",") if options.servers else None
    with tempfile.TemporaryDirectory(prefix="plait-bench-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        for family, figures in chosen(options.only):
            measured = {}
            for figure in figures:
                servers = commands(family, figure, build, folder)
                if wanted:
                    servers = {name: servers[name] for name in wanted if name in servers}
                print(f"{figure.label}: {len(servers)} servers", file=sys.stderr)
                measured[figure] = echo_runs.run_figure(
                    figure, servers, make_load(family, build, options), options, problems)
            results.append((family, measured))
    return results
