"""``python -m demos ticks --study``: the article's server and clients in the job.

The article's programs write no events and keep no ticks: the job counts their log lines, one for each tick sent and one
for each tick received. A received tick belongs to the client whose chart has its symbol: no two clients share one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from demos.collector.job import TicksJob
from demos.collector.rows import SymbolRow
from demos.collector.tally import SERVER, Client
from demos.launcher.children import Child
from demos.launcher.log_lines import listening_port
from demos.terminal.interfaces import ProgramError

_SENT = re.compile(r" send (.+) tick to server$")
_RECEIVED = re.compile(r" receive tick from client\b.*?: (.+) (\d+)(?:\.(\d+))?$")

_PRODUCT_OPTIONS = ("database", "export", "picture")


class StudyTicksJob(TicksJob):
    """The job with the article's programs."""

    server_program = "tick_server"

    # The article's server drops at its end what it has not read: only lost ticks make the job wait this long.
    least_catching_up = 10.0

    def prepare(self, folder: Path, stack: ExitStack) -> None:
        """See Job."""
        for name in _PRODUCT_OPTIONS:
            if getattr(self.options, name) is not None:
                raise ProgramError(
                    f"--{name} needs the product programs: the article's server keeps no ticks (--study)"
                )
        super().prepare(folder, stack)

    def open_store(self, folder: Path, stack: ExitStack) -> None:
        """The article's server keeps no ticks."""
        self._symbols: dict[str, SymbolRow] = {}

    def server_arguments(self) -> list[str]:
        """The article's server has no inputs but Host and Port."""
        return []

    def client_arguments(self) -> list[str]:
        """See TicksJob."""
        return ["--study"]

    def sends(self, client: Client) -> bool:
        """See TicksJob."""
        return bool(client.sent)

    def take_line(self, child: Child, text: str) -> None:
        """See Job."""
        super().take_line(child, text)
        if child.name == SERVER:
            self.tally.port = listening_port(text) or self.tally.port
            self._take_received(text)
        elif found := _SENT.search(text):
            client = self.tally.clients[child.name]
            client.sent[found[1]] = client.ticks[found[1]] = client.sent.get(found[1], 0) + 1

    def take_event(self, child: Child, event: Mapping[str, Any]) -> None:
        """See Job. Only the terminals write events, and none of them is about a tick."""

    def refresh(self, now: float) -> None:
        """See Job. Credits each client with the received ticks of its symbols."""
        self.tally.symbols = list(self._symbols.values())
        for client in self.tally.clients.values():
            client.received = sum(row.ticks for row in self.tally.symbols if row.name in client.sent)

    def number_counts(self) -> dict[str, int]:
        """The article's ticks have no numbers."""
        return {}

    def write_files(self) -> dict[str, Any]:
        """There is nothing to write."""
        return {}

    def _take_received(self, text: str) -> None:
        found = _RECEIVED.search(text)
        if not found:
            return
        symbol, fraction = found[1], found[3] or ""
        ticks = self._symbols[symbol].ticks + 1 if symbol in self._symbols else 1
        self._symbols[symbol] = SymbolRow(symbol, ticks, int(found[2] + fraction), len(fraction), 0)
