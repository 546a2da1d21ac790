"""The two processes of an echo measurement, a server and its load generator, each on its core."""
import ctypes
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
START_SECONDS = 10
CONNECT_SECONDS = 70
SYS_PIDFD_GETFD = 438


class Failure(Exception):
    """A server or load generator that did not do its part; the message says which and why."""


def server_commands(build):
    """Every server that is there, in the order of the tables: name -> (command, environment)."""
    peers = build / "tests" / "bench"
    plait = build / "examples" / "echo"
    commands = {
        "plait": ([plait, "tcp:127.0.0.1:0"], {}),
        "plait_spin": ([plait, "tcp:127.0.0.1:0"], {"PLAIT_SPIN_US": "20"}),
        "plait_epoll": ([plait, "tcp:127.0.0.1:0"], {"PLAIT_KERNEL": "epoll"}),
    }
    for name in ("raw_uring", "raw_epoll", "asio_callback", "asio_coroutine", "boost_fiber",
                 "libuv_echo", "st_echo", "go_echo"):
        commands[name] = ([peers / name, "0"], {})
    for name, module in (("gevent_echo", "gevent"), ("twisted_echo", "twisted")):
        # Debian's python3 has Debian's modules, whatever interpreter runs this script.
        if subprocess.run(["/usr/bin/python3", "-c", f"import {module}"],
                          stderr=subprocess.DEVNULL).returncode == 0:
            commands[name] = (["/usr/bin/python3", HERE / "peers" / f"{name}.py", "0"], {})
    return {name: ([str(word) for word in command], environment)
            for name, (command, environment) in commands.items()
            if pathlib.Path(command[0]).exists()}


def pinned(core):
    return lambda: os.sched_setaffinity(0, {core})


def read_line(process, seconds, what):
    """One line of the process's standard output, or a Failure when it ends or says nothing."""
    ready, _, _ = select.select([process.stdout], [], [], seconds)
    line = process.stdout.readline() if ready else ""
    if not line:
        raise Failure(f"{what}: " + ("ended early" if ready else f"silent for {seconds} s"))
    return line


class Server:
    def __init__(self, name, command, environment, core):
        self.name = name
        # A file and not a pipe: nobody reads it until the end, and it must never block the server.
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.errors, text=True,
            env={**os.environ, **environment, "PLAIT_STATS": "1"}, preexec_fn=pinned(core))
        words = read_line(self.process, START_SECONDS, name).split()
        if words[:2] != ["listening", "on"]:
            raise Failure(f"{name}: expected 'listening on HOST:PORT', got {' '.join(words)!r}")
        self.endpoint = words[2]
        self.use_cubic()

    def use_cubic(self):
        """Makes the accepted connections use cubic, as the load generator's do: BBR, the default on
        some machines, paces even over loopback. They inherit it from the listening socket, which is
        borrowed from the server, so that no server needs code for it."""
        libc = ctypes.CDLL(None, use_errno=True)
        pidfd = os.pidfd_open(self.process.pid)
        listeners = 0
        for number in os.listdir(f"/proc/{self.process.pid}/fd"):
            fd = libc.syscall(SYS_PIDFD_GETFD, pidfd, int(number), 0)
            if fd < 0:
                continue
            try:
                with socket.socket(fileno=fd) as borrowed:
                    if borrowed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                        borrowed.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
                        listeners += 1
            except OSError:
                os.close(fd)  # not a socket
        os.close(pidfd)
        if listeners == 0:
            print(f"{self.name}: could not set cubic; its side uses the default", file=sys.stderr)

    def cpu_nanoseconds(self):
        """User and system time of all threads, to the nanosecond: the process's own CPU clock."""
        return time.clock_gettime_ns((~self.process.pid << 3) | 2)

    def waited_nanoseconds(self):
        """How long its threads were runnable but waited for a core: other work on the machine."""
        return waited_nanoseconds(self.process.pid)

    def resident_mib(self):
        with open(f"/proc/{self.process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def stop(self):
        """Ends it; returns the loop statistics it printed, {} if it prints none."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.seek(0)
        lines = self.errors.read().splitlines()
        self.errors.close()
        for line in reversed(lines):
            try:
                stats = json.loads(line)
            except ValueError:
                continue
            if isinstance(stats, dict) and "enters" in stats:
                return stats
        return {}


class Load:
    """One load generator, connected to one server for as long as it lives."""

    def __init__(self, server, command, core):
        self.name = f"load on {server.name}"
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=pinned(core))
        try:
            read_line(self.process, CONNECT_SECONDS, self.name)
        except Failure:
            self.stop()
            raise

    def run(self, seconds, warmup):
        try:
            self.process.stdin.write(f"run {seconds} {warmup}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failure(f"{self.name}: ended early") from None
        result = json.loads(read_line(self.process, seconds + warmup + 30, self.name))
        if result["errors"]:
            raise Failure(f"{self.name}: {result['errors']} wrong or broken echoes")
        return result

    def waited_nanoseconds(self):
        return waited_nanoseconds(self.process.pid)

    def stop(self):
        self.process.kill()  # its sockets' end is all the farewell a server needs
        self.process.wait()
        self.process.stdout.close()
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass


def waited_nanoseconds(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat") as schedstat:
                total += int(schedstat.read().split()[1])
        except OSError:
            pass  # a thread that has just ended
    return total
