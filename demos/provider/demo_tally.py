"""What the events of a provider and its copiers add up to: positions, targets, lags and connections.

A copier's target is the provider's position multiplied by its factor, rounded toward zero to the volume step. The lag
of an order is the time from the provider's trade until the order's deal. When one order copies several trades, the lag
counts from the earliest of them.

The events of one process come in their order, those of different processes in any order: a copier's deal may be known
before the provider's trade that it copies. So a deal waits until its trade is known.

Whether a copier is connected is known from the provider, which reports each login and its end; why it is not, from the
copier, which reports the provider's refusal.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import Any

from demos.copier.refusals import refusal_of

PROVIDER = "provider"

# The step of an order's volume, in lots.
STEP = Decimal("0.01")

# Deals that were made for another reason, such as a command, match no trade: only the last ones wait.
_MOST_WAITING = 100

# After these refusals a copier logs in again soon, without an operator's help.
_SHORT = ("", "closing", "rights", "unavailable")

Positions = dict[str, Decimal]


def target(lots: Decimal, factor: Decimal) -> Decimal:
    """The lots that a copier holds when the provider holds ``lots``."""
    return (lots * factor).quantize(STEP, ROUND_DOWN)


def targets(positions: Mapping[str, Decimal], factor: Decimal) -> Positions:
    """The positions of a copier when the provider has these, without those that are 0."""
    scaled = {symbol: target(lots, factor) for symbol, lots in positions.items()}
    return {symbol: lots for symbol, lots in scaled.items() if lots}


@dataclass(eq=False)
class Copier:
    """What is known of one copier. ``refused`` is the code of the provider's last refusal, or ""."""

    name: str
    factor: Decimal
    logins: int = 0
    connections: int = 0
    refused: str = ""
    stopped: str = ""
    states: int = 0
    orders: int = 0
    lags: list[float] = field(default_factory=list)
    # For each symbol the number of the provider's last trade that was copied.
    copied: dict[str, int] = field(default_factory=dict)
    # Deals that match no known trade: time, symbol and the resulting position.
    waiting: deque[tuple[int, str, Decimal]] = field(default_factory=lambda: deque(maxlen=_MOST_WAITING))

    @property
    def status(self) -> str:
        """What the copier does at present, in one word: the code of a refusal, such as paused, says why it waits."""
        if self.stopped:
            return "stopped"
        if self.connections > 0:
            return "following" if self.states else "connected"
        return self.refused or "connecting"

    @property
    def waits(self) -> bool:
        """Whether the copier copies nothing until an operator, or its user, does something."""
        return bool(self.stopped) or (self.connections <= 0 and self.refused not in _SHORT)

    @property
    def has_ended(self) -> bool:
        """Whether the copier copies nothing until its login, its secret or an option is changed."""
        return bool(self.stopped) or (self.connections <= 0 and refusal_of(self.refused).needs_change)


class DemoTally:
    """Takes events. Times are nanoseconds, lags milliseconds, positions lots by symbol."""

    def __init__(self, factors: Mapping[str, Decimal]) -> None:
        self.port = 0
        self.trades = 0
        # Whether the provider's strategy has reported that it trades no more.
        self.paused = False
        self.copiers = {name: Copier(name, factor) for name, factor in factors.items()}
        self.positions: dict[str, Positions] = {name: {} for name in (PROVIDER, *factors)}
        # For each symbol, when the provider's position has changed, and to what.
        self._changes: dict[str, tuple[list[int], list[Decimal]]] = {}

    def lags(self) -> list[float]:
        """The lags of all copiers."""
        return [lag for copier in self.copiers.values() for lag in copier.lags]

    def has_target(self, copier: Copier) -> bool:
        """Whether a copier holds what the provider's position means for it."""
        return self.positions[copier.name] == targets(self.positions[PROVIDER], copier.factor)

    def settled(self) -> bool:
        """Whether the provider trades no more, and each copier has its target or cannot get it at present."""
        return self.paused and all(each.waits or self.has_target(each) for each in self.copiers.values())

    def take(self, name: str, event: Mapping[str, Any]) -> None:
        """Take the next event of a process."""
        if event["kind"] in ("started", "deal"):
            self._take_position(name, event)
        if name == PROVIDER:
            self._take_provider_event(event)
        else:
            self._take_copier_event(self.copiers[name], event)

    def _take_position(self, name: str, event: Mapping[str, Any]) -> None:
        symbol, lots = event["symbol"], Decimal(event["position"])
        self.positions[name].pop(symbol, None)
        if lots:
            self.positions[name][symbol] = lots
        if name == PROVIDER:
            times, changes = self._changes.setdefault(symbol, ([], []))
            times.append(event["t"])
            changes.append(lots)
            for copier in self.copiers.values():
                self._match(copier)

    def _take_provider_event(self, event: Mapping[str, Any]) -> None:
        kind, copier = event["kind"], self.copiers.get(event.get("login", ""))
        if kind == "started":
            self.paused = False
            for each in self.copiers.values():
                each.connections = 0
        elif kind == "serving":
            self.port = event["port"]
        elif kind == "paused":
            self.paused = event["paused"]
        elif kind == "deal":
            self.trades += 1
        elif kind == "login" and copier:
            copier.connections += 1
        elif kind == "disconnected" and copier:
            copier.connections -= 1

    def _take_copier_event(self, copier: Copier, event: Mapping[str, Any]) -> None:
        kind = event["kind"]
        if kind == "started":
            copier.refused = copier.stopped = ""
        elif kind == "connected":
            copier.logins += 1
            copier.refused = ""
        elif kind == "refused":
            copier.refused = event["code"]
        elif kind == "stopped":
            copier.stopped = event["reason"]
        elif kind == "received":
            copier.states += 1
        elif kind == "deal":
            copier.orders += 1
            copier.waiting.append((event["t"], event["symbol"], Decimal(event["position"])))
            self._match(copier)

    def _match(self, copier: Copier) -> None:
        """Match the deals that wait with the trades that they copy."""
        for _ in range(len(copier.waiting)):
            time, symbol, lots = deal = copier.waiting.popleft()
            times, changes = self._changes.get(symbol, ([], []))
            last = bisect_right(times, time) - 1
            if last < 0 or target(changes[last], copier.factor) != lots:
                copier.waiting.append(deal)
                continue
            first = copier.copied.get(symbol, 0)
            copier.copied[symbol] = last
            before, since = target(changes[first], copier.factor), None
            for number in range(first + 1, last + 1):
                # A trade that leaves the target as it is has nothing to copy.
                if target(changes[number], copier.factor) == before:
                    since = None
                elif since is None:
                    since = times[number]
            if since is not None:
                copier.lags.append((time - since) / 1e6)
