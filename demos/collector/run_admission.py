"""Decides which new runs of senders the collector accepts, and which old runs it forgets. No sockets, no database.

A numbered tick is stored once because the collector remembers the numbers of its run, see the module sequence. Anyone
who reaches the port can invent runs, so their number is limited: for each sender (address and port), for each address,
and in total. A run counts for the sender of its first tick.

A forgotten run would be a new one when its ticks are repeated. So a run is forgotten only to make room for a new one,
the run that was used longest ago first, and only if it was not used for KEEP_MS: no network delays a datagram for that
long. Otherwise the new run is refused. A flood therefore uses up the share of its own sender or address, and the runs
of others are kept. In normal use a run is one start of a sender. It takes the place of one of an earlier day, so
restarts over years are never refused, unless there are more in KEEP_MS than the share has room for.
"""

from __future__ import annotations

from collections.abc import Iterable

from demos.collector.admission import address_of

# The most runs in a database, and the most that one address and one sender introduce.
MAX_RUNS = 65_536
MAX_RUNS_OF_ADDRESS = 16_384
MAX_RUNS_OF_SENDER = 4096

# A day.
KEEP_MS = 24 * 60 * 60 * 1000

# The share of all senders together. It is neither an address nor a sender.
_ALL = "all"


class RunAdmission:
    """The known runs; see the head of this module."""

    def __init__(self, known: Iterable[tuple[str, str, int]]) -> None:
        """``known``: the runs of the database with their first senders and the times of their last use, in order."""
        self.senders: dict[str, str] = {}
        # The runs of each share with the times of their last use. The first one was used longest ago.
        self._shares: dict[str, dict[str, int]] = {}
        self._forgotten: list[str] = []
        for run, sender, time in known:
            self._use(run, sender, time)

    def problem(self, run: str, sender: str, time: int) -> str:
        """Use a run, and add it unless it is known or refused; why it is refused, or "". ``time`` is the present."""
        known = self.senders.get(run)
        if known is None:
            for key, limit, owner in (
                (sender, MAX_RUNS_OF_SENDER, "its sender has introduced"),
                (address_of(sender), MAX_RUNS_OF_ADDRESS, "its address has introduced"),
                (_ALL, MAX_RUNS, "the database has"),
            ):
                share = self._shares.get(key, {})
                if len(share) < limit:
                    continue
                oldest = next(iter(share))
                if time - share[oldest] < KEEP_MS:
                    return f"a new run, and {owner} {limit}, which is the limit"
                self._forget(oldest)
        self._use(run, sender if known is None else known, time)
        return ""

    def take_forgotten(self) -> list[str]:
        """The runs that were forgotten since the last call."""
        forgotten, self._forgotten = self._forgotten, []
        return forgotten

    def _use(self, run: str, sender: str, time: int) -> None:
        self.senders[run] = sender
        for key in _keys(sender):
            share = self._shares.setdefault(key, {})
            share.pop(run, None)
            share[run] = time

    def _forget(self, run: str) -> None:
        sender = self.senders.pop(run)
        for key in _keys(sender):
            share = self._shares[key]
            del share[run]
            if not share:
                del self._shares[key]
        self._forgotten.append(run)


def _keys(sender: str) -> set[str]:
    """The shares in which a sender's runs are. In a damaged file it may have no address."""
    return {sender, address_of(sender), _ALL}
