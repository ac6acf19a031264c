"""The programs of ``python -m demos tpl``: a chart server, a client that follows it, and clients that download once.

The server's chart changes again and again. Each template that a client applies must be one that the server has made,
whole and never older than the one before; at the end the follower's chart is the server's.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from typing import ClassVar
from zlib import crc32

from demos.chartfeed import client_connection
from demos.chartfeed.client import MAX_WAIT_SECONDS, NAME, SILENCE_MS
from demos.chartfeed.compare import same_templates
from demos.chartfeed.frames import HELLO
from demos.chartfeed.server_commands import change_command
from demos.chartfeed.serving import KEEP_ALIVE_MS, STALLED_MS
from demos.simulation.calls import END_INSIDE_MESSAGE
from demos.simulation.connects import Connects
from demos.simulation.directed import in_order, resets_on_a_bad_line
from demos.simulation.hostile_peers import HostilePeer, UnreadOutput, small_send_buffers
from demos.simulation.program_limits import CLIENT, ProgramLimits
from demos.simulation.records import counted, sent_in_parts
from demos.simulation.scenario import RecoveryPath, Scenario, Targets, Violation
from demos.simulation.terminal_record import Event
from demos.simulation.terminals import Setup, SimulatedTerminal
from demos.simulation.world import World
from demos.template.protocol import encode
from demos.terminal.runtime.files import DataFolder
from winsock.simulation.faults import Fault
from winsock.simulation.random_streams import random_stream

SYMBOL, OTHER_SYMBOL = "EURUSD", "GBPUSD"
SERVER, FOLLOWER, VISITOR, HOSTILE = "server", "follower", "visitor", "hostile"
PORT = 8080

# The first pause of a client between two connects.
FIRST_WAIT_MS = 1000

# The timer of the server, and how often a client looks for data: longer than usual, to save time.
TIMER_MS = 1000
PAUSE_MS = 500

# The server makes a template at most once a second; one that was made this long ago has arrived.
ARRIVES_S = 4.0

# The seconds from the end of one visit to the next.
NEXT_VISIT_S = 45.0

# A visit without faults takes less than this.
VISIT_S = 10.0

# The probability that a send takes only a part; it differs between seeds.
PARTIAL_SENDS = (0.0, 0.1, 0.5)

# The connections of the clients and of the hostile peer, and each of them again that was not found to be dead yet.
MOST_SOCKETS = 60

# Some for each connection, in the containers of the server.
MOST_VALUES = 600

# What a client of the server sends first: nothing, the greeting of a follower, or an HTTP request.
OPENINGS = (b"", HELLO, b"GET / HTTP/1.1\r\nHost: server\r\n\r\n")

# The server ends a connection without progress after its limit, at a timer event. A follower may have all frames in its
# buffer until the next keep-alive.
DROPPED_S = (KEEP_ALIVE_MS + STALLED_MS) / 1000 + 5.0


class TemplateScenario(Scenario):
    """See the head of this module."""

    # A follower notices a dead server after SILENCE_MS, and its longest pause between two connects follows.
    settling = SILENCE_MS / 1000 + MAX_WAIT_SECONDS + client_connection.CONNECT_MS / 1000 + ARRIVES_S

    def __init__(self, world: World) -> None:
        super().__init__(world)
        # How many templates the follower had applied when its file was checked last.
        self._checked_file = 0
        self._applied = {name: Applied(name) for name in (FOLLOWER, VISITOR)}
        self._connects = {
            name: Connects(name, "applied", FIRST_WAIT_MS, MAX_WAIT_SECONDS * 1000) for name in (FOLLOWER, VISITOR)
        }

    def build(self) -> None:
        """See Scenario."""
        client_connection.PAUSE_MS = PAUSE_MS
        for name in (SERVER, FOLLOWER, VISITOR, HOSTILE):
            self.world.host(name)
        self.world.terminal(SERVER, SERVER, self._server())
        server, hostile = self.world.hosts[SERVER], self.world.hosts[HOSTILE]
        self._unread = UnreadOutput(server, SERVER, hostile, DROPPED_S)
        peer = HostilePeer(SERVER, PORT, OPENINGS, random_stream(self.world.seed, HOSTILE))
        self.world.program(HOSTILE, HOSTILE, peer.run)
        inputs = {"Host": SERVER, "Port": PORT}
        follower, visitor = ({**inputs, "follow": True}, {**inputs, "attempts": 4})
        self.world.terminal(FOLLOWER, FOLLOWER, _client(follower, self._connects[FOLLOWER]))
        self.world.repeated(VISITOR, VISITOR, _client(visitor, self._connects[VISITOR]), NEXT_VISIT_S)

    def _server(self) -> Setup:
        chance = self.world.random
        every = chance.choice((5.0, 10.0, 30.0))
        commands = [
            (number * every + chance.random(), change_command(number, SYMBOL, "H1", "1.10000"))
            for number in range(1, int(self.world.seconds / every))
        ]
        inputs = {"Host": "0.0.0.0", "Port": PORT}
        return Setup(
            program="chart_server",
            inputs=inputs,
            commands=[each for each in commands if each[0] < self.world.seconds - ARRIVES_S - 1],
            speed=0.1,
            timer_ms=TIMER_MS,
            partial_sends=chance.choice(PARTIAL_SENDS),
            limits=ProgramLimits(MOST_SOCKETS, MOST_VALUES),
            prepare=small_send_buffers(self.world.hosts[SERVER], self.world.hosts[HOSTILE]),
        )

    def targets(self) -> Targets:
        """See Scenario."""
        names = (SERVER, FOLLOWER, VISITOR)
        return Targets(names, [(SERVER, FOLLOWER), (SERVER, VISITOR)], names)

    def faults(self, chance: random.Random, start: float, end: float) -> list[Fault]:
        """See Scenario. In some seeds templates are cut off."""
        found = super().faults(chance, start, end)
        if chance.random() < 0.5:
            pair = (SERVER, chance.choice((FOLLOWER, VISITOR)))
            found += resets_on_a_bad_line(chance, pair, start, end, {"bandwidth": 1500})
        return in_order(found)

    def check(self) -> Iterator[Violation]:
        """See Scenario."""
        terminals = self.world.terminals
        for name, applied in self._applied.items():
            yield from applied.check(terminals[name], terminals[SERVER])
            yield from self._connects[name].check(terminals[name])
        yield from self._check_file()
        yield from self._unread.check(self.world.now)
        yield from self.world.check_handles(MOST_SOCKETS)

    def _check_file(self) -> Iterator[Violation]:
        """The follower's file has the template that it has applied last."""
        follower = self.world.terminals[FOLLOWER]
        applied = follower.of_kind("applied")
        if not applied or self._checked_file == len(applied):
            return
        self._checked_file = len(applied)
        symbol, period = str(applied[-1].fields["symbol"]), int(str(applied[-1].fields["period"]))
        template = DataFolder(follower.data).files.joinpath(NAME).read_bytes()
        if crc32(encode(symbol, period, template, 1252)) != applied[-1].fields["crc"]:
            yield Violation("the applied template is the received one", f"{NAME} has another template")

    def settled(self) -> Iterator[Violation]:
        """See Scenario."""
        made = self.world.terminals[SERVER].of_kind("created")
        old = [event for event in made if event.time <= self.world.now - ARRIVES_S]
        new = {event.fields["crc"] for event in made[len(old) :]}
        applied = self.world.terminals[FOLLOWER].of_kind("applied")
        if old and (not applied or applied[-1].fields["crc"] not in {old[-1].fields["crc"], *new}):
            yield Violation(
                "the newest template is applied",
                f"template {old[-1].fields['number']}, made at {old[-1].time:.1f} s, has not been applied",
            )
        yield from self._check_visits()

    def _check_visits(self) -> Iterator[Violation]:
        """Each visit applies a template."""
        visits = self.world.terminals[VISITOR].of_kind("applied")
        last = max(self.world.last_fault + self.settling, visits[-1].time if visits else 0.0)
        if self.world.now - last > NEXT_VISIT_S + VISIT_S:
            yield Violation("a download succeeds", f"{VISITOR} has applied no template since {last:.1f} s")

    def ended(self) -> Iterator[Violation]:
        """See Scenario."""
        server, follower = (self.world.terminals[name].template for name in (SERVER, FOLLOWER))
        if not same_templates(server, follower):
            yield Violation("the charts are equal", "the follower's chart is not the server's at the end")

    paths: ClassVar = (
        RecoveryPath("the follower connects again", lambda world: _has_connected_again(world.terminals[FOLLOWER])),
        RecoveryPath("a download is repeated", lambda world: world.terminals[VISITOR].logged("Next attempt")),
        RecoveryPath("a silent server is left", lambda world: world.terminals[FOLLOWER].logged("no frame in")),
        RecoveryPath("a connection ends inside a template", lambda world: counted(world, END_INSIDE_MESSAGE)),
        RecoveryPath("a template is sent in parts", sent_in_parts),
        RecoveryPath(
            "a peer that does not read is dropped", lambda world: world.terminals[SERVER].logged("has read nothing for")
        ),
        RecoveryPath("the server is started again", lambda world: world.terminals[SERVER].starts > 1),
        RecoveryPath("the follower is started again", lambda world: world.terminals[FOLLOWER].starts > 1),
    )


class Applied:
    """Checks what one client applies, each event once."""

    def __init__(self, client: str) -> None:
        self._client = client
        self._next = 0
        self._newest = -1

    def check(self, client: SimulatedTerminal, server: SimulatedTerminal) -> Iterator[Violation]:
        """Take the client's new events."""
        new = client.events[self._next :]
        self._next = len(client.events)
        for event in new:
            if event.kind == "applied":
                yield from self._check(event, server.of_kind("created"))

    def _check(self, applied: Event, created: Sequence[Event]) -> Iterator[Violation]:
        number = max(
            (
                number
                for number, event in enumerate(created)
                if event.fields["crc"] == applied.fields["crc"] and event.time <= applied.time
            ),
            default=-1,
        )
        if number < 0:
            yield Violation("applied templates are the server's", f"{self._client} applied a template of its own")
        elif number < self._newest:
            yield Violation(
                "no older template is applied", f"{self._client} applied template {number} after {self._newest}"
            )
        self._newest = max(self._newest, number)


def _has_connected_again(client: SimulatedTerminal) -> bool:
    """Whether a client has connected twice within one start."""
    starts = [line.start for line in client.log if "connect OK" in line.text]
    return len(starts) > len(set(starts))


def is_whole(data: bytes) -> bool:
    """Whether the bytes of a follower's connection end with a whole frame."""
    position = 0
    while position + 4 <= len(data):
        position += 4 + struct.unpack_from("!I", data, position)[0]
    return position == len(data)


def _client(inputs: dict[str, object], connects: Connects) -> Setup:
    # The chart shows another symbol at the start, as in the job.
    # A download that fails too often ends with the code of a network error.
    return Setup(
        program="chart_client",
        inputs=inputs,
        symbols=(OTHER_SYMBOL, SYMBOL),
        speed=0.1,
        is_whole=is_whole if inputs.get("follow") else None,
        exit_codes=(0, 3),
        prepare=connects.prepare,
        limits=CLIENT,
    )
