"""Clients that are not ours against the provider program over TLS: curl, urllib, websockets and Chromium."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest
from browser_kit import NEEDS_BROWSER, browser
from service_kit import QUICK_LOGINS, RunningProvider, Subscriber, add_user
from web_kit import network
from winsock_kit import LIMIT_SECONDS

from demos.provider.messages import Snapshot

__all__ = ["network"]

# On Windows, Python's own sockets need a started Winsock too, and other tests end it.
pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("network")]

# What a page sends and receives, as a promise of the texts up to the first snapshot.
PAGE = """
new Promise((done, failed) => {
  const socket = new WebSocket(%s), texts = [];
  socket.onopen = () => socket.send(JSON.stringify({type: "login", version: 1, login: "anna", token: %s}));
  socket.onmessage = event => {
    texts.push(event.data);
    if (JSON.parse(event.data).type === "snapshot") done(texts);
  };
  socket.onclose = event => failed(new Error("closed: " + event.code + " " + event.reason));
})
"""


def test_the_package_websockets_subscribes_and_urllib_gets_the_page(tmp_path: Path) -> None:
    token = add_user(tmp_path, "anna")
    provider = RunningProvider(tmp_path)
    Subscriber(provider, login="anna", token=token).receive_kind(Snapshot)
    with urllib.request.urlopen(provider.url("/", "http"), context=provider.context(), timeout=LIMIT_SECONDS) as answer:
        assert answer.status == 200
        assert b"<html" in answer.read()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.posix_only("the curl of Linux does not reach a server on Wine")
def test_curl_gets_the_metrics_and_a_websockets_opening(tmp_path: Path) -> None:
    provider = RunningProvider(tmp_path, quick=QUICK_LOGINS)
    curl = ["curl", "-sS", "-i", "-m", "30", "--cacert", str(provider.certificate)]
    done = subprocess.run([*curl, provider.url("/metrics", "http")], capture_output=True, timeout=60, check=True)
    assert b" 200" in done.stdout.partition(b"\r\n")[0]
    headers = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
    }  # fmt: skip
    options = [option for name, value in headers.items() for option in ("-H", f"{name}: {value}")]
    # curl waits for the end of the connection: the provider ends it when no login comes.
    done = subprocess.run(
        [*curl, "--http1.1", *options, provider.url("/ws", "http")], capture_output=True, timeout=60, check=False
    )
    assert done.stdout.startswith(b"HTTP/1.1 101")
    assert b'{"type":"hello"' in done.stdout
    assert b"no login within" in done.stdout


@pytest.mark.posix_only(reason="there is no browser on Wine; the page is the same")
@NEEDS_BROWSER[1]
def test_a_page_in_chromium_subscribes(tmp_path: Path) -> None:
    token = add_user(tmp_path, "anna")
    provider = RunningProvider(tmp_path)
    provider.command("buy 0.1")
    provider.wait("deal")
    with browser(tmp_path) as page:
        page.open(provider.url("/healthz", "http"))
        texts = page.value(PAGE % (json.dumps(provider.url()), json.dumps(token)))
    messages = [json.loads(text) for text in texts]
    assert [each["type"] for each in messages] == ["hello", "welcome", "snapshot"]
    [position] = messages[-1]["positions"]
    assert (position["symbol"], position["lots"]) == ("EURUSD", "0.1")
