"""What a follower must not forget: the newest state that it returned, the runs that it left, and why it stopped.

The program keeps it in a Store, for example a file that is replaced, or a row in SQLite. After save() the data survives
a kill of the process, at the latest when anything that follows from it leaves the process. Nothing in it is secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from demos.provider.fields import FieldError, integer, listing, optional, record, text

MOST_RUNS = 64
RUN_LENGTH = 32

_VERSION = 1


class Store(Protocol):
    """Keeps one dict of JSON values."""

    def load(self) -> dict[str, Any] | None:
        """What was saved last, or None if nothing was."""
        ...

    def save(self, data: dict[str, Any]) -> None:
        """Replace what is stored."""
        ...


@dataclass(frozen=True)
class Mark:
    """A state: its place in its stream, its time, and the digest of its content."""

    stream: str
    seq: int
    time: int
    digest: str

    @property
    def run(self) -> str:
        """The run of the provider that the stream belongs to."""
        return self.stream[:RUN_LENGTH]


@dataclass(frozen=True)
class Memory:
    """``newest_time`` is the newest time that the server stated; ``runs`` are the runs before the mark's."""

    mark: Mark | None = None
    newest_time: int = 0
    runs: tuple[str, ...] = ()
    stopped: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        mark = None if self.mark is None else vars(self.mark)
        return {
            "version": _VERSION,
            "mark": mark and dict(mark),
            "newest_time": self.newest_time,
            "runs": list(self.runs),
            "stopped": self.stopped,
        }


_MARK = record(Mark, {"stream": text(64), "seq": integer(1), "time": integer(), "digest": text(64)})
_MEMORY = record(
    Memory,
    {
        "mark": optional(_MARK),
        "newest_time": integer(),
        "runs": listing(text(RUN_LENGTH), MOST_RUNS),
        "stopped": optional(text(1000)),
    },
)
_VERSIONED = record(lambda version: version, {"version": integer(_VERSION, _VERSION)})


def read_memory(data: dict[str, Any] | None) -> Memory:
    """The memory in a dict that to_dict() returned; None: a new one.

    Errors: ValueError when it is anything else. Starting without memory would allow older states, so it is refused.
    """
    if data is None:
        return Memory()
    try:
        _VERSIONED(data, "")
        return _MEMORY(data, "")
    except FieldError as problem:
        raise ValueError(f"the follower's stored state is damaged: {problem}; remove it to start without it") from None
