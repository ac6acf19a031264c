"""What a terminal has done over all of its starts, for the checks of a scenario."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from demos.terminal.interfaces import AccountError, Clock
from demos.terminal.paper.account import PaperAccount
from demos.terminal.points import volume_text


class LogLine(NamedTuple):
    """A line of a terminal's log: when, in seconds of the simulation, at which start of the terminal, and the line."""

    time: float
    start: int
    text: str


class Event(NamedTuple):
    """An event that a program or its terminal has recorded, as in ``--events``: deal, connected, sent and so on."""

    time: float
    start: int
    kind: str
    fields: Mapping[str, object]


class TerminalRecord:
    """The log, the events and the positions of one terminal; times are seconds of the run."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.log: list[LogLine] = []
        self.events: list[Event] = []
        self._by_kind: dict[str, list[Event]] = {}
        # By symbol, the lots after each deal, and those with which the program has started, with their times.
        self.positions: dict[str, list[tuple[float, str]]] = {}
        # See calls.py.
        self.counts: Counter[str] = Counter()
        # The unfinished messages at the ends of connections, with their times.
        self.tails: list[tuple[float, bytes]] = []
        # What was wrong with the account when the terminal ended.
        self.account_problems: list[str] = []
        self.starts = 0
        self.exit_code: int | None = None

    def add_event(self, event: Event) -> None:
        """Take an event that the program or its terminal has recorded, and the position that it states."""
        self.events.append(event)
        self._by_kind.setdefault(event.kind, []).append(event)
        if event.kind in ("started", "deal") and "position" in event.fields:
            symbol, lots = str(event.fields["symbol"]), str(event.fields["position"])
            positions = self.positions.setdefault(symbol, [])
            if event.kind == "started" and positions and float(positions[-1][1]) != float(lots):
                self.account_problems.append(
                    f"{self.name}: {symbol} is {lots} lots at start {event.start}, and the last deal before it has led "
                    f"to {positions[-1][1]}"
                )
            positions.append((event.time, lots))

    def of_kind(self, kind: str) -> Sequence[Event]:
        """The events of this kind, the earliest first."""
        return self._by_kind.get(kind, ())

    def logged(self, text: str) -> bool:
        """Whether a line of the log contains the text."""
        return any(text in line.text for line in self.log)

    def position(self, symbol: str, at: float | None = None) -> str:
        """The lots in the symbol after the last deal, at this second of the run or now; "0.00" before any."""
        for time, lots in reversed(self.positions.get(symbol, ())):
            if at is None or time <= at:
                return lots
        return "0.00"

    def check_account(self, path: Path, symbols: Sequence[str], clock: Clock | None = None) -> None:
        """Compare the account's file with the deals that were recorded; opening it compares its deals and positions."""
        try:
            with closing(PaperAccount(path, clock=clock)) as account:
                stored = {each.spec.name: volume_text(each.volume, each.spec) for each in account.positions()}
        except AccountError as error:
            self.account_problems.append(str(error))
            return
        for symbol in symbols:
            recorded = self.position(symbol)
            if float(stored.get(symbol, "0")) != float(recorded):
                self.account_problems.append(
                    f"{self.name}: {symbol} is {stored.get(symbol, '0')} lots in the account, and the last deal has "
                    f"led to {recorded}"
                )
