"""The programs of ``python -m demos sentiment``: a server, clients that trade, and a peer that misbehaves.

Four clients run on hosts of their own, so each is a participant. The fifth one runs on the host of the first, and both
are one participant. When everything has recovered, the strategies pause,
and every client buys; then all clients must show the total of all accounts, as in the job.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from ipaddress import ip_address
from itertools import pairwise
from typing import Any, ClassVar

from demos.ideas.sentiment.protocol import CLIENT, VERSION, ClientHello, Volume
from demos.ideas.sentiment.tally import is_total_of, sum_of
from demos.simulation import program_limits
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
from demos.simulation.records import logged, sent_in_parts
from demos.simulation.scenario import RecoveryPath, Targets, Violation
from demos.simulation.sent_volumes import PossibleTotals
from demos.simulation.terminal_record import Event
from demos.simulation.terminals import Setup, SimulatedTerminal
from demos.simulation.world import World

SYMBOL = "EURUSD"
SERVER = "server"
CLIENTS = ("client1", "client2", "client3", "client4")
# It has its own connection from the host of the first client.
TWIN = "twin"
TRADERS = (*CLIENTS, TWIN)
HOSTS = {name: (name, TWIN) if name == CLIENTS[0] else (name,) for name in CLIENTS}
PORT = 8451

# The server publishes in these intervals, in seconds, and a client without volumes counts for the silence.
INTERVAL = 6.0
MEMBER_SILENCE = 40
LEAST = 3

# A total may have what was sent this long ago: the server receives it later when it was frozen, and then it counts
# until the silence.
LONGEST_COUNTED = MEMBER_SILENCE + 2 * SILENCE + 25

# The timers of all programs, longer than usual, to save time.
PERIOD = 2.0
MOST_PERIODS = 3

# The clients buy again until all see one total: an interval may end between their trades, and then one of them is not
# in it. The next round has another phase.
ROUND = 2.5 * INTERVAL
MOST_ROUNDS = 5
# A client that is connected sends changed volumes at its next event.
SENT_WITHIN = MOST_PERIODS * PERIOD

# The server remembers the published volumes of each participant, up to 5,000 different ones.
SERVER_LIMITS = program_limits.ProgramLimits(MOST_SOCKETS, values=10_000)


class SentimentScenario(HubScenario):
    """See the head of this module."""

    # Until a dead connection is noticed, the longest pause between two connects, and three timer periods.
    settling = SILENCE + LONGEST_WAIT + MOST_PERIODS * PERIOD

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._totals = {name: Totals(name) for name in TRADERS}
        self._possible = PossibleTotals(SERVER, HOSTS, SYMBOL, LONGEST_COUNTED)
        self._published = Published()
        self._contributions = Contributions()
        self._finale = Finale(world)

    def build(self) -> None:
        """See Scenario."""
        world = self.world
        chance = world.random
        world.host(SERVER)
        inputs = {
            **server_inputs(world, SERVER, PORT), "interval": INTERVAL, "silence": MEMBER_SILENCE,
            "least_clients": LEAST,
        }  # fmt: skip
        world.terminal(SERVER, SERVER, _setup("sentiment_server", inputs, world.seed, 0.001, SERVER_LIMITS))
        for name in CLIENTS:
            world.host(name)
        for number, name in enumerate(TRADERS):
            host = world.hosts[host_of(name)]
            trade = {"strategy": chance.choice((1, 2, 4)) + number, "pause": str(host.disk / "pause")}
            follow = {**client_inputs(SERVER, PORT), **trade}
            world.terminal(
                name, host.name, _setup("sentiment_client", follow, world.seed + number, 0.2, program_limits.CLIENT)
            )
        self.add_rogues(SERVER, PORT, CLIENT.encode(ClientHello(VERSION, INTRUDER)))

    def targets(self) -> Targets:
        """See Scenario."""
        return Targets((SERVER, *CLIENTS), [(SERVER, name) for name in CLIENTS], (SERVER, *CLIENTS))

    def check(self) -> Iterator[Violation]:
        """See Scenario."""
        terminals = self.world.terminals
        yield from self._published.check(terminals)
        yield from self._possible.check(terminals)
        yield from self._contributions.check(terminals[SERVER].starts, room_of(self.world))
        for name, totals in self._totals.items():
            yield from totals.check(terminals[name], self._published)
        yield from super().check()

    def settled(self) -> Iterator[Violation]:
        """See Scenario."""
        room = room_of(self.world)
        if room is None:
            yield Violation("the server runs", "the server's program has ended")
            return
        for name in TRADERS:
            yield from self._known(room, name)
        yield from self._finale.step()

    def _known(self, room: Any, name: str) -> Iterator[Violation]:
        """The server has the volumes that the client had at some time in the last timer periods."""
        terminal = self.world.terminals[name]
        address = address_of(self.world, host_of(name))
        found = [member.volumes.get(SYMBOL, Volume()) for member in members_of(room, address)]
        allowed = volumes_since(terminal, self.world.now - SENT_WITHIN)
        if not any(each in allowed for each in found):
            yield Violation(
                "the server knows the positions",
                f"the server has {found} of {name}, whose volumes were {allowed} in the last {SENT_WITHIN} s",
            )

    paths: ClassVar = (
        *hub_paths(SERVER, CLIENTS),
        unread_path(SERVER),
        RecoveryPath("a total is withdrawn", lambda world: _withdrawn(world)),
        RecoveryPath("a client that is away does not count", lambda world: _uncounted(world)),
        RecoveryPath("a client shows no total", lambda world: logged(_clients(world), "no total is published")),
        RecoveryPath("all show the total of all", lambda world: world.terminals[SERVER].counts["agreed"] > 0),
        RecoveryPath("a message is sent in parts", sent_in_parts),
    )


class Published:
    """Collects the totals that the server publishes, and checks that each has enough participants."""

    def __init__(self) -> None:
        self._next = 0
        # Of each side, all totals so far: lots and participants.
        self.sides: dict[str, set[tuple[Decimal, int]]] = {"long": set(), "short": set()}

    def check(self, terminals: Mapping[str, SimulatedTerminal]) -> Iterator[Violation]:
        """Take the server's new events."""
        server = terminals[SERVER]
        new = server.events[self._next :]
        self._next = len(server.events)
        for event in new:
            if event.kind != "published":
                continue
            totals: Any = event.fields["totals"]
            for side, total in zip(self.sides, totals.get(SYMBOL, (None, None)), strict=True):
                if total is None:
                    continue
                lots, count = Decimal(total[0]), int(total[1])
                self.sides[side].add((lots, count))
                if count < LEAST:
                    yield Violation(
                        "a total has enough participants", f"a total of {count} participants was published: {lots} lots"
                    )


class Contributions:
    """Checks that each new total has enough participants with volumes that no earlier one had of them."""

    def __init__(self) -> None:
        self._start = 0
        # By side and participant, the volumes in all totals of the server's present start; and the last total's.
        self._seen: defaultdict[Any, set[Decimal]] = defaultdict(set)
        self._last: dict[Any, Mapping[str, Decimal]] = {}

    def check(self, start: int, room: Any) -> Iterator[Violation]:
        """Compare the contributions to the present totals with those before."""
        if start != self._start:
            self._start, self._seen, self._last = start, defaultdict(set), {}
        for side, contributions in room._published._last.items() if room is not None else ():
            if contributions == self._last.get(side):
                continue
            self._last[side] = dict(contributions)
            new = [name for name, lots in contributions.items() if lots and lots not in self._seen[side, name]]
            if len(new) < LEAST:
                yield Violation("a total reveals no single volume", f"a total of {side} is new by {new} alone")
            for name, lots in contributions.items():
                self._seen[side, name].add(lots)


class Totals:
    """Checks that a client shows only totals that the server has published."""

    def __init__(self, client: str) -> None:
        self._client = client
        self._next = 0

    def check(self, client: SimulatedTerminal, published: Published) -> Iterator[Violation]:
        """Take the client's new events."""
        new = client.events[self._next :]
        self._next = len(client.events)
        for event in new:
            if event.kind != "totals":
                continue
            for side, known in published.sides.items():
                total: Any = event.fields[side]
                if total is not None and (Decimal(total[0]), int(total[1])) not in known:
                    yield Violation(
                        "a client shows what was published",
                        f"{self._client} shows the {side} total {total}, which the server has not published",
                    )


class Finale:
    """The end of a run: all clients pause and buy, until all of them show the total of all accounts."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rounds = 0
        self._bought_at = 0.0
        self._ended = False

    def step(self) -> Iterator[Violation]:
        """Pause the clients, let them buy, or compare what they show; called once in each second."""
        world = self._world
        if not self._bought_at:
            for name in CLIENTS:
                (world.hosts[name].disk / "pause").touch()
            self._bought_at = world.now
            return
        if self._ended or not all(_is_paused(world.terminals[name]) for name in TRADERS):
            return
        if self._rounds and self._is_agreed():
            self._ended = True
            world.terminals[SERVER].counts["agreed"] += 1
        elif not self._rounds or world.now - self._bought_at >= ROUND:
            if self._rounds == MOST_ROUNDS:
                shown = {name: world.terminals[name].module.shown for name in TRADERS}  # type: ignore[union-attr]
                yield Violation("the clients show the total of all", f"the accounts have {self._wanted()}: {shown}")
                return
            self._rounds, self._bought_at = self._rounds + 1, world.now
            for name in TRADERS:
                # More than a strategy holds, and another volume each time.
                world.terminals[name].command(f"buy {1 + self._rounds}")

    def _is_agreed(self) -> bool:
        wanted = self._wanted()
        modules = [self._world.terminals[name].module for name in TRADERS]
        return all(module is not None and is_total_of(module.shown, wanted) for module in modules)

    def _wanted(self) -> Volume:
        return sum_of([volume_of(self._world.terminals[name].position(SYMBOL)) for name in TRADERS])


def _setup(
    program: str, inputs: dict[str, object], market: int, speed: float, limits: program_limits.ProgramLimits
) -> Setup:
    return Setup(
        program=program, inputs=inputs, market=market, speed=speed, timer_ms=round(PERIOD * 1000),
        partial_sends=PARTIAL_SENDS, limits=limits,
    )  # fmt: skip


def host_of(name: str) -> str:
    """The host of a client."""
    return CLIENTS[0] if name == TWIN else name


def address_of(world: World, host: str) -> str:
    """The IPv4 address of a host."""
    addresses = [ip_address(each.address) for each in world.hosts[host].interfaces]
    return next(str(each) for each in addresses if each.version == 4 and not each.is_loopback)


def room_of(world: World) -> Any:
    """The room of the server; None while it does not run."""
    module = world.terminals[SERVER].module
    return module.room if module is not None else None


def members_of(room: Any, address: str) -> list[Any]:
    """The connections of a participant that count."""
    return [each for each in room._members.values() if each.participant == address and each.heard_at is not None]


def volume_of(lots: str) -> Volume:
    """The volume of a position, as the client sends it."""
    number = Decimal(lots)
    return Volume(max(number, Decimal(0)), max(-number, Decimal(0)))


def volumes_since(terminal: SimulatedTerminal, time: float) -> list[Volume]:
    """The volumes that a client has had since then."""
    found = [volume_of(terminal.position(SYMBOL, time))]
    found += [volume_of(lots) for since, lots in terminal.positions.get(SYMBOL, ()) if since >= time]
    return found


def _clients(world: World) -> list[SimulatedTerminal]:
    return [world.terminals[name] for name in CLIENTS]


def _is_paused(client: SimulatedTerminal) -> bool:
    events = client.of_kind("paused")
    return bool(events) and events[-1].start == client.starts and bool(events[-1].fields["paused"])


def _publications(world: World) -> Sequence[Event]:
    return world.terminals[SERVER].of_kind("published")


def _withdrawn(world: World) -> bool:
    """Whether a total was published, and none in the next publication of the same start."""
    events = _publications(world)
    return any(
        one.start == two.start and one.fields["totals"] and not two.fields["totals"] for one, two in pairwise(events)
    )


def _uncounted(world: World) -> bool:
    events = _publications(world)
    return any(
        one.start == two.start and int(str(one.fields["participants"])) > int(str(two.fields["participants"]))
        for one, two in pairwise(events)
    )
