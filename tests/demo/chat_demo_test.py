"""That the demo notices what a chat server does wrong: chat_demo_test.py CHAT_DEMO."""

import os
import pathlib
import subprocess
import sys
import unittest

SERVER = pathlib.Path(__file__).resolve().parent / "faulty_chat.py"
PATIENCE = 200


class ChatDemo(unittest.TestCase):
    program = ""

    def run_demo(self, server, **environment):
        return subprocess.run([self.program, server, "--clients", "30", "--seconds", "1"],
                              env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE)

    def test_a_server_without_fault_passes(self):
        result = self.run_demo(SERVER, FAULT="nothing")

        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("exactly once, in the same order", result.stdout)

    def test_a_line_that_one_member_misses_gets_twice_or_in_another_order_fails(self):
        for fault in ("lose", "twice", "swap"):
            with self.subTest(fault=fault):
                result = self.run_demo(SERVER, FAULT=fault)

                self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
                self.assertIn("NOT DELIVERED", result.stdout)

    def test_a_server_that_does_not_start_fails(self):
        for server in ("/nonexistent/chat", "/bin/true"):
            with self.subTest(server=server):
                result = self.run_demo(server)

                self.assertEqual(result.returncode, 1)
                self.assertIn("did not say 'listening on HOST:PORT'", result.stderr)


if __name__ == "__main__":
    ChatDemo.program = sys.argv.pop(1)
    unittest.main(verbosity=2)
