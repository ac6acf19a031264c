"""Finds the calls that report what another program has done, without an arrow that leads to them.

A select, WSAPoll, ioctlsocket(FIONREAD) or recv with MSG_PEEK that reports data on a socket is an effect of the call
that sent the first byte which the next receive returns, or that closed the connection. So it must not be above that
call. A connect that succeeded is an effect of listen. In the order of a timeline these count as arrows do; a picture
does not draw them.
"""

from __future__ import annotations

from typing import Any

from .events import Arrow, Event

__all__ = ["Reports"]

_Key = tuple[int, int]


class Reports:
    """Reads the calls of all programs in order of time, then tells which call caused each report.

    `parents` has the lane of the parent of each lane of a forked process.
    """

    def __init__(self, parents: dict[int, int]) -> None:
        self._parents = parents
        # The first report of each socket since the last call that received from it, and the end of that call.
        self._reports: dict[_Key, Event] = {}
        self._received: dict[_Key, int] = {}
        self._listening: dict[_Key, Event] = {}
        # The report, or the call of listen, that belongs to a call of recv, recvfrom or accept.
        self._report_of: dict[int, Event] = {}
        self._listen_of: dict[int, Event] = {}

    def read(self, event: Event) -> None:
        """Process one call."""
        for handle in _reported(event):
            key = event.lane, handle
            # If another thread received while the call ran, the report may be of what that thread has received.
            if event.start >= self._received.get(key, event.start):
                self._reports.setdefault(key, event)
        handle = event.record["args"].get("s")
        key = event.lane, handle if isinstance(handle, int) else -1
        if _looks(event):
            # An arrow leads to a call that looked at the end of the stream if no other call received it.
            if report := self._reports.get(key):
                self._report_of[id(event)] = report
        elif event.call in ("recv", "recvfrom", "accept"):
            if report := self._reports.pop(key, None):
                self._report_of[id(event)] = report
            self._received[key] = event.end
            # A forked process may accept connections of a socket with which its parent listens.
            parent = self._parents.get(event.lane, event.lane), key[1]
            listen = self._listening.get(key) or self._listening.get(parent)
            if event.call == "accept" and listen:
                self._listen_of[id(event)] = listen
        elif event.call == "listen" and not event.error:
            self._listening[key] = event
        elif event.call == "closesocket":
            self._reports.pop(key, None)
            self._listening.pop(key, None)

    def causes(self, arrows: list[Arrow]) -> list[tuple[Event, Event]]:
        """Pairs of a cause and its effect; of several arrows to one call, the first is that of the first byte."""
        found = []
        for arrow in arrows:
            # Once for each call.
            if report := self._report_of.pop(id(arrow.target), None):
                found.append((arrow.source, report))
            listen = self._listen_of.pop(id(arrow.target), None)
            if listen and not arrow.source.error:
                found.append((listen, arrow.source))
        return found


def _looks(event: Event) -> bool:
    """Whether a call leaves what it received in the socket, or receives urgent data."""
    flags = str(event.record["args"].get("flags"))
    return "MSG_PEEK" in flags or "MSG_OOB" in flags


def _reported(event: Event) -> list[int]:
    """The sockets of which a call reports that they have something to receive."""
    args = event.record["args"]
    if event.error:
        return []
    found: list[Any] = []
    if event.call == "select":
        found = _after(args.get("readfds"))
    elif event.call == "WSAPoll":
        entries = [entry for entry in _after(args.get("fdArray")) if isinstance(entry, dict)]
        found = [entry.get("fd") for entry in entries if "RDNORM" in str(entry.get("revents"))]
    elif event.call == "ioctlsocket" and args.get("cmd") == "FIONREAD":
        value = args.get("argp")
        found = [args.get("s")] if isinstance(value, dict) and value.get("out") else []
    elif event.call in ("recv", "recvfrom") and "MSG_PEEK" in str(args.get("flags")):
        found = [args.get("s")]
    return [handle for handle in found if isinstance(handle, int)]


def _after(shown: object) -> list[Any]:
    """The list that a call has left in an argument."""
    after = shown.get("out") if isinstance(shown, dict) else None
    return after if isinstance(after, list) else []
