"""The Winsock calls of simulated processes as JSON lines, which `python -m winsock.trace picture` draws.

Each process has a file. Its times are simulated, its process id is the number of the process in the network, so that
the same seed gives the same bytes in each run. TLS would differ: of a connection that carries it, only the sizes are
shown. A connection carries TLS from the first data on that begins with the record of a handshake, in both directions.
"""

from __future__ import annotations

import re
from pathlib import Path

from winsock.api import Winsock
from winsock.constants import MSG_PEEK
from winsock.trace.calls import JSON_PREVIEW, MOVING, Call, bytes_moved
from winsock.trace.memory import number as number_of
from winsock.trace.memory import peek
from winsock.trace.sinks import JsonSink, Origin, Output
from winsock.trace.tracer import traced

from .process import Process

__all__ = ["CallTraces"]

# A TLS record of the type handshake: 22, then the version 3.0 to 3.4.
_HANDSHAKE = re.compile(rb"\x16\x03[\x00-\x04]")
_HEAD = 3


class CallTraces:
    """Traces the calls of processes into a folder, until close()."""

    def __init__(self, folder: Path, utc_start: int) -> None:
        """`utc_start` is the time of day at the start, in nanoseconds since 1970.

        Errors: OSError if the folder cannot be created.
        """
        self._folder, self._utc_start = folder, utc_start
        self._count = 0
        # The processes that have not ended, with their calls before and the open files.
        self._traced: dict[Process, tuple[Winsock, _SimulatedSink]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, process: Process) -> Path:
        """From now on trace the calls of a process; returns the file.

        Errors: OSError if the file cannot be created.
        """
        pid = self._count = self._count + 1
        name = f"{process.name} on {process.host.name}"
        path = self._folder / f"{pid:03}-{re.sub(r'[^A-Za-z0-9_.-]+', '-', name)}.jsonl"
        scheduler = process.scheduler
        origin = Origin(
            clock=lambda: scheduler.now,
            # Of the network, not of the host: a picture needs one clock for all.
            wall=lambda: self._utc_start + scheduler.now,
            pid=lambda: pid,
            thread=lambda: "MainThread",
        )
        sink = _SimulatedSink(Output(str(path), append=False), "simulation", ["-m", name], origin)
        self._traced[process] = process.winsock, sink
        process.winsock = traced(process.winsock, sink, True, JSON_PREVIEW, clock=origin.clock)
        return path

    def end(self, process: Process) -> None:
        """End the trace of a process that has ended. In a long run they are more than the files that may be open."""
        if process in self._traced:
            process.winsock, sink = self._traced.pop(process)
            sink.close()

    def close(self) -> None:
        """End all traces; the files are complete."""
        for process in list(self._traced):
            self.end(process)


class _SimulatedSink(JsonSink):
    """Writes JSON lines without ciphertext."""

    def __init__(self, output: Output, backend: str, argv: list[str], origin: Origin) -> None:
        super().__init__(output, backend, argv, origin)
        # The sockets that carry TLS, and the first bytes of both directions of the others.
        self._tls: set[int] = set()
        self._heads: dict[tuple[int, str], bytes] = {}

    def begin(self, call: Call, number: int, start: int) -> None:
        """Write nothing: nobody watches a program in simulated time."""

    def end(self, call: Call, number: int, start: int, duration: int, addresses: dict[str, str]) -> None:
        if call.name in MOVING:
            self._hide(call)
        elif call.name in ("socket", "accept") and call.ok:
            self._forget(call.result)
        elif call.name == "closesocket" and call.ok:
            self._forget(number_of(call.args["s"]) or 0)
        super().end(call, number, start, duration, addresses)

    def _hide(self, call: Call) -> None:
        """Replace the shown data by its size where the socket carries TLS."""
        moved, handle = bytes_moved(call), number_of(call.args.get("s"))
        if not moved or handle is None:
            return
        data = peek(call.args.get("buf"), min(moved, _HEAD)) or b""
        direction = call.name[:4]
        head = (self._heads.get((handle, direction), b"") + data)[:_HEAD]
        if not (number_of(call.args.get("flags")) or 0) & MSG_PEEK:
            self._heads[handle, direction] = head
        if _HANDSHAKE.match(head) or _HANDSHAKE.match(data):
            self._tls.add(handle)
        if handle in self._tls:
            call.shown["buf"] = {"bytes": moved, "hex": ""}

    def _forget(self, handle: int) -> None:
        self._tls.discard(handle)
        for direction in ("send", "recv"):
            self._heads.pop((handle, direction), None)
