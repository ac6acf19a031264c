"""The sums of the clients' events and of the server's database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from demos.collector.rows import SenderRow, SymbolRow

SERVER = "server"


@dataclass
class Client:
    """What is known of one client: the ticks of each of its symbols, and the local ports that it sends from."""

    name: str
    ticks: dict[str, int] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)
    ports: set[int] = field(default_factory=set)
    received: int = 0


class Tally:
    """Takes events of the clients and rows of the server's database; ticks of earlier runs are not counted."""

    def __init__(self, clients: Sequence[str]) -> None:
        self.port = 0
        self.clients = {name: Client(name) for name in clients}
        self.symbols: list[SymbolRow] = []
        self.refused = 0
        self.lost_by_number = 0
        self._symbols_before: dict[str, int] = {}
        self._senders_before: dict[str, SenderRow] = {}

    @property
    def ticks(self) -> int:
        """All ticks that the clients' programs were given, sent or not."""
        return sum(sum(client.ticks.values()) for client in self.clients.values())

    @property
    def sent(self) -> int:
        """All ticks that were sent."""
        return sum(sum(client.sent.values()) for client in self.clients.values())

    @property
    def received(self) -> int:
        """All of the clients' ticks that the server has kept."""
        return sum(client.received for client in self.clients.values())

    def begin(self, symbols: Sequence[SymbolRow], senders: Sequence[SenderRow]) -> None:
        """Take the rows of the database before anything is sent."""
        self._symbols_before = {symbol.name: symbol.ticks for symbol in symbols}
        self._senders_before = {sender.address: sender for sender in senders}

    def take(self, name: str, event: Mapping[str, Any]) -> None:
        """Take an event of the server or of a client."""
        kind = event["kind"]
        if kind == "listening":
            self.port = event["port"]
        elif kind == "sending":
            self.clients[name].ports.add(event["port"])
        elif kind == "sent":
            self.clients[name].ticks[event["symbol"]] = event["ticks"]
            self.clients[name].sent[event["symbol"]] = event["sent"]

    def take_rows(self, symbols: Sequence[SymbolRow], senders: Sequence[SenderRow]) -> None:
        """Take the present rows of the database."""
        new = ((row, row.ticks - self._symbols_before.get(row.name, 0)) for row in symbols)
        self.symbols = [row._replace(ticks=ticks) for row, ticks in new if ticks]
        owners = {f"127.0.0.1:{port}": client for client in self.clients.values() for port in client.ports}
        for client in self.clients.values():
            client.received = 0
        self.refused = self.lost_by_number = 0
        nothing = SenderRow("", 0, 0, 0, 0, 0)
        for row in senders:
            before = self._senders_before.get(row.address, nothing)
            self.refused += row.refused + row.oversized - before.refused - before.oversized
            self.lost_by_number += row.lost - before.lost
            if row.address in owners:
                owners[row.address].received += row.ticks - before.ticks
