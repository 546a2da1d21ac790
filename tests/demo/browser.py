"""Chromium as a test sees it, through chromedriver and its W3C WebDriver interface."""

import base64
import http.client
import json
import pathlib
import subprocess
import tempfile
import time

PATIENCE = 120  # seconds until something counts as hung: far more than it ever takes
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
           "--disable-background-networking", "--disable-component-update", "--disable-sync",
           "--disable-dev-shm-usage", "--window-size=1000,700")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Driver:
    """A chromedriver; `with` ends it and all its browsers."""

    def __enter__(self):
        self.process = subprocess.Popen(["chromedriver", "--port=0"], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for line in self.process.stdout:
            if "started successfully on port" in line:
                self.port = int(line.rstrip().rstrip(".").rsplit(" ", 1)[1])
                return self
        raise AssertionError("chromedriver did not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate(timeout=PATIENCE)

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request(method, path, None if body is None else json.dumps(body),
                           {"Content-Type": "application/json"})
        value = json.loads(connection.getresponse().read())["value"]
        connection.close()
        if isinstance(value, dict) and "error" in value:
            raise AssertionError(f"{method} {path}: {value['error']}: {value['message'][:500]}")
        return value


class Page:
    """A browser of its own with one page."""

    def __init__(self, driver, url):
        self.driver = driver
        self.profile = tempfile.TemporaryDirectory(prefix="plait-chromium-")
        options = [*OPTIONS, f"--user-data-dir={self.profile.name}"]
        wanted = {"browserName": "chrome", "goog:chromeOptions": {"args": options}}
        self.session = driver.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.path = "/session/" + self.session["sessionId"]
        driver.call("POST", self.path + "/url", {"url": url})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.call("DELETE", self.path)
        self.profile.cleanup()

    def find(self, selector):
        found = self.driver.call("POST", self.path + "/element",
                                 {"using": "css selector", "value": selector})
        return self.path + "/element/" + found[ELEMENT]

    def type(self, selector, text):
        element = self.find(selector)
        self.driver.call("POST", element + "/clear", {})
        self.driver.call("POST", element + "/value", {"text": text})

    def click(self, selector):
        self.driver.call("POST", self.find(selector) + "/click", {})

    def run(self, script):
        return self.driver.call("POST", self.path + "/execute/sync", {"script": script, "args": []})

    def texts(self, selector):
        return self.run(f"return [...document.querySelectorAll('{selector}')].map(e => e.innerText)")

    def wait_for(self, selector, text):
        """Until an element of the selector has exactly this text."""
        end = time.monotonic() + PATIENCE
        while text not in (seen := self.texts(selector)):
            if time.monotonic() > end:
                raise AssertionError(f"no {selector} has said {text!r}, but {seen!r}")
            time.sleep(0.02)  # the page changes by itself; nobody tells us when

    def screenshot(self, path):
        image = self.driver.call("GET", self.path + "/screenshot")
        pathlib.Path(path).write_bytes(base64.b64decode(image))
