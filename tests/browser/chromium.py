"""A real browser without a window, driven over a pipe by the DevTools protocol: it opens pages, and tells what they did."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
from contextlib import contextmanager

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: Seconds that the browser may take for an answer.
_PATIENCE = 60


def path():
    """Find a browser along PATH; None where there is none."""
    return next((found for found in map(shutil.which, NAMES) if found), None)


class Chromium:
    """A browser with one tab. ``events`` is what it told without being asked."""

    def __init__(self, to, of):
        self._to, self._of, self._number, self._rest = to, of, 0, b""
        self.events = []
        self._session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "Security"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """Ask for something and wait for the answer."""
        self._number += 1
        asked = {"id": self._number, "method": method, "params": params}
        if self._session:
            asked["sessionId"] = self._session
        self._to.write(json.dumps(asked).encode() + b"\0")
        self._to.flush()
        while True:
            said = self._next()
            if said.get("id") == self._number:
                assert "error" not in said, said["error"]
                return said["result"]
            self.events.append(said)

    def open(self, file, *, width=1280, dark=False, scripts=True):
        """Open a file in a window of that width, and wait until it is loaded."""
        self.events.clear()
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.call("Page.navigate", url=f"file://{file}")
        while not any(said.get("method") == "Page.loadEventFired" for said in self.events):
            self.events.append(self._next())

    def ask(self, expression):
        """Evaluate JavaScript in the page and return its value."""
        made = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in made, made["exceptionDetails"]
        return made["result"].get("value")

    def told(self, method):
        """Return the events of a kind since the page was opened."""
        self.call("Runtime.evaluate", expression="1")  # what happened before has been told by now
        return [said["params"] for said in self.events if said.get("method") == method]

    def requests(self):
        """Return the addresses that the page asked for."""
        return [params["request"]["url"] for params in self.told("Network.requestWillBeSent")]

    def _next(self):
        while b"\0" not in self._rest:
            more = os.read(self._of, 1 << 16)
            assert more, "the browser is gone"
            self._rest += more
        said, _, self._rest = self._rest.partition(b"\0")
        return json.loads(said)


@contextmanager
def started(home):
    """Start a browser whose files are in a directory of its own; end it, and all its processes, with this block."""
    (there, to), (of, back) = _pipe(), _pipe()
    options = ["--headless=new", "--remote-debugging-pipe", f"--user-data-dir={home}", "--no-first-run"]
    options += ["--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--disable-component-update"]
    options += ["--disable-background-networking", "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND"]
    if os.geteuid() == 0:  # it has no sandbox for root
        options.append("--no-sandbox")
    # It reads what it is asked from descriptor 3 and answers on 4.
    nothing = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
    pipes = [(os.POSIX_SPAWN_DUP2, there, 3), (os.POSIX_SPAWN_DUP2, back, 4)]
    pid = os.posix_spawn(path(), [path(), *options], os.environ, file_actions=nothing + pipes, setsid=True)
    os.close(there)
    os.close(back)
    try:
        with open(to, "wb") as asking:
            browser = Chromium(asking, of)
            yield browser
            browser.call("Page.close")
            browser._session = None
            browser.call("Browser.close")
    finally:
        os.close(of)
        _end(pid)


def _pipe():
    """Make a pipe whose ends are neither descriptor 3 nor 4."""
    ends = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return high


def _end(pid):
    """Wait for the browser to leave; if it does not, kill it and its children."""
    waiting = os.pidfd_open(pid)
    left, _, _ = select.select([waiting], [], [], 10)
    os.close(waiting)
    if not left:
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
