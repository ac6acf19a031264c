"""The programs of ``python -m demos indicator``: a server that calculates, clients that draw, a peer that misbehaves.

The clients keep few values, so one that was away for long begins anew. Every value that a client has must be the
server's, and at the end each client has all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from demos.ideas.indicator.protocol import FROM_CLIENT, VERSION, ClientHello
from demos.simulation.hubs import (
    INTRUDER,
    LONGEST_WAIT,
    MOST_SOCKETS,
    PARTIAL_SENDS,
    SILENCE,
    HubScenario,
    client_inputs,
    hub_paths,
    server_inputs,
    unread_path,
)
from demos.simulation.program_limits import CLIENT, ProgramLimits
from demos.simulation.records import recorded, sent_in_parts
from demos.simulation.scenario import RecoveryPath, Targets, Violation
from demos.simulation.terminals import Setup, SimulatedTerminal
from demos.simulation.world import World
from demos.terminal.mql.constants import PERIOD_M1
from demos.terminal.mql.conversion import time_of

SERVER = "server"
CLIENTS = ("client1", "client2", "client3")
PORT = 8452

# A minute of the market has 60 ticks, so a bar closes every twelve seconds.
SPEED = 5.0
INDICATORS = "sma:5,ema:4:median,rsi:3,atr:3"
KEEP = 10

# The timers of all programs, longer than usual, to save time.
PERIOD_MS = 2000
MOST_PERIODS = 3

# The rows that the server keeps, and some values for each connection.
SERVER_LIMITS = ProgramLimits(MOST_SOCKETS, values=400)


class IndicatorScenario(HubScenario):
    """See the head of this module."""

    # Until a dead connection is noticed, the longest pause between two connects, and three timer periods.
    settling = SILENCE + LONGEST_WAIT + MOST_PERIODS * PERIOD_MS / 1000

    def __init__(self, world: World) -> None:
        super().__init__(world)
        # The client's generation and first row, to see that one begins anew within a stream.
        self._first: dict[str, tuple[str, int]] = {}

    def build(self) -> None:
        """See Scenario."""
        world = self.world
        world.host(SERVER)
        inputs = {**server_inputs(world, SERVER, PORT), "indicators": INDICATORS, "keep": KEEP}
        world.terminal(SERVER, SERVER, self._setup("indicator_server", inputs, SPEED, SERVER_LIMITS))
        for name in CLIENTS:
            world.host(name)
            follow = {**client_inputs(SERVER, PORT), "keep": KEEP}
            world.terminal(name, name, self._setup("indicator_client", follow, 0.05, CLIENT))
        self.add_rogues(SERVER, PORT, FROM_CLIENT.encode(ClientHello(VERSION, INTRUDER)))

    def _setup(self, program: str, inputs: dict[str, object], speed: float, limits: ProgramLimits) -> Setup:
        seed = self.world.seed
        return Setup(
            program=program,
            inputs=inputs,
            speed=speed,
            market=seed,
            period=PERIOD_M1,
            timer_ms=PERIOD_MS,
            partial_sends=PARTIAL_SENDS,
            limits=limits,
        )

    def targets(self) -> Targets:
        """See Scenario."""
        return Targets((SERVER, *CLIENTS), [(SERVER, name) for name in CLIENTS], (SERVER, *CLIENTS))

    def check(self) -> Iterator[Violation]:
        """See Scenario."""
        world = self.world
        feed = _global(world.terminals[SERVER], "feed")
        for name in CLIENTS:
            follower = _global(world.terminals[name], "follower")
            if follower is None:
                continue
            self._note_restart(name, follower)
            if feed is not None and follower.stream == feed.stream:
                yield from _different_rows(name, follower, feed)
        yield from super().check()

    def settled(self) -> Iterator[Violation]:
        """See Scenario."""
        world = self.world
        feed = _global(world.terminals[SERVER], "feed")
        if feed is None:
            yield Violation("the server runs", "the server's program has ended")
            return
        needed = _rows_before(world.terminals[SERVER], world.now - MOST_PERIODS * PERIOD_MS / 1000)
        for name in CLIENTS:
            client = world.terminals[name]
            follower = _global(client, "follower")
            if follower is None or follower.stream != feed.stream or follower.series.last < needed:
                found = "nothing" if follower is None else f"row {follower.series.last} of {follower.stream}"
                yield Violation("the values agree", f"{name} has {found}, the server row {needed} of {feed.stream}")
                continue
            yield from _undrawn(name, client)
            world.terminals[SERVER].counts["agreed"] += 1

    def _note_restart(self, name: str, follower: Any) -> None:
        """Count a series that begins anew within a stream, after a gap that is too long."""
        present = (follower.stream, follower.series.first)
        stream, first = self._first.get(name, present)
        # A row is added in a second at most, so the first row rises by one unless the series begins anew.
        if stream == present[0] and present[1] > first + KEEP // 2:
            self.world.terminals[SERVER].counts["began anew"] += 1
        self._first[name] = present

    paths: ClassVar = (
        *hub_paths(SERVER, CLIENTS),
        unread_path(SERVER),
        RecoveryPath(
            "a client gets rows that it has missed", lambda world: world.terminals[SERVER].counts["began anew"] > 0
        ),
        RecoveryPath("a client follows a new stream", lambda world: _has_new_stream(world)),
        RecoveryPath("all values agree", lambda world: world.terminals[SERVER].counts["agreed"] > 0),
        RecoveryPath("a row is applied", lambda world: recorded(_clients(world), "applied")),
        RecoveryPath("a message is sent in parts", sent_in_parts),
    )


def _different_rows(name: str, follower: Any, feed: Any) -> Iterator[Violation]:
    """The rows of a client that are not the server's."""
    if follower.series.last > feed.series.last:
        yield Violation(
            "no row is invented", f"{name} has row {follower.series.last}, the server only {feed.series.last}"
        )
        return
    for seq in range(max(follower.series.first, feed.series.first), follower.series.last + 1):
        if follower.series.row(seq) != feed.series.row(seq):
            yield Violation(
                "a row is the server's",
                f"row {seq} of {name} is {follower.series.row(seq)}, the server's {feed.series.row(seq)}",
            )


def _undrawn(name: str, client: SimulatedTerminal) -> Iterator[Violation]:
    """Rows that the client has not drawn."""
    follower, plot = _global(client, "follower"), _global(client, "plot")
    series = follower.series
    wanted = [time_of(series.row(seq).time) for seq in range(series.first, series.last + 1)]
    drawn = list(plot._times) if plot is not None else []
    if drawn != wanted:
        yield Violation("every row is drawn once", f"{name} has drawn {drawn}, and has rows of {wanted}")


def _rows_before(server: SimulatedTerminal, time: float) -> int:
    """The number of the newest row that the server had at this time, in its present start."""
    rows = (event for event in reversed(server.events) if event.kind in ("stream", "bar") and event.time <= time)
    newest = next(rows, None)
    return int(str(newest.fields["seq"])) if newest is not None and newest.start == server.starts else 0


def _global(terminal: SimulatedTerminal, name: str) -> Any:
    """A global of the running program; None while it does not run."""
    return getattr(terminal.module, name, None)


def _clients(world: World) -> list[SimulatedTerminal]:
    return [world.terminals[name] for name in CLIENTS]


def _has_new_stream(world: World) -> bool:
    """Whether a client has followed two streams within one start."""
    for each in _clients(world):
        streams = {(event.start, str(event.fields["stream"])) for event in each.of_kind("applied")}
        if len(streams) > len({start for start, _ in streams}):
            return True
    return False
