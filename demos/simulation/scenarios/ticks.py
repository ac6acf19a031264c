"""The programs of ``python -m demos ticks``: a collector, and senders that number their ticks, over UDP.

Datagrams may be lost, be repeated and overtake each other, but the counts add up: what was sent is received, dropped by
the network, or lost with a host; and what was received is stored once, or counted as repeated.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import zip_longest
from pathlib import Path
from typing import ClassVar

from demos.collector.collector import MAX_RETRY_MS as LONGEST_COLLECTOR_WAIT_MS
from demos.collector.sender import MAX_RETRY_MS as LONGEST_SENDER_WAIT_MS
from demos.collector.store import TickStore
from demos.simulation.calls import DATAGRAMS_RECEIVED, DATAGRAMS_SENT
from demos.simulation.datagrams import Datagrams, HostileSender, StoredTick, expected_ticks
from demos.simulation.program_limits import CLIENT, ProgramLimits
from demos.simulation.records import logged, started_again
from demos.simulation.scenario import RecoveryPath, Scenario, Targets, Violation
from demos.simulation.terminals import Setup, SimulatedTerminal
from demos.simulation.world import World
from winsock.simulation.random_streams import random_stream

COLLECTOR = "collector"
SENDERS = ("sender1", "sender2")
HOSTILE = "hostile"
PORT = 8082

# The timer of the collector: longer than usual, to save time.
PERIOD_MS = 1000

# The senders end this long before the collector: everything that they have sent has arrived.
LAST_S = 5.0

# A tick that was sent this many seconds ago has arrived.
ARRIVES_S = 3

# A sender has a tick at least every two seconds.
LONGEST_QUIET_S = 6.0

MOST_SOCKETS = 10

# The collector knows up to 16,384 runs of the hostile peer, in three containers.
MOST_VALUES = 100_000


class TicksScenario(Scenario):
    """See the head of this module."""

    # The longest pauses of a sender that resolves a name and of a collector that opens its port, and three periods.
    settling = (LONGEST_SENDER_WAIT_MS + LONGEST_COLLECTOR_WAIT_MS + 3 * PERIOD_MS) / 1000

    longest_fault = 60.0

    def __init__(self, world: World) -> None:
        super().__init__(world)
        # In each second since everything has settled: the datagrams sent and received so far.
        self._counts: list[tuple[int, int]] = []
        # By sender, the number of its datagrams, and since when it is the same.
        self._last_sent: dict[str, tuple[int, float]] = {}
        self._datagrams = Datagrams()

    def build(self) -> None:
        """See Scenario."""
        chance = self.world.random
        for name in (COLLECTOR, *SENDERS, HOSTILE):
            self.world.host(name)
        hostile = HostileSender(COLLECTOR, PORT, self._datagrams, random_stream(self.world.seed, HOSTILE))
        self.world.program(HOSTILE, HOSTILE, hostile.run)
        inputs = {"Host": "0.0.0.0", "Port": PORT, "database": str(self._database)}
        keep = self._datagrams.record_received
        setup = Setup(
            program="tick_collector",
            inputs=inputs,
            speed=0.001,
            timer_ms=PERIOD_MS,
            prepare=keep,
            limits=ProgramLimits(MOST_SOCKETS, MOST_VALUES),
        )
        self.world.terminal(COLLECTOR, COLLECTOR, setup)
        for number, name in enumerate(SENDERS):
            send = {"Host": COLLECTOR, "Port": PORT, "sequence": True}
            end = self.world.seconds - LAST_S
            speed = chance.choice((0.5, 1.0, 3.0))
            setup = Setup(
                program="tick_sender",
                inputs=send,
                market=self.world.seed + number,
                speed=speed,
                end=end,
                prepare=self._datagrams.record_sent,
                limits=CLIENT,
            )
            self.world.terminal(name, name, setup)

    def targets(self) -> Targets:
        """See Scenario."""
        names = (COLLECTOR, *SENDERS)
        return Targets(names, [(COLLECTOR, name) for name in SENDERS], names)

    def check(self) -> Iterator[Violation]:
        """See Scenario."""
        yield from self.world.check_handles(MOST_SOCKETS)
        sent, received = self._sent() + self._datagrams.foreign_sent, self._received()
        most = sent + self.world.net.counters["duplicated"]
        if received > most:
            yield Violation("nothing is received that was not sent", f"{received} datagrams received, {most} sent")

    def settled(self) -> Iterator[Violation]:
        """See Scenario. The senders send, and nothing of them is lost any more."""
        yield from self._check_sending()
        own = self._received() - self._datagrams.foreign_received
        self._counts.append((self._sent(), own))
        if len(self._counts) <= ARRIVES_S:
            return
        sent, received = self._counts[-1 - ARRIVES_S][0] - self._counts[0][0], own - self._counts[0][1]
        if received < sent:
            yield Violation("ticks arrive again", f"{sent - received} of {sent} ticks are missing after the last fault")

    def _check_sending(self) -> Iterator[Violation]:
        now = self.world.now
        for name in SENDERS:
            sent = self.world.terminals[name].counts[DATAGRAMS_SENT]
            before, since = self._last_sent.get(name, (sent, now))
            if sent != before:
                since = now
            self._last_sent[name] = sent, since
            if now - since > LONGEST_QUIET_S and now < self.world.seconds - LAST_S:
                yield Violation("ticks arrive again", f"{name} has sent nothing since {since:g} s")

    def ended(self) -> Iterator[Violation]:
        """See Scenario."""
        with closing(TickStore(self._database, reading=True)) as store:
            rows = store.senders()
        stored = sum(row.ticks for row in rows)
        kept = stored + sum(row.refused + row.repeated for row in rows)
        if kept != self._received():
            yield Violation(
                "what is received is stored", f"{self._received()} datagrams received, {kept} counted in the database"
            )
        lost, oversized = sum(row.lost for row in rows), sum(row.oversized for row in rows)
        sent = self._sent() + self._datagrams.foreign_sent
        if stored + lost > sent:
            yield Violation("the counts add up", f"{sent} ticks sent, but {stored} stored and {lost} lost")
        if oversized > self._datagrams.oversized + self.world.net.counters["duplicated"]:
            yield Violation(
                "the counts add up", f"{self._datagrams.oversized} long datagrams sent, {oversized} counted"
            )
        with closing(sqlite3.connect(self._database)) as db:
            [numbers] = db.execute("SELECT coalesce(sum(last - first + 1), 0) FROM runs").fetchone()
            rows_of_ticks = db.execute(
                "SELECT name, ticks.bid, ticks.digits, ticks.time FROM ticks JOIN symbols ON symbols.id = symbol "
                "ORDER BY ticks.id"
            )
            ticks = [StoredTick(*row) for row in rows_of_ticks]
        if stored + lost != numbers:
            yield Violation(
                "the numbers add up", f"{numbers} numbers, but {stored} ticks stored and {lost} counted as lost"
            )
        yield from self._check_ticks(ticks)

    def _check_ticks(self, ticks: list[StoredTick]) -> Iterator[Violation]:
        """The stored ticks are those that were received, each once, and these were sent."""
        received = self._datagrams.received
        for _, datagram in received:
            if datagram not in self._datagrams.sent:
                yield Violation("nothing is received that was not sent", f"{datagram!r} was received and never sent")
        expected = expected_ticks(received)
        for number, (row, tick) in enumerate(zip_longest(ticks, expected), 1):
            if row != tick:
                yield Violation("what is received is stored", f"row {number} of the ticks is {row} instead of {tick}")

    @property
    def _database(self) -> Path:
        return self.world.hosts[COLLECTOR].disk / "ticks.sqlite"

    def _sent(self) -> int:
        return sum(self.world.terminals[name].counts[DATAGRAMS_SENT] for name in SENDERS)

    def _received(self) -> int:
        return self.world.terminals[COLLECTOR].counts[DATAGRAMS_RECEIVED]

    paths: ClassVar = (
        RecoveryPath("a closed port is reported", lambda world: logged(_senders(world), "No program listens")),
        RecoveryPath("the port counts as open again", lambda world: logged(_senders(world), "no refusals for")),
        RecoveryPath("lost ticks are counted", lambda world: _collector(world).logged("lost, by their numbers")),
        RecoveryPath("a repeated tick is dropped", lambda world: _collector(world).logged("repeated tick")),
        RecoveryPath("an invalid datagram is dropped", lambda world: _collector(world).logged("dropped (")),
        RecoveryPath("a datagram that is too long is dropped", lambda world: _collector(world).logged("longer than")),
        RecoveryPath("the collector is started again", lambda world: _collector(world).starts > 1),
        RecoveryPath("a sender is started again", lambda world: started_again(_senders(world))),
    )


def _collector(world: World) -> SimulatedTerminal:
    return world.terminals[COLLECTOR]


def _senders(world: World) -> list[SimulatedTerminal]:
    return [world.terminals[name] for name in SENDERS]
