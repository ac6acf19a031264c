"""The recovery paths of the provider's scenario: what programs must have done about faults in a sweep."""

from __future__ import annotations

from demos.simulation.order_kills import AFTER, BEFORE
from demos.simulation.records import connected_again, counted, failed, logged, sent_in_parts
from demos.simulation.scenario import RecoveryPath
from demos.simulation.terminal_record import Event
from demos.simulation.terminals import SimulatedTerminal
from demos.simulation.world import World
from winsock import WSAECONNRESET

BACK_OFF = "longer pause between attempts"
RIGHT_DURING_BAN = "right password during a ban"


def _came_back(terminal: SimulatedTerminal) -> bool:
    """Whether the terminal has received states in two of its starts."""
    return len({event.start for event in terminal.of_kind("received")}) > 1


def _copiers(world: World) -> list[SimulatedTerminal]:
    return [terminal for name, terminal in world.terminals.items() if name != "provider"]


def _events(world: World, kind: str) -> list[Event]:
    return [event for each in world.terminals.values() for event in each.of_kind(kind)]


def _alarmed(world: World, name: str) -> bool:
    return any(event.fields["name"] == name for event in _events(world, "alarm"))


def _refused(world: World, *codes: str) -> bool:
    return any(event.fields["code"] in codes for event in _events(world, "refused"))


PATHS = (
    RecoveryPath("a copier connects again", lambda world: connected_again(world.terminals.values())),
    RecoveryPath("the pauses between attempts grow", lambda world: counted(world, BACK_OFF)),
    RecoveryPath("a silent provider is noticed", lambda world: _alarmed(world, "stale")),
    RecoveryPath("a message is sent in parts", sent_in_parts),
    RecoveryPath("a connection is reset", lambda world: failed(_copiers(world), WSAECONNRESET)),
    RecoveryPath("a connection ends without TLS's end", lambda world: logged(_copiers(world), "close_notify")),
    RecoveryPath("a copier starts again with its memory", lambda world: any(map(_came_back, world.terminals.values()))),
    RecoveryPath("a copier is killed before an order", lambda world: counted(world, BEFORE)),
    RecoveryPath("a copier is killed after an order", lambda world: counted(world, AFTER)),
    RecoveryPath("the provider starts again", lambda world: world.terminals["provider"].starts > 1),
    RecoveryPath(
        "a peer that does not read is dropped",
        lambda world: logged(world.terminals.values(), "the peer has read nothing for"),
    ),
    RecoveryPath("a login is refused", lambda world: bool(_events(world, "refused"))),
    RecoveryPath("a right password is refused during a ban", lambda world: counted(world, RIGHT_DURING_BAN)),
    RecoveryPath("an operator pauses the provider", lambda world: _refused(world, "paused")),
    RecoveryPath("a login is revoked", lambda world: _refused(world, "disabled", "token")),
)
