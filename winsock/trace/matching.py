"""Which call of one program met which call of another: connections by their addresses, streams byte by byte."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice

from .events import Arrow, Event
from .rendering import quoted

__all__ = ["arrows_of"]

_ANY = ("0.0.0.0", "[::]")


@dataclass
class _Piece:
    """Bytes of a stream from `begin` up to `end` that one call moved."""

    event: Event
    begin: int
    end: int


@dataclass
class _End:
    """One end of a connection, or a datagram socket."""

    made: Event
    accepted: bool = False
    local: str = ""
    peer: str = ""
    sent: list[_Piece] = field(default_factory=list)
    received: list[_Piece] = field(default_factory=list)
    closes: list[Event] = field(default_factory=list)
    over: list[Event] = field(default_factory=list)
    other: _End | None = None


@dataclass
class _Datagram:
    event: Event
    socket: int
    source: str
    target: str
    size: int
    data: str
    takers: set[tuple[int, int]] = field(default_factory=set)


def arrows_of(events: list[Event]) -> list[Arrow]:
    """The arrows between these calls, which are in order of time."""
    reader = _Reader()
    for event in events:
        reader.read(event)
    arrows: list[Arrow] = []
    for taken in reader.ends:
        if taken.accepted:
            _pair(taken, reader.ends, arrows)
    for end in reader.ends:
        if end.other:
            _stream(end, end.other, arrows)
    _datagrams(reader.datagrams_sent, reader.datagrams_received, arrows)
    arrows.sort(key=lambda arrow: (arrow.target.at, arrow.source.at))
    return arrows


class _Reader:
    """Goes through the calls and remembers each lane's sockets."""

    def __init__(self) -> None:
        self.ends: list[_End] = []
        self.datagrams_sent: list[_Datagram] = []
        self.datagrams_received: list[_Datagram] = []
        self._open: dict[tuple[int, int], _End] = {}
        self._datagram_sockets: set[tuple[int, int]] = set()

    def read(self, event: Event) -> None:
        record, call, args = event.record, event.call, event.record["args"]
        ok = "error" not in record and "raised" not in record
        handle = record.get("result") if call in ("socket", "accept") else args.get("s")
        key = (event.lane, handle if isinstance(handle, int) else -1)
        if call == "WSACleanup" and ok:
            for (lane, _), end in self._open.items():
                if lane == event.lane:
                    end.closes.append(event)
        elif call == "socket" and ok:
            self._open.pop(key, None)
            self._datagram_sockets.discard(key)
            if args.get("type") == "SOCK_DGRAM" or args.get("protocol") == "IPPROTO_UDP":
                self._datagram_sockets.add(key)
        elif call == "accept" and ok:
            self._begin(key, event, True)
        elif call == "connect" and key not in self._datagram_sockets:
            if ok or event.error == "WSAEWOULDBLOCK":
                self._begin(key, event, False)
        elif event.group == "data":
            self._data(key, event, ok)
        elif call in ("shutdown", "closesocket") and ok and key in self._open and args.get("how") != "SD_RECEIVE":
            self._open[key].closes.append(event)

    def _begin(self, key: tuple[int, int], event: Event, accepted: bool) -> None:
        end = _End(event, accepted, event.record.get("local", ""), event.record.get("peer", ""))
        self._open[key] = end
        self.ends.append(end)

    def _data(self, key: tuple[int, int], event: Event, ok: bool) -> None:
        record, args = event.record, event.record["args"]
        buffer = args.get("buf")
        moved = buffer.get("bytes", 0) if isinstance(buffer, dict) else 0
        flags = str(args.get("flags"))
        sends = event.call.startswith("send")
        if key in self._open:
            end = self._open[key]
            if not sends and event.error in ("WSAECONNRESET", "WSAECONNABORTED"):
                end.over.append(event)
            if not ok or "MSG_OOB" in flags or "MSG_PEEK" in flags:
                return
            pieces = end.sent if sends else end.received
            begin = pieces[-1].end if pieces else 0
            if moved:
                pieces.append(_Piece(event, begin, begin + moved))
            elif not sends and args.get("len"):
                end.over.append(event)
        elif isinstance(buffer, dict) and "bytes" in buffer and "MSG_PEEK" not in flags:
            local, peer = str(record.get("local", "")), str(record.get("peer", ""))
            named = args.get("to" if sends else "from_")
            other = named if isinstance(named, str) else peer
            source, target = (local, other) if sends else (other, local)
            datagram = _Datagram(event, key[1], source, target, moved, buffer["hex"])
            (self.datagrams_sent if sends else self.datagrams_received).append(datagram)


def _same(one: str, other: str) -> bool:
    """Whether two texts name the same address; 0.0.0.0 is any of this port."""
    (host, _, port), (other_host, _, other_port) = one.rpartition(":"), other.rpartition(":")
    hosts = host == other_host or host in _ANY or other_host in _ANY
    return hosts and port == other_port and port not in ("", "0")


def _pair(taken: _End, ends: list[_End], arrows: list[Arrow]) -> None:
    """Find who had connected: the last one with these addresses before accept returned."""
    found = None
    for end in ends:
        free = not end.accepted and end.other is None and end.made.start <= taken.made.end
        if free and _same(end.local, taken.peer) and _same(end.peer, taken.local):
            found = end
    if found:
        found.other, taken.other = taken, found
        arrows.append(Arrow(found.made, taken.made, "connection", f"{taken.peer} to {taken.local}"))


def _stream(end: _End, other: _End, arrows: list[Arrow]) -> None:
    """The arrows from one end's sends to the other end's receives, and of the end of the stream."""
    first = 0
    for piece in end.sent:
        # Both are in the order of the stream: what ends before this piece is of no interest to the later ones.
        while first < len(other.received) and other.received[first].end <= piece.begin:
            first += 1
        for taken in islice(other.received, first, None):
            if taken.begin >= piece.end:
                break
            begin, stop = max(piece.begin, taken.begin), min(piece.end, taken.end)
            raw = bytes.fromhex(taken.event.record["args"]["buf"]["hex"])[begin - taken.begin :][: stop - begin]
            whole = piece.end - piece.begin
            size = f"{stop - begin} bytes" if stop - begin == whole else f"{stop - begin} of {whole} bytes"
            text = f"{size} {quoted(raw, len(raw) < stop - begin)}"
            arrows.append(Arrow(piece.event, taken.event, "data", text, stop - begin))
    if other.over:
        told = other.over[0]
        before = [event for event in end.closes if event.start <= told.end]
        if before:
            kind, text = ("reset", told.error) if told.error else ("end", "end of stream")
            arrows.append(Arrow(before[0], told, kind, text))


def _datagrams(sent: list[_Datagram], received: list[_Datagram], arrows: list[Arrow]) -> None:
    """Give each datagram that was received the first one sent that it can be; some are lost on the way."""
    by_port: dict[str, list[_Datagram]] = {}
    for datagram in sent:
        by_port.setdefault(datagram.target.rpartition(":")[2], []).append(datagram)
    for taken in received:
        taker = (taken.event.lane, taken.socket)
        for datagram in by_port.get(taken.target.rpartition(":")[2], []):
            if taker not in datagram.takers and _is_the_same(datagram, taken):
                datagram.takers.add(taker)
                text = f"{taken.size} bytes {_preview(taken)}"
                arrows.append(Arrow(datagram.event, taken.event, "datagram", text, taken.size))
                break


def _is_the_same(sent: _Datagram, taken: _Datagram) -> bool:
    shown = min(len(sent.data), len(taken.data))
    cut = bool(taken.event.error)
    return (
        sent.event.start <= taken.event.end
        and (not taken.source or _same(sent.source, taken.source))
        and _same(sent.target, taken.target)
        and (sent.size == taken.size or (cut and sent.size > taken.size))
        and sent.data[:shown] == taken.data[:shown]
    )


def _preview(datagram: _Datagram) -> str:
    raw = bytes.fromhex(datagram.data)
    return quoted(raw, len(raw) < datagram.size)
