"""Headless Chromium for tests, driven by its DevTools protocol over the package websockets.

Input is sent as a user's: mouse and keys at the browser, not events of a script. An error in a script, a resource that
cannot be loaded, and whatever the Content-Security-Policy refuses are in ``problems``.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

# The longest time to wait for anything.
LIMIT_SECONDS = 30

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

NEEDS_BROWSER = [
    pytest.mark.posix_only(reason="there is no browser on Wine; the page is the same"),
    pytest.mark.skipif(
        BROWSER is None, reason="Chromium is not installed: apt-get install --no-install-recommends chromium"
    ),
]

_OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--ignore-certificate-errors", "--remote-debugging-port=0", "--window-size=1400,900",
)  # fmt: skip

# Answers with these statuses are part of a test; Chromium reports them as errors of the page.
_EXPECTED = "the server responded with a status of"

_KEYS = {
    "Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "PageUp": 33, "PageDown": 34, "End": 35, "Home": 36, "ArrowUp": 38,
    "ArrowDown": 40,
}  # fmt: skip
# The bits of the protocol for keys that are held down.
_HELD = {"": 0, "Control": 2, "Shift": 8}


class Page:
    """A page of the browser, and the connection that drives it."""

    def __init__(self, connection: ClientConnection) -> None:
        self.problems: list[str] = []
        self._connection = connection
        self._numbers = 0
        self._session = ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.size(1400, 900)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol; returns its result."""
        self._numbers += 1
        message: dict[str, Any] = {"id": self._numbers, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._connection.send(json.dumps(message))
        while True:
            answer = json.loads(self._connection.recv(timeout=LIMIT_SECONDS))
            if answer.get("id") == self._numbers:
                assert "error" not in answer, (method, answer)
                return dict(answer["result"])
            self._note(answer)

    def open(self, url: str) -> None:
        """Go to an address, and wait until the page is loaded."""
        self.call("Page.navigate", url=url)
        self.wait_for(f"location.href.startsWith({json.dumps(url)}) && document.readyState === 'complete'")

    def value(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, (expression, answer)
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Wait until an expression is true."""
        until = time.monotonic() + LIMIT_SECONDS
        pause = threading.Event()
        while not self.value(f"Boolean({expression})"):
            assert time.monotonic() < until, (f"not true in time: {expression}", self.problems, self.text("body"))
            pause.wait(0.02)

    def text(self, selector: str) -> str:
        """The visible text of an element."""
        return str(self.value(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def texts(self, selector: str) -> list[str]:
        """The visible texts of all elements."""
        return list(self.value(f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.innerText)"))

    def click(self, selector: str) -> None:
        """Click with the mouse in the middle of an element, which must be what is seen there."""
        found = json.dumps(selector)
        self.wait_for(f"document.querySelector({found})?.checkVisibility()")
        x, y, hit = self.value(
            f"(() => {{ const e = document.querySelector({found}); e.scrollIntoView({{block: 'center'}});"
            "const r = e.getBoundingClientRect(); const x = r.x + r.width / 2, y = r.y + r.height / 2;"
            "const at = document.elementFromPoint(x, y);"
            "return [x, y, e.contains(at) || at?.outerHTML] })()"
        )
        assert hit is True, f"{selector} is covered by {hit}"
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, text: str) -> None:
        """Type text into the element that has the focus."""
        self.call("Input.insertText", text=text)

    def press(self, key: str, held: str = "") -> None:
        """Press a key, named as in KeyboardEvent.key, while another one is held down."""
        code = _KEYS.get(key) or ord(key.upper())
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 and held != "Control" else "")
        both = {"key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": _HELD[held]}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **both)
        self.call("Input.dispatchKeyEvent", type="keyUp", **both)

    def focused(self) -> str:
        """The id or the accessible name of the element that has the focus."""
        return str(
            self.value(
                "document.activeElement.id || document.activeElement.getAttribute('aria-label') "
                "|| document.activeElement.textContent"
            )
        )

    def size(self, width: int, height: int) -> None:
        """The size of the window's inside."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.drawn()

    def drawn(self) -> None:
        """Wait until the page has been laid out and drawn."""
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")

    def prefer(self, scheme: str) -> None:
        """What the system prefers: ``light`` or ``dark``."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """Write a picture of the page, or of what is seen of it, to a PNG file."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description", details["text"]))
        elif event.get("method") == "Log.entryAdded":
            entry = params["entry"]
            if entry["level"] in ("error", "warning") and _EXPECTED not in entry["text"]:
                self.problems.append(f"{entry['text']} {entry.get('url', '')}")


@contextmanager
def browser(folder: Path, *, scroll_bars: bool = False) -> Iterator[Page]:
    """A browser with a new profile, and an empty page in it; with `scroll_bars`, they take room as on Windows."""
    assert BROWSER
    options = [*_OPTIONS, *([] if scroll_bars else ["--hide-scrollbars"])]
    profile, log = folder / "profile", folder / "browser.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [BROWSER, *options, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True,
        )  # fmt: skip
    try:
        with connect(_address(profile, process, log), max_size=None, compression=None) as connection:
            yield Page(connection)
            # The whole browser ends, with its helper processes.
            connection.send(json.dumps({"id": 0, "method": "Browser.close"}))
            process.wait(LIMIT_SECONDS)
    finally:
        process.kill()
        process.wait(LIMIT_SECONDS)


def _address(profile: Path, process: subprocess.Popen[bytes], log: Path) -> str:
    """The address of the browser's DevTools, which it writes to a file when it listens."""
    until = time.monotonic() + LIMIT_SECONDS
    pause = threading.Event()
    while True:
        try:
            port, path = (profile / "DevToolsActivePort").read_text(encoding="ascii").split("\n")[:2]
            return f"ws://127.0.0.1:{port}{path}"
        except (OSError, ValueError):
            assert process.poll() is None, log.read_text(encoding="utf-8", errors="replace")
            assert time.monotonic() < until, log.read_text(encoding="utf-8", errors="replace")
            pause.wait(0.02)
