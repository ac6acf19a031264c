"""The server's logic: who takes part, with which volumes, and which totals everyone is sent. No sockets, no clock.

Its methods are those of a hub's Handler. publish() is called at a timer: nothing that a client sends makes a total
appear at once. A client counts from its first volumes until its connection ends, or until it has sent none for
``silence_ms``. Volumes above ``most_lots`` count as ``most_lots``: so a participant moves a total by at most that.
totals.py decides which totals are published.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from demos.ideas.messages import Error, MessageError, reported
from demos.ideas.sentiment.participants import participant
from demos.ideas.sentiment.protocol import (
    CLIENT,
    MOST_SYMBOLS,
    MOST_TOTALS,
    SERVER,
    VERSION,
    ClientHello,
    ServerHello,
    Total,
    Totals,
    Volume,
    Volumes,
)
from demos.ideas.sentiment.published_volumes import Side
from demos.ideas.sentiment.totals import FEWEST, PublishedTotals


@dataclass(frozen=True)
class Rules:
    """What the server's owner has chosen; see the head of this module, totals.py and participants.py."""

    server: str = "sentiment"
    interval_ms: int = 1000
    silence_ms: int = 60_000
    most_lots: Decimal = Decimal(100)
    least_clients: int = FEWEST
    local_names: bool = True


@dataclass(eq=False)
class Member:
    """A connection. ``participant`` is "" before its hello; ``heard_at`` is None before its first volumes."""

    address: str
    participant: str = ""
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    heard_at: int | None = None
    sent_seq: int = -1


class Room:
    """See the head of this module.

    ``totals`` are those that were published last, and ``participants`` is the number of those that counted then.
    """

    def __init__(self, rules: Rules) -> None:
        """Errors: ValueError for rules that cannot be used."""
        self.rules = rules
        self.totals: Mapping[str, Total] = {}
        self.participants = 0
        self._members: dict[int, Member] = {}
        self._published = PublishedTotals(rules.least_clients)
        self._seq = 0
        self._text = SERVER.encode(
            ServerHello(
                VERSION,
                rules.server,
                rules.interval_ms,
                rules.silence_ms,
                rules.most_lots,
                MOST_SYMBOLS,
                rules.least_clients,
            )
        )
        self._hello = self._text

    # ---- what the hub calls

    def opened(self, client: int, address: str, now: int) -> None:
        """See Handler."""
        self._members[client] = Member(address)

    def received(self, client: int, text: str, now: int) -> None:
        """See Handler."""
        member = self._members[client]
        message = CLIENT.decode(text)
        if isinstance(message, Error):
            raise reported(message)
        if isinstance(message, ClientHello):
            if member.participant:
                raise MessageError("hello", "a second hello: close the connection and open a new one")
            name = message.client if self.rules.local_names else ""
            member.participant = participant(member.address, name)
        elif not member.participant:
            raise MessageError("hello", "the first message must be a hello")
        else:
            assert isinstance(message, Volumes)
            member.volumes, member.heard_at = message.volumes, now

    def next_message(self, client: int, now: int) -> str | None:
        """See Handler."""
        member = self._members[client]
        if member.sent_seq < 0:
            member.sent_seq = 0
            return self._hello
        if member.sent_seq == self._seq or not member.participant:
            return None
        member.sent_seq = self._seq
        return self._text

    def closed(self, client: int, reason: str, now: int) -> None:
        """See Handler."""
        del self._members[client]

    # ---- what the program calls

    def publish(self, now: int, time: int) -> None:
        """Publish the totals of this moment; ``time`` is in milliseconds since 1970."""
        present, counting = self._contributions(now)
        self.participants = len(counting)
        self.totals = _largest(self._published.update(present, counting, now))
        self._seq += 1
        self._text = SERVER.encode(Totals(self._seq, time, self.totals))

    def _contributions(self, now: int) -> tuple[dict[Side, dict[str, Decimal]], set[str]]:
        """The volumes of each side by participant, and all participants that count.

        The volumes of several connections of a participant are added, and are at most ``most_lots`` on each side.
        """
        found: dict[Side, dict[str, Decimal]] = {}
        counting: set[str] = set()
        for member in self._members.values():
            if member.heard_at is None or now - member.heard_at >= self.rules.silence_ms:
                continue
            counting.add(member.participant)
            for name, volume in member.volumes.items():
                for direction, lots in (("long", volume.long), ("short", volume.short)):
                    if lots:
                        of_side = found.setdefault((name, direction), {})
                        earlier = of_side.get(member.participant, Decimal(0))
                        of_side[member.participant] = min(earlier + lots, self.rules.most_lots)
        return found, counting


def _largest(totals: Mapping[str, Total]) -> dict[str, Total]:
    """The totals with the most participants, as many as a message has, by symbol."""

    def order(name: str) -> tuple[int, str]:
        sides = (totals[name].long, totals[name].short)
        return -sum(side.clients for side in sides if side is not None), name

    return {name: totals[name] for name in sorted(sorted(totals, key=order)[:MOST_TOTALS])}
