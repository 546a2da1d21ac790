"""WebSocket with other people's at the other end [WS-21]: peers_test.py WEBSOCKET_PEER [TEST...].

Node's ws comes from npm, pinned by package-lock.json, into a temporary folder; Python's websockets
from Debian.  What is not there is skipped, and said.
"""

import asyncio
import contextlib
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    import websockets
except ImportError:
    websockets = None

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE = 100  # seconds until something counts as hung: far more than it ever takes
SIZES = (0, 1, 15, 16, 125, 126, 127, 1000, 65535, 65536, 300000)
BOTH = (False, True)


def words(compressed):
    return ["compressed"] if compressed else []


class Server:
    """A program that prints its port and ends with its input."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)

    def __enter__(self):
        return f"ws://127.0.0.1:{int(self.process.stdout.readline())}/"

    def __exit__(self, *_):
        self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        self.process.stdout.close()
        assert status == 0, f"the server ended with {status}"


def plait_server(compressed):
    return Server([PEER, "server", *words(compressed)])


def plait_client(url, compressed):
    return subprocess.run([PEER, "client", url, *words(compressed)], timeout=PATIENCE).returncode


class NodeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("npm") or not shutil.which("node"):
            raise unittest.SkipTest("there is no npm")
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        for name in ("package.json", "package-lock.json", "ws_server.js", "ws_client.js"):
            shutil.copy(HERE / name, cls.folder.name)
        install = subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=cls.folder.name)
        if install.returncode != 0:
            raise unittest.SkipTest("npm cannot fetch ws: is there a network?")

    def node(self, script, *arguments):
        return ["node", f"{self.folder.name}/{script}", *arguments]

    def test_plait_serves_node(self):
        for compressed in BOTH:
            with self.subTest(compressed=compressed), plait_server(compressed) as url:
                client = subprocess.run(self.node("ws_client.js", url, *words(compressed)), timeout=PATIENCE)
                self.assertEqual(client.returncode, 0)

    def test_node_serves_plait(self):
        for compressed in BOTH:
            with self.subTest(compressed=compressed):
                with Server(self.node("ws_server.js", *words(compressed))) as url:
                    self.assertEqual(plait_client(url, compressed), 0)


@unittest.skipIf(websockets is None, "there is no python3-websockets")
class PythonTest(unittest.TestCase):
    def test_plait_serves_python(self):
        for compressed in BOTH:
            with self.subTest(compressed=compressed), plait_server(compressed) as url:
                asyncio.run(asyncio.wait_for(self.talk(url, compressed), PATIENCE))

    async def talk(self, url, compressed):
        options = {"compression": "deflate" if compressed else None, "subprotocols": ["x", "echo.v1"]}
        async with websockets.connect(url, **options) as socket:
            self.assertEqual(socket.subprotocol, "echo.v1")
            self.assertEqual([each.name for each in socket.extensions], ["permessage-deflate"] * compressed)
            for size in SIZES:
                for message in ("\N{euro sign}" * size, b"b" * size, bytes(range(256)) * (size // 256)):
                    await socket.send(message)
                    self.assertEqual(await socket.recv(), message)
            await socket.send(part for part in ("in ", "three ", "parts"))
            await (await socket.ping(b"there?"))
            self.assertEqual(await socket.recv(), "in three parts")
            await socket.close(4001, "done")
            self.assertEqual(socket.close_code, 4001)

    def test_python_serves_plait(self):
        for compressed in BOTH:
            with self.subTest(compressed=compressed):
                self.assertEqual(asyncio.run(self.serve(compressed)), 0)

    async def serve(self, compressed):
        async def echo(socket):
            # Any code but 1000 and 1001 is an error to it.
            with contextlib.suppress(websockets.ConnectionClosedError):
                async for message in socket:
                    if isinstance(message, str) and message.startswith("close "):
                        _, code, reason = message.split(" ", 2)
                        return await socket.close(int(code), reason)
                    await socket.send(message)

        options = {"compression": "deflate" if compressed else None, "subprotocols": ["echo.v1"]}
        async with websockets.serve(echo, "127.0.0.1", 0, **options) as server:
            port = server.sockets[0].getsockname()[1]
            return await asyncio.to_thread(plait_client, f"ws://127.0.0.1:{port}/", compressed)


if __name__ == "__main__":
    PEER = sys.argv.pop(1)
    unittest.main(verbosity=2)
