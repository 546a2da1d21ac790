"""TCP echo, a Twisted protocol on the epoll reactor."""
import sys

from twisted.internet import epollreactor

epollreactor.install()
from twisted.internet import protocol, reactor  # noqa: E402 (the reactor is installed first)


class Echo(protocol.Protocol):
    def connectionMade(self):
        self.transport.setTcpNoDelay(True)
        self.transport.bufferSize = 16 * 1024

    def dataReceived(self, data):
        self.transport.write(data)


factory = protocol.Factory.forProtocol(Echo)
factory.noisy = False
port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
listener = reactor.listenTCP(port, factory, backlog=4096, interface="127.0.0.1")
print(f"listening on 127.0.0.1:{listener.getHost().port}", flush=True)
reactor.run()
