"""Says hello over a link, and records what it receives; a message "end" ends the connection. For the tests of links."""

from __future__ import annotations

from demos.ideas.link import Link, LinkError, link_settings
from demos.ideas.link_options import CaInput, PinInput, UrlInput
from demos.terminal import INIT_FAILED, INIT_SUCCEEDED, EventKillTimer, EventSetTimer, Fail

url: UrlInput = "ws://127.0.0.1:8451"
ca: CaInput = ""
pin: PinInput = ""

link: Link
greeted = 0
received: list[str] = []


def OnInit() -> int:
    global link
    try:
        link = Link(link_settings(url, ca, pin))
    except LinkError as error:
        Fail(2, str(error))
        return INIT_FAILED
    EventSetTimer(1)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    if "link" in globals():
        link.close()


def OnTimer() -> None:
    Step()


def OnSocket(s: int, ready: int) -> None:
    Step()


def Step() -> None:
    global greeted
    for text in link.step():
        received.append(text)
        if text == "end":
            link.end("the server sends the end")
    if link.is_open and link.generation > greeted:
        greeted = link.generation
        link.send(f"hello {greeted}")
