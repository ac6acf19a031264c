"""A made-up conversation of any length for the page: a server sends positions to its clients."""

from __future__ import annotations

import random
from typing import Any

from winsock.trace.events import Lane
from winsock.trace.timeline import Timeline, timeline

__all__ = ["Conversation", "conversation"]

_PORT = "127.0.0.1:8081"
# The time from the end of one call to the start of the next one, and how long a receive waits, in nanoseconds.
_PAUSES = (2_000, 10_000, 10_000, 50_000, 1_000_000)
_WAITS = (3_000, 3_000, 200_000, 5_000_000)


class Conversation:
    """The calls of a server (lane 0) and its clients, one after the other."""

    def __init__(self, programs: int) -> None:
        wall = 1_700_000_000 * 10**9
        names = ["server", *(f"client_{number}" for number in range(1, programs))]
        self.lanes = [Lane(name, 100 + at, ["python", f"{name}.py"], "compat", wall) for at, name in enumerate(names)]
        self.time = 0

    def call(self, lane: int, name: str, took: int = 4_000, pause: int = 10_000, /, **given: Any) -> dict[str, Any]:
        """A call with these arguments. `result`, `error`, `local`, `peer` and `thread` are values of its record."""
        args = {key: shown for key, shown in given.items() if key not in ("result", "error", "local", "peer", "thread")}
        records = self.lanes[lane].records
        record = {"n": len(records) + 1, "t": self.time, "d": took, "pid": 100 + lane, "thread": "MainThread"}
        record |= {"call": name, "args": args, "result": given.get("result", 0)}
        record |= {key: given[key] for key in ("local", "peer", "thread") if key in given}
        outcome = f"= {record['result']}"
        if "error" in given:
            record["error"] = {"code": 10054, "name": given["error"]}
            outcome = f"= SOCKET_ERROR (#10054) {given['error']}: the connection was reset"
        record["text"] = f"{name}({', '.join(map(_shown, args.values()))}) {outcome}"
        record["source"] = {"file": f"{self.lanes[lane].name}.py", "line": 10, "function": "main", "code": f"{name}(s)"}
        records.append(record)
        self.time += took + pause
        return record

    def connect(self, client: int) -> None:
        """The client connects, and the server accepts it."""
        local = f"127.0.0.1:{50000 + client}"
        self.call(client, "socket", af="AF_INET", type="SOCK_STREAM", protocol=0, result=256)
        self.call(client, "connect", 90_000, s=256, name=_PORT, namelen=16, local=local, peer=_PORT)
        self.call(0, "accept", s=256, addr=local, addrlen=16, result=260 + client * 4, local=_PORT, peer=local)

    def message(self, client: int, text: str, wait: int = 3_000, pause: int = 10_000) -> None:
        """The server sends a text, and the client receives it."""
        data = {"bytes": len(text), "hex": text.encode("ascii").hex()}
        local = f"127.0.0.1:{50000 + client}"
        addresses = {"local": _PORT, "peer": local}
        self.call(0, "send", s=260 + client * 4, buf=data, len=len(text), flags=0, result=len(text), **addresses)
        addresses = {"local": local, "peer": _PORT}
        self.call(client, "recv", wait, pause, s=256, buf=data, len=512, flags=0, result=len(text), **addresses)

    def timeline(self) -> Timeline:
        return timeline(self.lanes)


def _shown(shown: Any) -> str:
    if isinstance(shown, dict):
        text = bytes.fromhex(shown["hex"]).decode("latin-1").replace("\0", "\\0")
        return f'"{text}"'
    return str(shown)


def conversation(programs: int, messages: int) -> Conversation:
    """A server with `programs - 1` clients: messages to random clients, a pause and an error now and then."""
    choice = random.Random(7)
    talk = Conversation(programs)
    for client in range(1, programs):
        talk.connect(client)
    for number in range(1, messages + 1):
        client = choice.randrange(1, programs)
        pause = 2 * 10**9 if number % 17 == 0 else choice.choice(_PAUSES)
        talk.message(client, f"<<EURUSD|{choice.uniform(-9, 9):.2f}>>\0", choice.choice(_WAITS), pause)
        if number % 25 == 0:
            talk.call(client, "recv", s=256, buf="<512 bytes>", len=512, flags=0, result=-1, error="WSAECONNRESET")
        if number % 5 == 0:
            talk.call(
                0, "select", nfds=0, readfds="{264}", writefds="NULL", exceptfds="NULL", timeout="{0, 0}", result=1
            )
    return talk
