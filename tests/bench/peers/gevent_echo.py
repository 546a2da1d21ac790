"""TCP echo, a greenlet per connection."""
import socket
import sys

from gevent.server import StreamServer


def echo(connection, _address):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := connection.recv(16 * 1024):
        connection.sendall(data)


port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
server = StreamServer(("127.0.0.1", port), echo, backlog=4096)
server.start()
print(f"listening on 127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
