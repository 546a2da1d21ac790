"""Web applications among the examples: web_test.py FOLDER [TEST...]."""

import http.client
import pathlib
import sys
import unittest
import urllib.parse

from program import PATIENCE, Case


class Guestbook(Case):
    def setUp(self):
        if not pathlib.Path(self.folder, "guestbook").exists():
            self.skipTest("libkainjow-mustache-dev is not there, so the example was not built")

    def ask(self, client, method, path, **form):
        body = urllib.parse.urlencode(form) if form else None
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
        client.request(method, path, body, kind)
        response = client.getresponse()
        return response.status, response.read().decode(), response

    def test_who_signs_is_shown_and_cannot_change_the_page(self):
        server = self.start("guestbook", "tcp:127.0.0.1:0")
        client = http.client.HTTPConnection(*server.address, timeout=PATIENCE)
        self.addCleanup(client.close)
        self.assertIn("Nobody has signed yet", self.ask(client, "GET", "/")[1])

        status, _, response = self.ask(client, "POST", "/", name="Ann & Bob", text="<script>")
        page = self.ask(client, "GET", "/")[1]

        self.assertEqual((status, response.getheader("Location")), (303, "/"))
        self.assertIn("<p><b>Ann &amp; Bob</b>: &lt;script&gt;</p>", page)
        self.assertNotIn("Nobody", page)

    def test_a_form_without_a_name_is_a_bad_request(self):
        server = self.start("guestbook", "tcp:127.0.0.1:0")
        client = http.client.HTTPConnection(*server.address, timeout=PATIENCE)
        self.addCleanup(client.close)

        self.assertEqual(self.ask(client, "POST", "/", text="anonymous")[0], 400)
        self.assertEqual(self.ask(client, "POST", "/")[0], 415)


if __name__ == "__main__":
    Case.folder = sys.argv.pop(1)
    unittest.main(verbosity=2)
