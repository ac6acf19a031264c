"""What the processes of the job ``sentiment`` have reported: the volumes of each client, and the totals it received."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from demos.ideas.sentiment.protocol import SideTotal, Total, Volume

SERVER = "server"


@dataclass
class Client:
    """A client: the volume that it sent last, the last total that it received, and how many different ones."""

    name: str
    connected: bool = False
    paused: bool = False
    volume: Volume = field(default_factory=Volume)
    total: Total | None = None
    received: int = 0


class Tally:
    """Takes the events of all processes. The totals are those of ``symbol``."""

    def __init__(self, names: Sequence[str]) -> None:
        self.port = 0
        self.symbol = ""
        self.participants = 0
        self.published: Total | None = None
        self.clients = {name: Client(name) for name in names}

    def take(self, name: str, event: Mapping[str, Any]) -> None:
        """Take an event of the server or of a client."""
        if name == SERVER:
            self._take_of_server(event)
            return
        client, kind = self.clients[name], event["kind"]
        if kind == "started":
            self.symbol = event["symbol"]
        elif kind == "connected":
            client.connected = True
        elif kind == "paused":
            client.paused = event["paused"]
        elif kind == "sent":
            client.volume = Volume(*map(Decimal, event["volumes"].get(self.symbol, ())))
        elif kind == "totals":
            client.total = _total(event["long"], event["short"])
            client.received += client.total is not None

    def volumes(self) -> Volume:
        """The sum of the volumes that the clients sent last."""
        return sum_of([client.volume for client in self.clients.values()])

    def agreed(self) -> bool:
        """Whether every client has received a total, and it is the sum of the volumes that all of them sent last."""
        wanted = self.volumes()
        return all(is_total_of(client.total, wanted) for client in self.clients.values())

    def _take_of_server(self, event: Mapping[str, Any]) -> None:
        if event["kind"] == "serving":
            self.port = event["port"]
        elif event["kind"] == "published":
            self.participants = event["participants"]
            self.published = _total(*event["totals"].get(self.symbol, (None, None)))


def sum_of(volumes: Sequence[Volume]) -> Volume:
    """The sum of the volumes of each side."""
    return Volume(
        sum((volume.long for volume in volumes), Decimal(0)), sum((volume.short for volume in volumes), Decimal(0))
    )


def is_total_of(total: Total | None, volumes: Volume) -> bool:
    """Whether there is a total, and it has these volumes. A side without volumes has no total."""
    if total is None:
        return False
    sides = ((total.long, volumes.long), (total.short, volumes.short))
    return all((side.lots if side else Decimal(0)) == lots for side, lots in sides)


def _total(long: Sequence[Any] | None, short: Sequence[Any] | None) -> Total | None:
    sides = [SideTotal(Decimal(side[0]), side[1]) if side else None for side in (long, short)]
    return Total(*sides) if any(sides) else None
