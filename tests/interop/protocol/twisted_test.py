"""AMP with Twisted's at the other end [PROTOCOL-41]: twisted_test.py AMP_PEER [TEST...]."""

import signal
import subprocess
import sys
import threading
import unittest

from twisted.internet import defer, protocol, reactor, threads
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.protocols import amp

PATIENCE = 100  # seconds until something counts as hung: far more than it ever takes


class DivisionByZero(Exception):
    pass


class Divide(amp.Command):
    arguments = [(b"numerator", amp.Integer()), (b"denominator", amp.Integer())]
    response = [(b"result", amp.Float())]
    errors = {DivisionByZero: b"ZERO_DIVISION"}


class Mirror(amp.Command):
    arguments = response = [
        (b"integer", amp.Integer()), (b"flag", amp.Boolean()), (b"real", amp.Float()),
        (b"text", amp.Unicode()), (b"bytes", amp.String()),
        (b"numbers", amp.ListOf(amp.Integer())), (b"texts", amp.ListOf(amp.Unicode()))]


class Gather(amp.Command):
    arguments = [(b"name", amp.Unicode()), (b"count", amp.Integer())]
    response = [(b"name", amp.Unicode())]


class Unknown(amp.Command):
    pass


class Fail(amp.Command):
    pass


class Peer(amp.AMP):
    def __init__(self):
        super().__init__()
        self.gathered = []
        self.over = defer.Deferred()

    @Divide.responder
    def divide(self, numerator, denominator):
        if denominator == 0:
            raise DivisionByZero("geteilt durch ü")
        return {"result": numerator / denominator}

    @Mirror.responder
    def mirror(self, **values):
        return values

    @Gather.responder
    def gather(self, name, count):
        answer = defer.Deferred()
        self.gathered.append((name, answer))
        if len(self.gathered) == count:
            for own, each in reversed(self.gathered):
                each.callback({"name": own})
        return answer

    @Fail.responder
    def fail(self):
        raise RuntimeError("a secret of the server")

    def connectionLost(self, reason):
        super().connectionLost(reason)
        self.over.callback(None)


def in_reactor(function, *arguments):
    """Calls it on the reactor's thread; returns what it, or its Deferred, gives."""
    return threads.blockingCallFromThread(reactor, function, *arguments)


class TwistedServes(unittest.TestCase):
    def test_every_question_is_answered_as_by_plait(self):
        port = in_reactor(lambda: reactor.listenTCP(0, protocol.Factory.forProtocol(Peer),
                                                    interface="127.0.0.1"))
        self.addCleanup(in_reactor, port.stopListening)

        asked = subprocess.run([AMP_PEER, "ask", str(port.getHost().port)], text=True,
                               capture_output=True, timeout=PATIENCE)

        self.assertEqual(asked.stdout.splitlines()[:-1], [
            "divide: 0.250000",
            "by zero: DivisionByZero geteilt durch ü",
            "mirror: the same",
            "gather: two one three ",
            "unknown: plait::amp::UnhandledCommand: the AMP peer: Unhandled Command: b'Unknown'",
            "still there: 1.500000",
            "fail: RemoteError UNKNOWN",
        ])
        self.assertIn("too late: plait::ConnectionClosed", asked.stdout)
        self.assertEqual((asked.stderr, asked.returncode), ("", 0))


class PlaitServes(unittest.TestCase):
    def setUp(self):
        self.process = subprocess.Popen([AMP_PEER, "serve"], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.stop)
        line = self.process.stdout.readline()
        self.assertRegex(line, r"^listening on 127\.0\.0\.1:\d+\n$")
        self.errors = None
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", int(line.rpartition(":")[2]))
        self.peer = in_reactor(lambda: connectProtocol(endpoint, Peer()))

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.errors = self.process.communicate(timeout=PATIENCE)[1]
            self.assertEqual(self.process.returncode, 0, self.errors)
        return self.errors

    def ask(self, command, **values):
        return in_reactor(lambda: self.peer.callRemote(command, **values))

    def test_values_of_every_type_come_back(self):
        values = dict(integer=-9007199254740993, flag=True, real=1e300, text="naïve ☃ \0",
                      bytes=bytes(range(256)), numbers=[3, -1, 0], texts=["", "ü", "z"])
        nothing = dict(integer=0, flag=False, real=float("-inf"), text="", bytes=b"", numbers=[],
                       texts=[])

        self.assertEqual(self.ask(Mirror, **values), values)
        self.assertEqual(self.ask(Mirror, **nothing), nothing)
        self.assertEqual(self.stop(), "")

    def test_the_longest_value_comes_back(self):
        values = dict(integer=1, flag=True, real=0.1, text="", bytes=b"x" * 65535, numbers=[],
                      texts=[])

        self.assertEqual(self.ask(Mirror, **values), values)

    def test_answers_come_out_of_order(self):
        order = []

        def ask_all():
            return defer.gatherResults([
                self.peer.callRemote(Gather, name=name, count=3).addCallback(
                    lambda answer: order.append(answer["name"]))
                for name in ("one", "two", "three")])
        in_reactor(ask_all)

        self.assertEqual(order, ["two", "one", "three"])

    def test_a_declared_error_arrives_as_itself(self):
        with self.assertRaisesRegex(DivisionByZero, "^geteilt durch ü$"):
            self.ask(Divide, numerator=1, denominator=0)

        self.assertEqual(self.ask(Divide, numerator=1, denominator=8), {"result": 0.125})
        self.assertEqual(self.stop(), "")

    def test_an_unknown_command_is_unhandled_and_harms_nothing(self):
        with self.assertRaises(amp.UnhandledCommand):
            self.ask(Unknown)

        self.assertEqual(self.ask(Divide, numerator=1, denominator=1), {"result": 1})
        self.assertEqual(self.stop(), "")

    def test_an_undeclared_error_is_unknown_and_the_last_answer(self):
        with self.assertRaises(amp.UnknownRemoteError) as caught:
            self.ask(Fail)

        self.assertNotIn("secret", str(caught.exception))
        in_reactor(lambda: self.peer.over)
        self.assertRegex(self.stop(), "AMP command Fail.*a secret of the server")


if __name__ == "__main__":
    AMP_PEER = sys.argv.pop(1)
    thread = threading.Thread(target=reactor.run, kwargs={"installSignalHandlers": False})
    thread.start()
    try:
        unittest.main(verbosity=2)
    finally:
        reactor.callFromThread(reactor.stop)
        thread.join()
