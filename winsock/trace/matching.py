"""Matches the sends of one program with the receives of another; each match is an arrow of the picture.

How it works:

- `_Sockets` reads the calls of all programs in order of time and follows each socket, identified by lane and handle. A
  successful accept, or a connect that may succeed, creates an `_Endpoint`: one side of a TCP connection. A datagram
  socket has no endpoint; its datagrams are collected.
- Connections (`_match_connections`): the local and peer addresses that the tracer recorded for an accepted socket are
  those of the connecting socket, exchanged. An address 0.0.0.0 or [::] matches any address with the same port.
- Streams (`_match_stream`): TCP delivers bytes in order, so the byte that is number n in the sends of one endpoint is
  number n in the receives of the other. Each send and receive covers a range of these numbers (`_Range`); two that
  overlap get an arrow. Calls with MSG_PEEK do not move the numbers and are left out, and so is the last byte of a send
  with MSG_OOB, the urgent one, which only a receive with MSG_OOB returns. SO_OOBINLINE is not followed.
- The end of a stream: the first receive that returned 0, or the first call that reported a reset, is matched with the
  first shutdown, closesocket or WSACleanup of the other endpoint; a reset rather with a call that closed the socket
  than with shutdown. A program may call WSAStartup several times; then only its last WSACleanup closes the sockets. If
  a program only looked at the end with MSG_PEEK, the arrow leads to that call.
- A forked process has the sockets of its parent, with the same handles: the calls of both are of one endpoint. Which
  sockets the parent had at that time is not known, so the process gets a socket when it first uses it. It is closed
  when each of the processes has closed it.
- A cause is not later than its effect. That is checked only between programs with one clock: the clocks of two machines
  differ.
- Datagrams are matched by datagram_matching.py, addresses are compared by address_matching.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .address_matching import host_and_port, same_address
from .calls import PREVIEW
from .datagram_matching import Datagram, match_datagrams
from .events import Arrow, CanCause, Event
from .order import own_order
from .rendering import byte_count, quoted
from .reports import Reports
from .wire_formats import HEAD, stream_format

__all__ = ["arrows_of"]

# A socket: its lane and its handle.
_Key = tuple[int, int]


@dataclass
class _Range:
    """The bytes of a stream from number `begin` up to, not including, `end`, which one call sent or received."""

    event: Event
    begin: int
    end: int


@dataclass
class _Endpoint:
    """One side of a TCP connection."""

    created: Event
    accepted: bool
    local: str
    peer: str
    sent: list[_Range] = field(default_factory=list)
    received: list[_Range] = field(default_factory=list)
    # The calls that ended sending: shutdown, closesocket, WSACleanup.
    closes: list[Event] = field(default_factory=list)
    # The receives that returned the end of the stream, and the calls that reported a reset.
    ends: list[Event] = field(default_factory=list)
    # The receives with MSG_PEEK that returned the end of the stream.
    peeked_ends: list[Event] = field(default_factory=list)
    # The processes that use the socket.
    lanes: set[int] = field(default_factory=set)
    other: _Endpoint | None = None


def arrows_of(
    events: list[Event], clocks: list[int], parents: dict[int, int]
) -> tuple[list[Arrow], list[tuple[Event, Event]]]:
    """The arrows between these events, which are in order of time, and pairs of other causes and effects (reports.py).

    Also sets `stream`, `format` and `is_datagram` of the events.

    `clocks` has a number for each lane; lanes with the same number share a clock. `parents` has the lane of the parent
    of each lane of a forked process.
    """
    sockets, reports = _Sockets(parents), Reports(parents)
    for event in events:
        sockets.read(event)
        reports.read(event)

    def can_cause(cause: Event, effect: Event) -> bool:
        return clocks[cause.lane] != clocks[effect.lane] or cause.start <= effect.end

    for endpoint in sockets.endpoints:
        _set_format(endpoint.sent)
        _set_format(endpoint.received)
    arrows: list[Arrow] = []
    _match_connections(sockets.endpoints, can_cause, arrows)
    for endpoint in sockets.endpoints:
        if endpoint.other:
            _match_stream(endpoint, endpoint.other, can_cause, arrows)
    match_datagrams(sockets.datagrams_sent, sockets.datagrams_received, can_cause, arrows)
    return arrows, reports.causes(arrows)


class _Sockets:
    """The sockets of all lanes, as the calls create, use and close them."""

    def __init__(self, parents: dict[int, int]) -> None:
        self._parents = parents
        # The sockets of the forked processes.
        self._of_children: set[_Key] = set()
        self.endpoints: list[_Endpoint] = []
        self.datagrams_sent: list[Datagram] = []
        self.datagrams_received: list[Datagram] = []
        self._open: dict[_Key, _Endpoint] = {}
        # The datagram sockets, and the call that created or bound each one.
        self._datagram_sockets: dict[_Key, Event] = {}
        # For each lane, the calls of WSAStartup without their WSACleanup.
        self._startups: dict[int, int] = {}

    def read(self, event: Event) -> None:
        """Process one call."""
        call, args = event.call, event.record["args"]
        handle = event.record.get("result") if call in ("socket", "accept") else args.get("s")
        key = (event.lane, handle if isinstance(handle, int) else -1)
        if event.lane in self._parents and key not in self._of_children:
            self._use_in_child(key, call)
        if event.group == "data":
            self._moved(key, event)
        elif call == "connect":
            if key not in self._datagram_sockets and event.error in ("", "WSAEWOULDBLOCK"):
                self._new_endpoint(key, event, False)
        elif event.error:
            return
        elif call == "accept":
            self._new_endpoint(key, event, True)
        elif call in ("socket", "bind"):
            self._created_or_bound(key, event)
        elif call in ("WSAStartup", "WSACleanup"):
            self._started_or_ended(event)
        elif call == "closesocket" or (call == "shutdown" and args.get("how") != "SD_RECEIVE"):
            self._closed(event, [self._open[key]] if key in self._open else [])

    def _use_in_child(self, key: _Key, call: str) -> None:
        """A forked process uses a socket for the first time: one of its parent, if it does not create it."""
        self._of_children.add(key)
        if call in ("socket", "accept"):
            return
        parent = self._parents[key[0]], key[1]
        if parent in self._datagram_sockets:
            self._datagram_sockets[key] = self._datagram_sockets[parent]
        if endpoint := self._open.get(parent):
            self._open[key] = endpoint
            endpoint.lanes.add(key[0])

    def _started_or_ended(self, event: Event) -> None:
        change = 1 if event.call == "WSAStartup" else -1
        # A trace of some calls only may lack WSAStartup.
        startups = max(self._startups.get(event.lane, 0) + change, 0)
        self._startups[event.lane] = startups
        if change < 0 and not startups:
            self._closed(event, [end for (lane, _), end in self._open.items() if lane == event.lane])

    def _created_or_bound(self, key: _Key, event: Event) -> None:
        if event.call == "bind":
            if key in self._datagram_sockets:
                self._datagram_sockets[key] = event
            return
        self._open.pop(key, None)
        self._datagram_sockets.pop(key, None)
        args = event.record["args"]
        if args.get("type") == "SOCK_DGRAM" or args.get("protocol") == "IPPROTO_UDP":
            self._datagram_sockets[key] = event

    def _new_endpoint(self, key: _Key, event: Event, accepted: bool) -> None:
        endpoint = _Endpoint(event, accepted, event.record.get("local", ""), event.record.get("peer", ""))
        endpoint.lanes.add(event.lane)
        self._open[key] = endpoint
        self.endpoints.append(endpoint)

    def _closed(self, event: Event, endpoints: list[_Endpoint]) -> None:
        for endpoint in endpoints:
            endpoint.closes.append(event)

    def _moved(self, key: _Key, event: Event) -> None:
        if key in self._open:
            self._stream_data(self._open[key], event)
        else:
            self._datagram(key, event)

    def _stream_data(self, endpoint: _Endpoint, event: Event) -> None:
        args, flags = event.record["args"], str(event.record["args"].get("flags"))
        sends = event.call.startswith("send")
        if event.error in ("WSAECONNRESET", "WSAECONNABORTED"):
            endpoint.ends.append(event)
        at_end = not sends and not _size(args.get("buf")) and bool(args.get("len"))
        urgent = "MSG_OOB" in flags
        if event.error or (urgent and not sends) or "MSG_PEEK" in flags:
            if at_end and not event.error and not urgent:
                endpoint.peeked_ends.append(event)
            return
        ranges = endpoint.sent if sends else endpoint.received
        begin = ranges[-1].end if ranges else 0
        if size := max(_size(args.get("buf")) - urgent, 0):
            event.stream = begin
            ranges.append(_Range(event, begin, begin + size))
        elif at_end:
            endpoint.ends.append(event)

    def _datagram(self, key: _Key, event: Event) -> None:
        record, args = event.record, event.record["args"]
        buffer = args.get("buf")
        if not isinstance(buffer, dict) or "bytes" not in buffer or "MSG_PEEK" in str(args.get("flags")):
            return
        event.is_datagram = True
        sends = event.call.startswith("send")
        local, peer = str(record.get("local", "")), str(record.get("peer", ""))
        named = args.get("to" if sends else "from_")
        other = named if isinstance(named, str) else peer
        source, target = (local, other) if sends else (other, local)
        bound = self._datagram_sockets.get(key)
        datagram = Datagram(event, key[1], source, target, _size(buffer), buffer["hex"], bound)
        (self.datagrams_sent if sends else self.datagrams_received).append(datagram)


def _set_format(ranges: list[_Range]) -> None:
    """Set the format of a stream that these calls sent or received."""
    head = b""
    for part in ranges:
        recorded = bytes.fromhex(part.event.record["args"]["buf"]["hex"][: 2 * HEAD])
        head += recorded
        if len(recorded) < part.end - part.begin or len(head) >= HEAD:
            break
    if format := stream_format(head[:HEAD]):
        for part in ranges:
            part.event.format = format


def _size(buffer: object) -> int:
    """The number of bytes that a call moved, from its shown `buf`."""
    return int(buffer.get("bytes", 0)) if isinstance(buffer, dict) else 0


def _match_connections(endpoints: list[_Endpoint], can_cause: CanCause, arrows: list[Arrow]) -> None:
    """Find the connect of each accepted socket: of those with its addresses, the last one before accept returned.

    Between two machines it is the one whose time is nearest: their clocks differ by less than the time until a port is
    used again.
    """
    connects: dict[tuple[str, str], list[_Endpoint]] = {}
    for endpoint in endpoints:
        if not endpoint.accepted:
            connects.setdefault(host_and_port(endpoint.local), []).append(endpoint)
    for accepted in endpoints:
        if not accepted.accepted:
            continue
        end = accepted.created.end
        host, port = host_and_port(accepted.peer)
        near = [
            (abs(end - connecting.created.start), key, number)
            for key in {(host, port), ("", port)}
            for number, connecting in enumerate(connects.get(key, ()))
            if _connected(connecting, accepted, can_cause)
        ]
        if near:
            _, key, number = min(near)
            found = connects[key].pop(number)
            found.other, accepted.other = accepted, found
            text = f"{accepted.peer} to {accepted.local}"
            arrows.append(Arrow(found.created, accepted.created, "connection", text))


def _connected(connecting: _Endpoint, accepted: _Endpoint, can_cause: CanCause) -> bool:
    return (
        can_cause(connecting.created, accepted.created)
        and same_address(connecting.local, accepted.peer)
        and same_address(connecting.peer, accepted.local)
    )


def _match_stream(sender: _Endpoint, receiver: _Endpoint, can_cause: CanCause, arrows: list[Arrow]) -> None:
    """Add the arrows from the sends of one endpoint to the receives of the other, and for the end of the stream."""
    first = 0
    for sent in sender.sent:
        # Both lists are in the order of the stream: a receive that ends before this send is not needed any more.
        while first < len(receiver.received) and receiver.received[first].end <= sent.begin:
            first += 1
        for number in range(first, len(receiver.received)):
            received = receiver.received[number]
            if received.begin >= sent.end:
                break
            arrows.append(_data_arrow(sent, received))
    # A call that looked at the end is only needed if no other one received it.
    if ends := receiver.ends or receiver.peeked_ends:
        end = ends[0]
        causes = [event for event in _closes(sender) if can_cause(event, end)]
        if end.error:
            causes.sort(key=lambda event: event.call == "shutdown")
        if causes:
            kind, text = ("reset", end.error) if end.error else ("end", "end of stream")
            arrows.append(Arrow(causes[0], end, kind, text))


def _closes(endpoint: _Endpoint) -> list[Event]:
    """The calls that ended sending. Of several processes, only the last one that closes the socket ends it."""
    if len(endpoint.lanes) == 1:
        return endpoint.closes
    shutdowns = [event for event in endpoint.closes if event.call == "shutdown"]
    closed: dict[int, Event] = {}
    for event in endpoint.closes:
        if event.call != "shutdown":
            closed.setdefault(event.lane, event)
    last = [max(closed.values(), key=own_order)] if len(closed) == len(endpoint.lanes) else []
    return sorted([*shutdowns, *last], key=own_order)


def _data_arrow(sent: _Range, received: _Range) -> Arrow:
    begin, end = max(sent.begin, received.begin), min(sent.end, received.end)
    # Two digits for each byte; an arrow shows only the first bytes.
    first, last = 2 * (begin - received.begin), 2 * (min(end, begin + PREVIEW) - received.begin)
    shown = bytes.fromhex(received.event.record["args"]["buf"]["hex"][first:last])
    count, whole = end - begin, sent.end - sent.begin
    size = byte_count(count) if count == whole else f"{count} of {byte_count(whole)}"
    return Arrow(sent.event, received.event, "data", f"{size} {quoted(shown, len(shown) < count)}", count)
