"""A scripted peer: the other side of a connection, which does what its script says, at the times that it says.

`Peer` is the script: a value that each method returns with one step more, that is checked when it is built, and that
can be started any number of times. `start` returns a `RunningPeer` (running.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeAlias

from . import steps
from .execution import Options
from .running import RunningPeer
from .steps import State, Step, state_after
from .surroundings import RealWorld, Surroundings

if TYPE_CHECKING:
    from winsock.simulation.hosts import Host

__all__ = ["Address", "Peer"]

# A host name or numeric address and a port; a port alone is on the loopback address.
Address: TypeAlias = "tuple[str, int] | int"

_LOOPBACK = "127.0.0.1"


class Peer:
    """The script of a peer.

    Over real loopback it runs in a thread of its own. With `host`, a host of a simulated network, it is a process of
    that host, and its times are simulated ones.

    `address` and `port` are those of a server and of datagrams: by default the loopback address, or the first address
    of the host, and a port that the system chooses. `limit` is the
    longest time in seconds that one step waits for the other side. `receive_buffer` and `send_buffer` are the sizes of
    the socket's buffers in bytes (SO_RCVBUF, SO_SNDBUF).

    Errors: ValueError for a step that is impossible at its place, such as send() before accept().
    """

    def __init__(
        self,
        host: Host | None = None,
        *,
        address: str | None = None,
        port: int = 0,
        limit: float = 10.0,
        receive_buffer: int | None = None,
        send_buffer: int | None = None,
    ) -> None:
        _check_port(port, 0)
        _check_positive("limit", limit)
        self._host = host
        where = address or (_LOOPBACK if host is None else str(ip_address(host.interfaces[0].address)))
        self._options = Options(where, port, limit, receive_buffer, send_buffer)
        self._steps: tuple[Step, ...] = ()
        self._state = State()

    # ---- the sockets

    def accept(self) -> Peer:
        """Wait for a connection. The peer listens from its start until its end."""
        return self._with(steps.Accept())

    def connect(self, address: Address) -> Peer:
        """Connect to a server. While it refuses, because it does not listen yet, the peer tries again."""
        return self._with(steps.Connect(*_host_and_port(address)))

    def datagrams(self, address: Address | None = None) -> Peer:
        """Send and receive datagrams: each piece that is sent is one datagram, each expect() takes one.

        They go to `address`, or, without one, to the sender of the datagram that the last expect() or receive() took.
        """
        return self._with(steps.Datagrams() if address is None else steps.Datagrams(*_host_and_port(address)))

    # ---- what the peer sends

    def send(self, *messages: bytes, split: int | Sequence[int] | None = None, pause: float = 0.01) -> Peer:
        """Send the messages coalesced, in one send call.

        `split` sends them in pieces instead: of this many bytes each, or of the sizes in a sequence and then the rest.
        `pause` is the time in seconds between two pieces.
        """
        data = tuple(_checked_bytes("send", message) for message in messages)
        if not data:
            raise ValueError("send() needs at least one message")
        sizes = split if split is None or isinstance(split, int) else tuple(split)
        for size in [] if sizes is None else [sizes] if isinstance(sizes, int) else sizes:
            _check_positive("split", size)
        if pause < 0:
            raise ValueError(f"invalid pause: {pause!r}: it must not be negative")
        return self._with(steps.Send(data, sizes, float(pause)))

    def garbage(self, count: int, seed: int = 0) -> Peer:
        """Send `count` random bytes; the seed decides which."""
        _check_positive("count", count)
        return self._with(steps.Garbage(count, seed))

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
        _check_positive("seconds", seconds)
        return self._with(steps.Wait(seconds))

    def stall(self, seconds: float) -> Peer:
        """Neither send nor receive for this time: what the other side sends fills the buffers."""
        _check_positive("seconds", seconds)
        return self._with(steps.Stall(seconds))

    # ---- what the other side sends

    def expect(self, data: bytes) -> Peer:
        """The next bytes of the stream are these; or the next datagram is exactly this."""
        return self._with(steps.Expect(_checked_bytes("expect", data)))

    def receive(self, count: int) -> Peer:
        """Receive `count` bytes, or datagrams, whatever they are."""
        _check_positive("count", count)
        return self._with(steps.Receive(count))

    def read_slowly(self, bytes_per_second: float, count: int | None = None) -> Peer:
        """Receive `count` bytes, or everything until the end of the stream, at this rate."""
        _check_positive("bytes_per_second", bytes_per_second)
        if count is not None:
            _check_positive("count", count)
        return self._with(steps.ReadSlowly(bytes_per_second, count))

    def expect_end(self) -> Peer:
        """The other side ends its stream and sends nothing before that."""
        return self._with(steps.ExpectEnd())

    def expect_reset(self) -> Peer:
        """The other side resets the connection. What it sends before that is ignored."""
        return self._with(steps.ExpectReset())

    # ---- the script

    def repeat(self, times: int, last: int | None = None) -> Peer:
        """Execute the last `last` steps, or all steps so far, `times` times in all."""
        count = len(self._steps) if last is None else last
        if times < 1:
            raise ValueError(f"invalid number of times: {times!r}: it must be at least 1")
        if not 1 <= count <= len(self._steps):
            raise ValueError(f"invalid number of steps to repeat: {count!r}: the script has {len(self._steps)}")
        repeated = steps.Repeat(times, self._steps[-count:])
        # They have been executed once by then; the script says so, or they could not have been added.
        state = self._state
        if times > 1:
            state = steps.state_after_all(state, repeated.steps)
        return self._copy((*self._steps[:-count], repeated), state)

    @property
    def steps(self) -> tuple[Step, ...]:
        return self._steps

    def start(self) -> RunningPeer:
        """Start the script. A server listens when this returns.

        Use the result in a `with` statement, or call its finish(): this waits for the end of the script and raises the
        AssertionError of a step that has failed.

        Errors: ValueError for a script without steps. AssertionError if the socket cannot be opened, for example
        because the port is in use.
        """
        if not self._state.role:
            raise ValueError(f"a script without accept(), connect() or datagrams() cannot be started: {self!r}")
        surroundings: Surroundings
        if self._host is None:
            surroundings = RealWorld()
        else:
            # Imported here, because a peer on real loopback needs no simulation.
            from .simulated import SimulatedProcess

            surroundings = SimulatedProcess(self._host)
        return RunningPeer(self._steps, self._options, surroundings)

    def __repr__(self) -> str:
        """The script as it is written, without the peer's parameters."""
        return f"Peer(){steps.script_text(self._steps)}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Peer) and self._steps == other._steps

    def __hash__(self) -> int:
        return hash(self._steps)

    def _with(self, step: Step) -> Peer:
        return self._copy((*self._steps, step), state_after(self._state, step))

    def _copy(self, script: tuple[Step, ...], state: State) -> Peer:
        new = object.__new__(Peer)
        new._host, new._options, new._steps, new._state = self._host, self._options, script, state
        return new


def _host_and_port(address: Address) -> tuple[str, int]:
    host, port = (_LOOPBACK, address) if isinstance(address, int) else address
    _check_port(port, 1)
    return host, port


def _check_port(port: int, lowest: int) -> None:
    if not lowest <= port <= 65_535:
        raise ValueError(f"invalid port: {port!r}: it must be from {lowest} to 65535")


def _check_positive(name: str, value: float) -> None:
    if not value > 0:
        raise ValueError(f"invalid {name}: {value!r}: it must be greater than 0")


def _checked_bytes(name: str, data: Any) -> bytes:
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"{name}() argument: a bytes-like object is required, not {type(data).__name__!r}")
    if not len(data):
        raise ValueError(f"{name}() needs at least one byte")
    return bytes(data)
