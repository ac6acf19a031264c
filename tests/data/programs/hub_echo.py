"""Echoes each text message of a hub's clients; some messages ask for something else. For the tests of the hub."""

from __future__ import annotations

from collections import deque
from typing import Annotated

from demos.ideas.hub import Hub, HubError, HubSettings
from demos.ideas.hub_options import CertInput, ClientsInput, HostInput, KeyInput, PerAddressInput, PortInput
from demos.ideas.messages import MessageError
from demos.terminal import (
    INIT_FAILED,
    INIT_SUCCEEDED,
    EventKillTimer,
    EventSetTimer,
    Fail,
    Input,
)

Host: HostInput = "127.0.0.1"
Port: PortInput = 0
cert: CertInput = ""
key: KeyInput = ""
clients: ClientsInput = 8
per_address: PerAddressInput = 8
defect: Annotated[bool, Input("closed() raises an exception")] = False


class Echo:
    """The handler; ``log`` has each call but next_message()."""

    def __init__(self) -> None:
        self.log: list[tuple[object, ...]] = []
        self.waiting: dict[int, deque[str]] = {}
        self.state: str | None = None
        self.states: dict[int, str | None] = {}

    def opened(self, client: int, address: str, now: int) -> None:
        self.log.append(("opened", client, address))
        self.waiting[client] = deque(["welcome"])

    def received(self, client: int, text: str, now: int) -> None:
        self.log.append(("received", client, text[:40]))
        if text == "refuse":
            raise MessageError("malformed", "as requested")
        if text == "fail":
            raise RuntimeError("as requested")
        if text.startswith("end "):
            hub.end(int(text[4:]), "ended", "as requested by another client")
        count = int(text[5:]) if text.startswith("many ") else 1
        self.waiting[client].extend([text] * count)

    def next_message(self, client: int, now: int) -> str | None:
        if self.waiting[client]:
            return self.waiting[client].popleft()
        if self.state == f"fail {client}":
            raise RuntimeError("next_message() has failed")
        if self.states.get(client) != self.state:
            self.states[client] = self.state
            return self.state
        return None

    def closed(self, client: int, reason: str, now: int) -> None:
        self.log.append(("closed", client, reason))
        del self.waiting[client]
        if defect:
            raise RuntimeError("closed() has failed")


handler = Echo()
pumped: str | None = None
hub: Hub


def OnInit() -> int:
    global hub
    try:
        hub = Hub(HubSettings(Host, Port, cert, key, most_clients=clients, most_per_address=per_address), handler)
    except HubError as error:
        Fail(error.code, str(error))
        return INIT_FAILED
    EventSetTimer(1)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    if "hub" in globals():
        hub.close()


def OnTimer() -> None:
    global pumped
    hub.timer()
    if handler.state is not pumped:
        pumped = handler.state
        hub.pump()


def OnSocket(s: int, ready: int) -> None:
    hub.ready(s, ready)
