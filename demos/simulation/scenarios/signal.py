"""The programs of ``python -m demos signal``: a provider that trades on its plain port, and two copiers.

The copiers follow over TCP. While the provider trades, hosts crash, links fail and programs freeze; then each copier
must have the provider's position again.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import ClassVar

from demos.copier.connection import FIRST_WAIT_MS, LONGEST_WAIT_MS
from demos.provider.plain import STALLED_MS
from demos.signal.protocol import parse_lots
from demos.simulation.connects import Connects
from demos.simulation.directed import freeze, in_order, resets_on_a_bad_line
from demos.simulation.hostile_peers import HostilePeer, UnreadOutput, small_send_buffers
from demos.simulation.program_limits import CLIENT, ProgramLimits
from demos.simulation.records import connected_again, failed, recorded, sent_in_parts, started_again
from demos.simulation.scenario import RecoveryPath, Scenario, Targets, Violation
from demos.simulation.send_kills import SendKills
from demos.simulation.terminal_record import Event
from demos.simulation.terminals import Setup, SimulatedTerminal
from demos.simulation.world import World
from demos.terminal.terminal import Terminal
from winsock import WSAECONNREFUSED, WSAECONNRESET, WSAETIMEDOUT
from winsock.simulation.faults import Fault
from winsock.simulation.random_streams import random_stream

SYMBOL = "EURUSD"
PROVIDER = "provider"
COPIERS = ("copier1", "copier2")
HOSTILE = "hostile"
PORT = 8081

# The copiers report a connected server after this silence, in seconds; the provider repeats its message before it.
SILENCE = 60
REPEAT = 20

# The timer of both programs, in seconds. A copied trade may be this many periods late.
PERIOD = 1.0
MOST_PERIODS = 3

# The probability that a message is sent in parts; it differs between seeds.
PARTIAL_SENDS = (0.0, 0.1, 0.9)

# The probability that the provider is killed inside the number of a message; it differs between seeds.
SEND_KILLS = (0.0, 0.05)

# A provider has its listening socket, the copiers' connections and those of the hostile peer, and each of them again
# that it has not found to be dead yet.
MOST_SOCKETS = 45

# In the containers of the provider: some for each connection, of which there are fewer than 25 at almost any time.
MOST_VALUES = 120

# The provider closes a client that reads nothing after its limit, at a timer event. The limit counts from the first
# message that does not fit.
DROPPED_S = REPEAT + STALLED_MS / 1000 + 5.0


class SignalScenario(Scenario):
    """See the head of this module."""

    # The silence limit, the longest pause between two connects, and three timer periods.
    settling = SILENCE + LONGEST_WAIT_MS / 1000 + MOST_PERIODS * PERIOD
    longest_fault = 60.0

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._messages = {name: Messages(name) for name in COPIERS}
        self._connects = {name: Connects(name, "received", FIRST_WAIT_MS, LONGEST_WAIT_MS) for name in COPIERS}
        # Of the hostile peer, which does not exist on real hosts.
        self._shrink: Callable[[Terminal], None] | None = None
        self._unread: UnreadOutput | None = None

    def build(self) -> None:
        """See Scenario. As in the job, except that --fast, the speed and the network differ between seeds."""
        world = self.world
        chance = world.random
        fast = chance.random() < 0.75
        every = chance.choice((3, 7, 20))
        inputs = {
            "Port": -1, "plain_host": "0.0.0.0", "plain_port": PORT, "fast": fast, "repeat": REPEAT, "strategy": every,
        }  # fmt: skip
        host = world.host(PROVIDER)
        partial = chance.choice(PARTIAL_SENDS)
        kills = SendKills(
            host,
            random_stream(world.seed, "send kills"),
            chance.choice(SEND_KILLS),
            inside_number,
            lambda: world.now < world.seeds_end,
        )

        def prepare(terminal: Terminal) -> None:
            if self._shrink is not None:
                self._shrink(terminal)
            kills.prepare(terminal)

        setup = Setup(
            program="provider",
            inputs=inputs,
            market=world.seed,
            speed=1.0,
            partial_sends=partial,
            prepare=prepare,
            limits=ProgramLimits(MOST_SOCKETS, MOST_VALUES),
        )
        world.terminal(PROVIDER, PROVIDER, setup)
        self.add_hostile_peer()
        for name in COPIERS:
            world.host(name)
            world.terminal(name, name, self.copier(name, fast))

    def add_hostile_peer(self) -> None:
        """Start the hostile peer on a host of its own."""
        world = self.world
        provider, host = world.hosts[PROVIDER], world.host(HOSTILE)
        self._shrink = small_send_buffers(provider, host)
        self._unread = UnreadOutput(provider, PROVIDER, host, DROPPED_S)
        hostile = HostilePeer(PROVIDER, PORT, (b"",), random_stream(world.seed, HOSTILE))
        world.program(HOSTILE, HOSTILE, hostile.run)

    def copier(self, name: str, fast: bool) -> Setup:
        """How a copier is started."""
        return Setup(
            program="copier",
            inputs={"Host": PROVIDER, "Port": PORT, "fast": fast, "maxorders": 0, "silence": SILENCE},
            market=self.world.seed,
            speed=0.5,
            is_whole=ends_with_a_message,
            prepare=self._connects[name].prepare,
            limits=CLIENT,
        )

    def targets(self) -> Targets:
        """See Scenario."""
        return Targets((PROVIDER, *COPIERS), [(PROVIDER, name) for name in COPIERS], (PROVIDER, *COPIERS))

    def faults(self, chance: random.Random, start: float, end: float) -> list[Fault]:
        """See Scenario. In some seeds messages are cut off, or the provider is frozen for longer than the silence."""
        found = super().faults(chance, start, end)
        if chance.random() < 0.5:
            pair = (PROVIDER, chance.choice(COPIERS))
            found += resets_on_a_bad_line(chance, pair, start, end, {"loss": 0.5})
        if chance.random() < 0.5:
            found += freeze(chance, PROVIDER, start, end, SILENCE + REPEAT + chance.uniform(1, 10))
        return in_order(found)

    def check(self) -> Iterator[Violation]:
        """See Scenario."""
        for name, messages in self._messages.items():
            yield from messages.check(self.world.terminals[name], self.world.terminals[PROVIDER])
            yield from self._connects[name].check(self.world.terminals[name])
        if self._unread is not None:
            yield from self._unread.check(self.world.now)
        yield from self.world.check_handles(MOST_SOCKETS)

    def settled(self) -> Iterator[Violation]:
        """See Scenario."""
        now = self.world.now
        allowed = positions_since(self.world.terminals[PROVIDER], now - MOST_PERIODS * PERIOD)
        for name in COPIERS:
            position = self.world.terminals[name].position(SYMBOL)
            if position not in allowed:
                yield Violation(
                    "positions agree",
                    f"{name} has {position} lots; the provider had {', '.join(sorted(allowed))} in the last "
                    f"{MOST_PERIODS} timer periods",
                )

    paths: ClassVar = (
        RecoveryPath("a copier connects again", lambda world: connected_again(_copiers(world))),
        RecoveryPath("a connect is refused", lambda world: failed(_copiers(world), WSAECONNREFUSED, "Connect to")),
        RecoveryPath("a connect times out", lambda world: failed(_copiers(world), WSAETIMEDOUT, "Connect to")),
        RecoveryPath("a connection is reset", lambda world: failed(_copiers(world), WSAECONNRESET, "Receive. error")),
        RecoveryPath(
            "a dead connection is noticed", lambda world: failed(_copiers(world), WSAETIMEDOUT, "Receive. error")
        ),
        RecoveryPath("a silent provider is reported", lambda world: recorded(_copiers(world), "silent")),
        RecoveryPath("a silent provider is heard again", lambda world: recorded(_copiers(world), "heard")),
        RecoveryPath("a copier is started again", lambda world: started_again(_copiers(world))),
        RecoveryPath("a provider is started again", lambda world: world.terminals[PROVIDER].starts > 1),
        RecoveryPath(
            "a peer that does not read is dropped",
            lambda world: failed([world.terminals[PROVIDER]], WSAETIMEDOUT, "-Send to"),
        ),
        RecoveryPath("a message is sent in parts", sent_in_parts),
        RecoveryPath("a connection ends inside a number and leaves a wrong one", lambda world: _wrong_number(world)),
    )


class Messages:
    """Checks one copier's deals against its messages, each event once."""

    def __init__(self, copier: str) -> None:
        self._copier = copier
        self._next = 0
        # The first of the provider's positions that the last message can have stated.
        self._position = 0
        # The last message, unless it was traded.
        self._untraded: Event | None = None

    def check(self, copier: SimulatedTerminal, provider: SimulatedTerminal) -> Iterator[Violation]:
        """Take the copier's new events."""
        new = copier.events[self._next :]
        self._next = len(copier.events)
        for event in new:
            if event.kind == "started":
                self._untraded = None
            elif event.kind == "received":
                self._untraded = event
                yield from self._check_message(event, provider.positions.get(SYMBOL, []))
            elif event.kind == "deal":
                yield from self._check_deal(event)

    def _check_message(self, message: Event, positions: Sequence[tuple[float, str]]) -> Iterator[Violation]:
        """The message states a position that the provider had until then, and none before that of the last message."""
        lots = Decimal(str(message.fields["lots"]))
        for number in range(self._position, len(positions)):
            time, had = positions[number]
            if time <= message.time and Decimal(had) == lots:
                self._position = number
                return
        yield Violation(
            "messages state the provider's positions in their order",
            f"{self._copier} received {lots} lots, which the provider had not or only before the last message",
        )

    def _check_deal(self, deal: Event) -> Iterator[Violation]:
        message, self._untraded = self._untraded, None
        if message is None:
            yield Violation(
                "each deal has a message of its own",
                f"{self._copier} traded to {deal.fields['position']} lots without a new message",
            )
        elif Decimal(str(message.fields["lots"])) != Decimal(str(deal.fields["position"])):
            yield Violation(
                "a deal leads to the position of its message",
                f"{self._copier} traded to {deal.fields['position']} lots after {message.fields['lots']} were received",
            )


def positions_since(terminal: SimulatedTerminal, time: float, until: float = math.inf) -> set[str]:
    """The positions that a terminal has had since then, up to the second ``until``."""
    found = {terminal.position(SYMBOL, time)}
    for since, lots in reversed(terminal.positions.get(SYMBOL, [])):
        if since < time:
            break
        if since <= until:
            found.add(lots)
    return found


def _copiers(world: World) -> list[SimulatedTerminal]:
    return [world.terminals[name] for name in COPIERS]


def ends_with_a_message(data: bytes) -> bool:
    """Whether the bytes of a connection end with a whole message."""
    return data.endswith(b"\0")


def inside_number(data: bytes) -> range:
    """After how many bytes of a message its number has digits, but not all of them."""
    begin, end = data.find(b"|"), data.find(b">>")
    return range(begin + 1 + len(b"-0"), end) if 0 < begin < end else range(0)


def _wrong_number(world: World) -> bool:
    """Whether an unfinished message would state a position that the provider had not within the last minute."""
    provider = world.terminals[PROVIDER]
    for each in _copiers(world):
        for time, tail in each.tails:
            number = parse_lots(tail.rpartition(b"|")[2].decode("ascii"))
            had = positions_since(provider, time - SILENCE, time)
            if number is not None and number not in map(Decimal, had):
                return True
    return False
