"""A scripted peer: the other side of a connection, which does what its script says, at the times that it says.

`Peer` is the script: a value that each method returns with one step more, that is checked when it is built, and that
can be started any number of times. `start` returns a `RunningPeer` (running.py).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, TypeAlias

import winsock

from . import steps
from .arguments import (
    LOOPBACKS,
    checked_address,
    checked_bytes,
    checked_host,
    checked_integer,
    checked_number,
    checked_port,
    checked_simulated_host,
)
from .running import RunningPeer
from .runs import Options
from .steps import State, Step, state_after
from .surroundings import RealWorld, Surroundings

if TYPE_CHECKING:
    from winsock.simulation.hosts import Host

__all__ = ["Address", "Peer"]

# A host name or numeric address and a port; a port alone is on the loopback address.
Address: TypeAlias = "tuple[str, int] | int"

_LIMIT = 10.0


class Peer:
    """The script of a peer.

    Over real loopback it runs in a thread of its own. With `host`, a host of a simulated network, it is a process of
    that host, and its times are simulated ones.

    `address` and `port` are those of a server and of datagrams: by default the loopback address, or the first address
    of the host, and a port that the system chooses. Datagrams to an IPv6 address come from the IPv6 one. `limit` is the
    longest time in seconds that one step waits for the other side; read_slowly() waits that long for each next byte.
    `receive_buffer` and `send_buffer` are the sizes of the socket's buffers in bytes (SO_RCVBUF, SO_SNDBUF).

    Errors: ValueError for a step that is impossible at its place, such as send() before accept(), and for an argument
    out of its range. TypeError for one of another type.
    """

    def __init__(
        self,
        host: Host | None = None,
        *,
        address: str | None = None,
        port: int = 0,
        limit: float = _LIMIT,
        receive_buffer: int | None = None,
        send_buffer: int | None = None,
    ) -> None:
        limit = checked_number("limit", limit)
        for name, size in (("receive_buffer", receive_buffer), ("send_buffer", send_buffer)):
            if size is not None:
                checked_integer(name, size)
        self._host: Host | None = checked_simulated_host(host)
        own = LOOPBACKS if host is None else tuple(str(ip_address(each.address)) for each in host.interfaces)
        addresses = own if address is None else (checked_host(address),)
        self._options = Options(addresses, checked_port(port, 0), limit, receive_buffer, send_buffer)
        # As they were given, for repr().
        given = {
            "address": address,
            "port": port or None,
            "limit": None if limit == _LIMIT else limit,
            "receive_buffer": receive_buffer,
            "send_buffer": send_buffer,
        }
        parameters = [f"{name}={value!r}" for name, value in given.items() if value is not None]
        self._parameters = ", ".join(parameters if host is None else [f"host={host.name!r}", *parameters])
        self._steps: tuple[Step, ...] = ()
        self._state = State()

    # ---- the sockets

    def accept(self) -> Peer:
        """Wait for a connection. The peer listens from its start until its end."""
        return self._with(steps.Accept())

    def connect(self, address: Address) -> Peer:
        """Connect to a server. While it refuses, because it does not listen yet, the peer tries again."""
        return self._with(steps.Connect(*checked_address(address)))

    def datagrams(self, address: Address | None = None) -> Peer:
        """Send and receive datagrams: each piece that is sent is one datagram, each expect() takes one.

        They go to `address`, or, without one, to the sender of the datagram that the last expect() or receive() took.
        """
        return self._with(steps.Datagrams() if address is None else steps.Datagrams(*checked_address(address)))

    # ---- what the peer sends

    def send(self, *messages: bytes, split: int | Sequence[int] | None = None, pause: float = 0.01) -> Peer:
        """Send the messages coalesced, in one send call.

        `split` sends them in pieces instead: of this many bytes each, or of the sizes in a sequence and then the rest.
        `pause` is the time in seconds between two pieces.
        """
        data = tuple(checked_bytes("send", message) for message in messages)
        if not data:
            raise ValueError("send() needs at least one message")
        return self._with(steps.Send(data, _checked_split(split), float(checked_number("pause", pause, zero=True))))

    def garbage(self, count: int, seed: int = 0) -> Peer:
        """Send `count` random bytes; the seed decides which."""
        return self._with(steps.Garbage(checked_integer("count", count), checked_integer("seed", seed, positive=False)))

    def half_close(self) -> Peer:
        """End the peer's stream (shutdown with SD_SEND); the peer goes on receiving."""
        return self._with(steps.HalfClose())

    def close(self) -> Peer:
        """Close the connection in an orderly way. The end of the script does so too."""
        return self._with(steps.Close())

    def reset(self) -> Peer:
        """Reset the connection (SO_LINGER with time 0 and closesocket)."""
        return self._with(steps.Reset())

    # ---- time

    def wait(self, seconds: float) -> Peer:
        """Send nothing for this time. What arrives is received and kept for later expectations."""
        return self._with(steps.Wait(checked_number("seconds", seconds)))

    def stall(self, seconds: float) -> Peer:
        """Neither send nor receive for this time: what the other side sends fills the buffers."""
        return self._with(steps.Stall(checked_number("seconds", seconds)))

    # ---- what the other side sends

    def expect(self, data: bytes) -> Peer:
        """The next bytes of the stream are these; or the next datagram is exactly this."""
        return self._with(steps.Expect(checked_bytes("expect", data)))

    def receive(self, count: int) -> Peer:
        """Receive `count` bytes, or datagrams, whatever they are."""
        return self._with(steps.Receive(checked_integer("count", count)))

    def read_slowly(self, bytes_per_second: float, count: int | None = None) -> Peer:
        """Receive `count` bytes, or everything until the end of the stream, at this rate."""
        bytes_per_second = checked_number("bytes_per_second", bytes_per_second)
        if count is not None:
            checked_integer("count", count)
        return self._with(steps.ReadSlowly(bytes_per_second, count))

    def expect_end(self) -> Peer:
        """The other side ends its stream and sends nothing before that."""
        return self._with(steps.ExpectEnd())

    def expect_reset(self) -> Peer:
        """The other side resets the connection. What it sends before that is ignored.

        The reset may also end the step before this one: what that step has not sent yet is not sent, and what it has
        not received yet may be lost, because a reset discards it.
        """
        return self._with(steps.ExpectReset())

    # ---- the script

    def repeat(self, times: int, last: int | None = None) -> Peer:
        """Execute the last `last` steps, or all steps so far, `times` times in all."""
        count = len(self._steps) if last is None else checked_integer("number of steps to repeat", last, positive=False)
        checked_integer("number of times", times)
        if not 1 <= count <= len(self._steps):
            raise ValueError(f"invalid number of steps to repeat: {count!r}: the script has {len(self._steps)}")
        repeated = steps.Repeat(times, self._steps[-count:])
        # They have been executed once by then; the script says so, or they could not have been added.
        state = self._state
        if times > 1:
            state = steps.state_after_all(state, repeated.steps)
        return self._copy((*self._steps[:-count], repeated), state)

    @property
    def host(self) -> Host | None:
        """The simulated host; None for a peer of this machine."""
        return self._host

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps so far, as values."""
        return self._steps

    def start(self) -> RunningPeer:
        """Start the script. A server listens when this returns.

        Use the result in a `with` statement, or call its finish(): this waits for the end of the script and raises the
        AssertionError of a step that has failed. Without it, a failure is a RuntimeWarning.

        Errors: ValueError for a script without a socket, or for a peer of this machine while a simulated network is
        open: the calls of `winsock` are the simulated ones then. AssertionError if the socket cannot be opened, for
        example because the port is in use.
        """
        __tracebackhide__ = True
        if not self._state.role:
            raise ValueError(f"a script without accept(), connect() or datagrams() cannot be started: {self!r}")
        surroundings: Surroundings
        if self._host is None:
            # Not imported: a peer on real loopback needs no simulation.
            dispatch = sys.modules.get("winsock.simulation.dispatch")
            if dispatch is not None and winsock.calls is dispatch.calls:
                raise ValueError(f"a simulated network is open, so a peer needs a host of it: Peer(host), not {self!r}")
            surroundings = RealWorld()
        else:
            # Imported here, because a peer on real loopback needs no simulation.
            from .simulated import SimulatedProcess

            surroundings = SimulatedProcess(self._host)
        return RunningPeer(self._steps, self._options, surroundings)

    def __repr__(self) -> str:
        """The script as it is written; a simulated host is shown by its name."""
        return f"Peer({self._parameters}){steps.script_text(self._steps)}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Peer) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[object, ...]:
        return id(self._host), self._parameters, self._steps

    def _with(self, step: Step) -> Peer:
        return self._copy((*self._steps, step), state_after(self._state, step))

    def _copy(self, script: tuple[Step, ...], state: State) -> Peer:
        new = object.__new__(Peer)
        new._host, new._options, new._parameters = self._host, self._options, self._parameters
        new._steps, new._state = script, state
        return new


def _checked_split(split: int | Sequence[int] | None) -> int | tuple[int, ...] | None:
    if split is None:
        return None
    if hasattr(split, "__index__"):
        return checked_integer("split", split)
    if not isinstance(split, Sequence) or isinstance(split, str):
        raise TypeError(f"invalid split: {split!r}: it must be an integer or a sequence of integers")
    if not split:
        raise ValueError(f"invalid split: {split!r}: it must have at least one size")
    return tuple(checked_integer("split", size) for size in split)
