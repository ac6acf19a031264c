"""Turns the calls of a timeline into the packets that they stand for, as a capture for Wireshark.

How it works:

- `_Calls` reads the calls in the order of the timeline and follows each socket, identified by lane and handle, to its
  side of a `Connection` (tcp_packets.py). The arrows of the timeline tell which connect belongs to which accept, which
  receive failed because of which close, and who received which datagram.
- The system establishes a connection before accept returns. Here it is established when connect returns, or earlier if
  a call needs it.
- A datagram is one packet on the interface of its sender, with the calls that received it as comments. A datagram from
  a program without a trace is a packet on the interface of its receiver.
- A packet is never earlier than the one before it: the order of the timeline counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from heapq import heappop, heappush
from ipaddress import IPv4Address, IPv6Address
from typing import Any, NamedTuple

from winsock.command_line import printable

from .events import Arrow, Event
from .ip_headers import Address, Datagram, Host, parsed
from .pcapng import Interface, Packet, pcapng
from .tcp_packets import Connection, Late, Side
from .timeline import Timeline

__all__ = ["Capture", "capture"]

# The errors of a connect that has sent a SYN.
_SENT_SYN = ("", "WSAEWOULDBLOCK", "WSAECONNREFUSED", "WSAETIMEDOUT")
_RESETS = ("WSAECONNRESET", "WSAECONNABORTED")
_LOOPBACK: dict[int, Host] = {4: IPv4Address("127.0.0.1"), 6: IPv6Address("::1")}
_UNKNOWN = Address(IPv4Address("0.0.0.0"), 0)
# A socket: its lane and its handle.
_Key = tuple[int, object]
# Why the capture cannot show a call.
_NO_CONNECTION = "the trace has no connect, accept or address of the socket"
_OF_PARENT = "a child process uses a socket that its parent has opened; this is not supported"
_NO_BYTES = "the call moves no bytes"
_AFTER_RESET = "the connection was reset before"
_TOO_LARGE = "a datagram cannot have that size"


class Capture(NamedTuple):
    """The bytes of a pcapng file, the number of its packets, and that of the calls that it cannot show, by reason."""

    data: bytes
    packets: int
    left_out: Counter[str]


def capture(timeline: Timeline) -> Capture:
    """The packets of a timeline whose calls are not combined."""
    calls = _read(timeline, {})
    if late := {connection.number: connection.late for connection in calls.connections if any(connection.late)}:
        calls = _read(timeline, late)
    interfaces = [
        Interface(printable(lane.name), printable(f"pid {lane.pid}, {lane.backend}: {' '.join(lane.argv)}"))
        for lane in timeline.lanes
    ]
    return Capture(pcapng(interfaces, calls.packets), len(calls.packets), calls.left_out)


def _read(timeline: Timeline, late: dict[int, Late]) -> _Calls:
    """All calls; `late` is what a first pass has found, by the number of the connection."""
    calls = _Calls(timeline, late)
    for event in timeline.events:
        calls.read(event)
    calls.end()
    return calls


class _Calls:
    """The sockets of all lanes, as the calls create, use and close them, and the packets of these calls."""

    def __init__(self, timeline: Timeline, late: dict[int, Late]) -> None:
        self.packets: list[Packet] = []
        self.left_out: Counter[str] = Counter()
        self._wall = timeline.wall
        self._lanes = timeline.lanes
        # The arrows by their kind and the call at one end. Each accept has one connect, each failed receive one close.
        self._accepts = {id(arrow.source): arrow.target for arrow in timeline.arrows if arrow.kind == "connection"}
        self._resets: dict[int, list[Event]] = {}
        self._receivers: dict[int, list[Event]] = {}
        self._matched: set[int] = set()
        for arrow in timeline.arrows:
            self._index(arrow)
        self._sides: dict[_Key, tuple[Connection, Side]] = {}
        self._by_accept: dict[int, Connection] = {}
        # What a connect does when it returns: the time, the number of the connection, and its function.
        self._returning: list[tuple[int, int, Callable[[int], None]]] = []
        self.connections: list[Connection] = []
        self._late = late
        self._datagram_sockets: set[_Key] = set()
        self._started: dict[int, int] = {}

    def _index(self, arrow: Arrow) -> None:
        if arrow.kind == "reset":
            self._resets.setdefault(id(arrow.source), []).append(arrow.target)
        elif arrow.kind == "datagram":
            self._receivers.setdefault(id(arrow.source), []).append(arrow.target)
            self._matched.add(id(arrow.target))

    def read(self, event: Event) -> None:
        """Adds the packets of one call; a call that has not returned has none."""
        if "begun" in event.record:
            return
        self._return_connects(event.at)
        args = event.record["args"]
        handle = event.record.get("result") if event.call in ("socket", "accept") else args.get("s")
        key = event.lane, _hashable(handle)
        if event.group == "data":
            self._moved(key, event)
        elif event.call == "connect":
            self._connect(key, event)
        elif not event.error:
            self._control(key, event)

    def end(self) -> None:
        """Adds what is left after the last call."""
        self._return_connects(None)

    def _return_connects(self, until: int | None) -> None:
        """Adds the packets of connects that have returned until this time, or of all."""
        while self._returning and (until is None or self._returning[0][0] <= until):
            time, _, answer = heappop(self._returning)
            answer(self._time(time))

    def _control(self, key: _Key, event: Event) -> None:
        """Calls that create, change or close a socket and have succeeded."""
        call, args = event.call, event.record["args"]
        if call == "socket":
            self._sides.pop(key, None)
            self._datagram_sockets.discard(key)
            if args.get("type") == "SOCK_DGRAM" or args.get("protocol") == "IPPROTO_UDP":
                self._datagram_sockets.add(key)
        elif call == "accept":
            self._accept(key, event)
        elif call == "WSAStartup":
            self._started[event.lane] = self._started.get(event.lane, 0) + 1
        elif call == "WSACleanup":
            self._cleanup(event)
        elif call == "closesocket":
            self._close(key, event)
        elif key in self._sides:
            self._change(*self._sides[key], event)

    def _connect(self, key: _Key, event: Event) -> None:
        if key in self._datagram_sockets or event.error not in _SENT_SYN:
            return
        accept = self._accepts.get(id(event))
        record = accept.record if accept else event.record
        client, server = record.get("peer" if accept else "local"), record.get("local" if accept else "peer")
        if accept is None and not server:
            server = event.record["args"].get("name")
        connection = self._new(client, event.lane, server, accept.lane if accept else None)
        if connection is None:
            return
        connection.open(self._time(event.start), self._comment(event))
        if event.error in ("", "WSAECONNREFUSED"):
            answer = connection.refuse if event.error else connection.establish
            heappush(self._returning, (event.end, connection.number, answer))
        if event.error in ("", "WSAEWOULDBLOCK"):
            self._sides[key] = connection, connection.client
            if accept:
                connection.accepted = self._comment(accept)
                self._by_accept[id(accept)] = connection

    def _accept(self, key: _Key, event: Event) -> None:
        time, comment = self._time(event.at), self._comment(event)
        connection = self._by_accept.pop(id(event), None)
        if connection is None:
            connection = self._new(event.record.get("peer"), None, event.record.get("local"), event.lane)
            if connection is None:
                return
            connection.accepted = comment
            connection.open(time, "")
        connection.establish(time)
        self._sides[key] = connection, connection.server

    def _new(
        self, client: object, client_lane: int | None, server: object, server_lane: int | None
    ) -> Connection | None:
        """A new connection; None if the server's address is unknown. An unknown address of the client is invented."""
        to = parsed(str(server))
        if to is None:
            self.left_out[_NO_CONNECTION] += 1
            return None
        number = len(self.connections) + 1
        # Of the ports that systems choose, so that each connection has its own.
        unknown = Address(to.host, 49152 + number % 16384)
        start = _specific(parsed(str(client)) or unknown, to)
        if not start.port:
            start = unknown
        late = self._late.get(number, ((), ()))
        self.connections.append(Connection(number, start, client_lane, to, server_lane, self._emit, late))
        return self.connections[-1]

    def _change(self, connection: Connection, side: Side, event: Event) -> None:
        args = event.record["args"]
        if event.call == "setsockopt" and args.get("optname") == "SO_LINGER":
            side.abortive = args.get("optval") == {"l_onoff": 1, "l_linger": 0}
        elif event.call == "shutdown":
            side.deaf = side.deaf or args.get("how") != "SD_SEND"
            if args.get("how") != "SD_RECEIVE":
                connection.finish(side, self._time(event.at), self._comment(event))

    def _cleanup(self, event: Event) -> None:
        self._started[event.lane] = max(self._started.get(event.lane, 0) - 1, 0)
        if not self._started[event.lane]:
            for key in [key for key in self._sides if key[0] == event.lane]:
                self._close(key, event)

    def _close(self, key: _Key, event: Event) -> None:
        self._datagram_sockets.discard(key)
        if key not in self._sides:
            return
        connection, side = self._sides.pop(key)
        # The sockets that will notice that the connection was reset.
        resets = [(call.lane, _hashable(call.record["args"].get("s"))) for call in self._resets.get(id(event), [])]
        reset = side.abortive or any(connection in self._sides.get(socket, ()) for socket in resets)
        end = connection.abort if reset else connection.finish
        end(side, self._time(event.at), self._comment(event))

    def _moved(self, key: _Key, event: Event) -> None:
        args = event.record["args"]
        flags = str(args.get("flags"))
        if "MSG_PEEK" in flags:
            return
        buffer = args.get("buf")
        size = int(buffer.get("bytes", 0)) if isinstance(buffer, dict) else 0
        data = bytes.fromhex(buffer["hex"])[:size] if isinstance(buffer, dict) and size else b""
        if key in self._sides:
            self._stream(*self._sides[key], event, data, size)
        elif event.call in ("sendto", "recvfrom") or key in self._datagram_sockets:
            self._datagram(event, data, size)
        elif not event.error:
            self.left_out[_OF_PARENT if self._lanes[event.lane].is_child else _NO_CONNECTION] += 1

    def _stream(self, connection: Connection, side: Side, event: Event, data: bytes, size: int) -> None:
        time, comment, args = self._time(event.at), self._comment(event), event.record["args"]
        if event.error in _RESETS:
            self._reset(connection, side, event)
        elif event.error:
            return
        elif connection.reset:
            self.left_out[_AFTER_RESET] += 1
            if size and event.call.startswith("recv"):
                connection.receive(side, time, data, size, comment)
        elif event.call.startswith("send") and size:
            connection.send(side, time, data, size, comment, "MSG_OOB" in str(args.get("flags")))
        elif event.call.startswith("recv") and size:
            connection.receive(side, time, data, size, comment)
        elif event.call.startswith("send") or not args.get("len") or not connection.receive_end(side, time, comment):
            self.left_out[_NO_BYTES] += 1

    def _reset(self, connection: Connection, side: Side, event: Event) -> None:
        """A call has reported that the other side has reset the connection; the first one is a comment of the RST."""
        if side.knows_reset:
            self.left_out[_AFTER_RESET] += 1
        elif connection.reset:
            name = printable(self._lanes[event.lane].name)
            connection.reset_comments.append(f"reported to {name}: {self._comment(event)}")
        else:
            connection.abort(connection.other(side), self._time(event.at), self._comment(event))
        side.knows_reset = True

    def _datagram(self, event: Event, data: bytes, size: int) -> None:
        record, sends = event.record, event.call.startswith("send")
        if id(event) in self._matched or event.error not in ("", "WSAEMSGSIZE") or (event.error and sends):
            return
        named = record["args"].get("to" if sends else "from_")
        local = parsed(str(record.get("local"))) or _UNKNOWN
        other = parsed(str(named if isinstance(named, str) else record.get("peer")))
        if other is None:
            self.left_out[_NO_CONNECTION] += 1
            return
        local = _specific(local, other)
        comments = [self._comment(event)]
        for receiver in self._receivers.get(id(event), []):
            comments.append(f"received by {printable(self._lanes[receiver.lane].name)}: {self._comment(receiver)}")
            seen = parsed(str(receiver.record["args"].get("from_")))
            local = seen or local
        ends = (local, other) if sends else (other, local)
        datagram = Datagram(*ends, data, size)
        if not datagram.is_possible:
            self.left_out[_TOO_LARGE] += 1
            return
        raw, length = datagram.packet()
        self._emit(Packet(event.lane, self._time(event.at), raw, length, not sends, comments))

    def _emit(self, packet: Packet) -> None:
        if self.packets and packet.time < self.packets[-1].time:
            packet = packet._replace(time=self.packets[-1].time)
        self.packets.append(packet)

    def _time(self, time: int) -> int:
        return self._wall + time

    def _comment(self, event: Event) -> str:
        place = f" ({event.source.file}:{event.source.line})" if event.source else ""
        return printable(f"{event.text}{place}")


def _hashable(handle: Any) -> object:
    return handle if isinstance(handle, int | str) else None


def _specific(address: Address, other: Address) -> Address:
    """The address that a socket bound to all addresses has for packets to or from a loopback address."""
    unspecified = address.host.is_unspecified and other.host.is_loopback
    return Address(_LOOPBACK[other.host.version], address.port) if unspecified else address
