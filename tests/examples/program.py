"""An example as a subprocess: started, talked to, stopped."""

import os
import pathlib
import signal
import socket
import subprocess
import unittest

PATIENCE = 120  # seconds until something counts as hung: far more than it ever takes


class Program:
    """A server example on a port of its own; `with` ends it and checks that it ended cleanly."""

    def __init__(self, folder, name, *arguments, environment=None):
        self.name = name
        self.process = subprocess.Popen(
            [str(pathlib.Path(folder, name)), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **(environment or {})})
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            self.process.kill()
            raise AssertionError(f"{name} said {line!r} and {self.process.communicate()[1]!r}")
        host, _, port = line.removeprefix("listening on ").rstrip("\n").rpartition(":")
        self.address = (host, int(port))
        self.output = self.errors = ""

    def connect(self):
        client = socket.create_connection(self.address, timeout=PATIENCE)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def stop(self, with_signal=signal.SIGTERM):
        """Its exit status."""
        self.process.send_signal(with_signal)
        self.output, self.errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None and self.process.poll() is None:
            status = self.stop()
            assert status == 0, f"{self.name} ended with {status}: {self.errors}"
        elif self.process.poll() is None:
            self.process.kill()
            print(f"{self.name}:", *self.process.communicate(), sep="\n")
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()


def run(folder, name, *arguments, **options):
    """Runs a program to its end; the completed process with its text."""
    return subprocess.run([str(pathlib.Path(folder, name)), *arguments], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=PATIENCE, **options)


def read_exactly(client, count):
    data = b""
    while len(data) < count:
        more = client.recv(count - len(data))
        if not more:
            raise AssertionError(f"the stream ended after {len(data)} of {count} bytes")
        data += more
    return data


def read_all(client):
    data = b""
    while more := client.recv(65536):
        data += more
    return data


class Case(unittest.TestCase):
    """With `folder`, where the built examples are."""

    folder = ""

    def start(self, name, *arguments, **options):
        return self.enterContext(Program(self.folder, name, *arguments, **options))
