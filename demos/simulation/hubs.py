"""What the scenarios of the ideas with a hub share: the inputs of servers and clients, times, and paths."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from demos.ideas.link import LONGEST_WAIT_MS
from demos.simulation.certificate import simulated_certificate
from demos.simulation.directed import freeze, in_order
from demos.simulation.hostile_peers import UnreadOutput, small_send_buffers
from demos.simulation.records import connected_again, failed, logged, started_again
from demos.simulation.scenario import RecoveryPath, Scenario, Violation
from demos.simulation.terminals import SimulatedTerminal
from demos.simulation.visitors import Intruder, visit
from demos.simulation.world import World
from demos.wire.channel import LIMITS
from demos.wire.tls_contexts import fingerprint_text
from demos.wire.websocket import CLIENT_LIMITS
from winsock import WSAECONNREFUSED, WSAECONNRESET, WSAETIMEDOUT
from winsock.simulation.faults import Fault

# A side that hears nothing for this time ends the connection, in seconds.
SILENCE = CLIENT_LIMITS.silence_ms / 1000

LONGEST_WAIT = LONGEST_WAIT_MS / 1000

# A hub closes connections without a request within 10 s each, but these come from peers that misbehave.
MOST_SOCKETS = 50

VISITOR, INTRUDER = "visitor", "intruder"

# A hub ends a connection without progress after its limit, at a timer event, in seconds.
DROPPED_S = LIMITS.stalled_ms / 1000 + 5.0

# The part of the seeds in which a program is frozen for longer than the silence.
FROZEN = 0.4

# The probability that a send takes only a part of its bytes.
PARTIAL_SENDS = 0.02


class HubScenario(Scenario):
    """A server with a hub, and clients with links."""

    longest_fault = SILENCE
    _unread: UnreadOutput | None = None

    def add_rogues(self, server: str, port: int, hello: str) -> None:
        """Start the two peers that misbehave, each on its own host; the intruder logs in with ``hello``."""
        world = self.world
        world.host(VISITOR)
        world.program(VISITOR, VISITOR, visit, server, port)
        host, intruder, terminal = world.hosts[server], world.host(INTRUDER), world.terminals[server]
        terminal.setup = replace(terminal.setup, prepare=small_send_buffers(host, intruder))
        self._unread = UnreadOutput(host, server, intruder, DROPPED_S)
        world.program(INTRUDER, INTRUDER, Intruder(server, port, hello, world.random).run)

    def check(self) -> Iterator[Violation]:
        """See Scenario."""
        if self._unread is not None:
            yield from self._unread.check(self.world.now)
        yield from self.world.check_handles(MOST_SOCKETS)

    def faults(self, chance: random.Random, start: float, end: float) -> list[Fault]:
        """See Scenario. In some seeds a program is frozen for longer than the silence, so that its peers find out."""
        found = super().faults(chance, start, end)
        if chance.random() < FROZEN:
            terminal = chance.choice(self.targets().terminals)
            found += freeze(chance, terminal, start, end, SILENCE + chance.uniform(5, 20))
        return in_order(found)


def server_inputs(world: World, host: str, port: int) -> dict[str, object]:
    """The inputs of a hub's program on this host, which listens on all addresses."""
    return {"Host": "0.0.0.0", "Port": port, **certificate_inputs(world, host)}


def certificate_inputs(world: World, host: str) -> dict[str, object]:
    """The inputs with the files of the certificate, which are written to the disk of the host."""
    certificate, disk = simulated_certificate(), world.hosts[host].disk
    for name, data in (("cert", certificate.certificate), ("key", certificate.key)):
        (disk / f"{name}.pem").write_bytes(data)
    return {name: str(disk / f"{name}.pem") for name in ("cert", "key")}


def pin() -> str:
    """The pin of the certificate, as an input."""
    return fingerprint_text(simulated_certificate().fingerprint)


def client_inputs(host: str, port: int) -> dict[str, object]:
    """The inputs of a link's program that connects to this host."""
    return {"url": f"wss://{host}:{port}", "pin": pin()}


def hub_paths(server: str, clients: Sequence[str]) -> list[RecoveryPath]:
    """The paths of every hub and its links, by the names of their terminals."""

    def of(world: World) -> list[SimulatedTerminal]:
        return [world.terminals[each] for each in clients]

    def everybody(world: World) -> list[SimulatedTerminal]:
        return [world.terminals[server], *of(world)]

    return [
        RecoveryPath("a client connects again", lambda world: connected_again(of(world))),
        RecoveryPath("a client is started again", lambda world: started_again(of(world))),
        RecoveryPath("the server is started again", lambda world: world.terminals[server].starts > 1),
        RecoveryPath("a connect is refused", lambda world: failed(of(world), WSAECONNREFUSED, "connect to")),
        RecoveryPath("a connect times out", lambda world: failed(of(world), WSAETIMEDOUT, "connect to")),
        RecoveryPath("a connection is reset", lambda world: failed(of(world), WSAECONNRESET)),
        RecoveryPath("a silent peer is noticed", lambda world: logged(everybody(world), "has been silent for")),
        RecoveryPath("a handshake fails", lambda world: logged(everybody(world), "TLS failed")),
    ]


def unread_path(server: str) -> RecoveryPath:
    """The path of a hub that sends much to a client that does not read it."""
    return RecoveryPath(
        "a peer that does not read is dropped", lambda world: logged([world.terminals[server]], "has read nothing for")
    )
