"""Runs a demo, and records when a trade and its copy pass the stations on their way through the program.

    python -m tests.benchmarks.stations FILE run provider …

A station is a function of the program; its time is that of its call or of its return, in nanoseconds of the clock that
the events files use. The times are kept in memory, and written after the way's end: a line ``time station`` for each.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from demos.__main__ import main


class Station(NamedTuple):
    """``owner`` is a module, or a class in it; ``before`` is whether the time is that of the call."""

    name: str
    owner: str
    function: str
    before: bool = False


STATIONS = {
    "provider": (
        Station("published", "demos.provider.publishing:Publisher", "observe"),
        Station("sent", "demos.wire.websocket:WebSocket", "send_frame", before=True),
    ),
    "copier": (
        Station("received", "demos.copier.transport:Transport", "Continue"),
        Station("accepted", "demos.copier.secure_connection:SecureConnection", "Continue"),
        Station("decided", "demos.copier.account_copier:AccountCopier", "Trade", before=True),
        Station("ordered", "demos.copier.trading", "Send", before=True),
    ),
}
# After this function of a program nothing is measured: what was recorded is written.
_ENDS = {
    "provider": Station("", "demos.provider.session:Session", "receive"),
    "copier": Station("", "demos.copier.account_copier:AccountCopier", "Acknowledge"),
}


def _owner(path: str) -> Any:
    module, _, name = path.partition(":")
    found = importlib.import_module(module)
    return getattr(found, name) if name else found


def _watch(station: Station, note: Callable[[], None]) -> None:
    owner = _owner(station.owner)
    function = getattr(owner, station.function)

    @wraps(function)
    def watched(*args: Any, **named: Any) -> Any:
        if station.before:
            note()
        try:
            return function(*args, **named)
        finally:
            if not station.before:
                note()

    setattr(owner, station.function, watched)


def _record(program: str, file: TextIO) -> None:
    times: list[tuple[int, str]] = []

    def write() -> None:
        passed, times[:] = times[:], []
        file.write("".join(f"{passed_at} {name}\n" for passed_at, name in passed))
        file.flush()

    for station in STATIONS[program]:
        _watch(station, lambda name=station.name: times.append((time.perf_counter_ns(), name)))  # type: ignore[misc]
    _watch(_ENDS[program], write)


if __name__ == "__main__":
    path, *arguments = sys.argv[1:]
    with Path(path).open("w", encoding="utf-8") as opened:
        _record(arguments[1], opened)
        sys.exit(main(arguments))
