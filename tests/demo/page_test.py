"""The chat's page in a real browser: page_test.py CHAT SCREENSHOT."""

import os
import pathlib
import subprocess
import sys
import unittest

from browser import Driver, Page

PATIENCE = 120


class ChatPage(unittest.TestCase):
    program = ""
    picture = ""

    def start_server(self):
        server = subprocess.Popen(
            [self.program, "tcp:127.0.0.1:0", "tcp:127.0.0.1:0", ":memory:"],
            stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait, PATIENCE)
        self.addCleanup(server.terminate)
        lines = server.stdout.readline().removeprefix("listening on ").strip()
        return lines, server.stdout.readline().removeprefix("the page is ").strip()

    def enter(self, page, nick, room):
        page.wait_for("#state", "connected")
        page.type("#nick", nick)
        page.type("#room", room)
        page.click("#enter button")
        page.wait_for("#lines li", f"you are {nick}")

    def say(self, page, text):
        page.type("#line", text)
        page.click("#say button")

    def test_two_pages_and_a_line_talk_to_each_other(self):
        lines, url = self.start_server()
        host, _, port = lines.rpartition(":")
        with Driver() as driver, Page(driver, url) as ann, Page(driver, url) as bob:
            self.enter(ann, "ann", "tea")
            self.enter(bob, "bob", "tea")

            self.say(ann, "hello bob")
            bob.wait_for("#lines li", "annhello bob")
            self.say(bob, "<b>hi</b> & welcome, ann \U0001f375")
            for page in (ann, bob):
                page.wait_for("#lines li", "bob<b>hi</b> & welcome, ann \U0001f375")
            subprocess.run(["bash", "-c", f"exec 3<>/dev/tcp/{host}/{port}; printf "
                            "'/nick carl\\n/join tea\\nfrom a line\\n/quit\\n' >&3; cat <&3"],
                           check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE)
            for page in (ann, bob):
                page.wait_for("#lines li", "carlfrom a line")
            ann.wait_for("#rooms li", "tea")
            ann.screenshot(self.picture)

            # Who comes later sees what was said.
            with Page(driver, url) as dora:
                self.enter(dora, "dora", "tea")
                dora.wait_for("#lines li.old", "annhello bob")

        self.assertTrue(pathlib.Path(self.picture).read_bytes().startswith(b"\x89PNG"))


if __name__ == "__main__":
    ChatPage.picture = sys.argv.pop(2)
    ChatPage.program = sys.argv.pop(1)
    os.environ.setdefault("HOME", "/tmp")
    unittest.main(verbosity=2)
