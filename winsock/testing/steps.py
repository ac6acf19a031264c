"""The steps of a peer's script: plain values, how each is printed, and the rules for their order.

A step says nothing about how it is executed; actions.py does that. `state_after` is the one place that knows which
step may follow which: `Peer` calls it for each step that is added, so a script that cannot be executed is never built.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

__all__ = [
    "Accept",
    "Close",
    "Connect",
    "Datagrams",
    "Expect",
    "ExpectEnd",
    "ExpectReset",
    "Garbage",
    "HalfClose",
    "ReadSlowly",
    "Receive",
    "Repeat",
    "Reset",
    "Send",
    "Stall",
    "State",
    "Step",
    "Wait",
    "expects",
    "script_text",
    "state_after",
    "state_after_all",
    "text",
]


@dataclass(frozen=True)
class Accept:
    name = "accept"


@dataclass(frozen=True)
class Connect:
    host: str
    port: int
    name = "connect"

    def __str__(self) -> str:
        return f"connect(({self.host!r}, {self.port}))"


@dataclass(frozen=True)
class Datagrams:
    host: str | None = None
    port: int = 0
    name = "datagrams"

    def __str__(self) -> str:
        return "datagrams()" if self.host is None else f"datagrams(({self.host!r}, {self.port}))"


@dataclass(frozen=True)
class Send:
    """One send call for each piece. `split` is the size of every piece, or the sizes of the first pieces."""

    messages: tuple[bytes, ...]
    split: int | tuple[int, ...] | None = None
    pause: float = 0.01
    name = "send"

    @property
    def pieces(self) -> list[bytes]:
        data = b"".join(self.messages)
        if self.split is None:
            return [data]
        sizes = [self.split] * (len(data) // self.split) if isinstance(self.split, int) else self.split
        pieces, start = [], 0
        for size in sizes:
            pieces.append(data[start : start + size])
            start += size
        return [piece for piece in [*pieces, data[start:]] if piece]

    def __str__(self) -> str:
        arguments = [repr(message) for message in self.messages]
        if self.split is not None:
            arguments += [f"split={self.split!r}", f"pause={self.pause:g}"]
        return f"send({', '.join(arguments)})"


@dataclass(frozen=True)
class Garbage:
    """Random bytes. They depend on the seed alone, so that a failure can be repeated."""

    count: int
    seed: int = 0
    name = "garbage"

    @property
    def pieces(self) -> list[bytes]:
        return [random.Random(self.seed).randbytes(self.count)]

    @property
    def pause(self) -> float:
        return 0.0


@dataclass(frozen=True)
class Wait:
    seconds: float
    name = "wait"


@dataclass(frozen=True)
class Stall:
    seconds: float
    name = "stall"


@dataclass(frozen=True)
class Expect:
    data: bytes
    name = "expect"


@dataclass(frozen=True)
class Receive:
    count: int
    name = "receive"


@dataclass(frozen=True)
class ReadSlowly:
    bytes_per_second: float
    count: int | None = None
    name = "read_slowly"


@dataclass(frozen=True)
class ExpectEnd:
    name = "expect_end"


@dataclass(frozen=True)
class ExpectReset:
    name = "expect_reset"


@dataclass(frozen=True)
class HalfClose:
    name = "half_close"


@dataclass(frozen=True)
class Close:
    name = "close"


@dataclass(frozen=True)
class Reset:
    name = "reset"


@dataclass(frozen=True)
class Repeat:
    """Steps that are executed `times` times in all."""

    times: int
    steps: tuple[Step, ...]
    name = "repeat"


Step: TypeAlias = (
    Accept | Connect | Datagrams | Send | Garbage | Wait | Stall | Expect | Receive | ReadSlowly | ExpectEnd
    | ExpectReset | HalfClose | Close | Reset | Repeat
)  # fmt: skip


def text(step: Step) -> str:
    """A step as it is written in a script: `.wait(0.2)`."""
    if isinstance(step, Repeat):
        return f"{''.join(map(text, step.steps))}.repeat({step.times}, last={len(step.steps)})"
    if isinstance(step, (Connect, Datagrams, Send)):
        return f".{step}"
    given = [
        f"{field.name}={value!r}" for field in fields(step) if (value := getattr(step, field.name)) != field.default
    ]
    # The first parameter of each step is obvious.
    return f".{step.name}({', '.join([each.partition('=')[2] for each in given[:1]] + given[1:])})"


@dataclass(frozen=True)
class State:
    """What the peer has at a point of its script: its role, an open socket, and what can be done with it."""

    role: str = ""
    is_open: bool = False
    can_send: bool = False
    can_receive: bool = False
    has_destination: bool = False


def state_after_all(state: State, steps: Iterable[Step]) -> State:
    for step in steps:
        state = state_after(state, step)
    return state


def state_after(state: State, step: Step) -> State:
    """The state after a step.

    Errors: ValueError if the step is not possible in this state.
    """
    if isinstance(step, (Accept, Connect, Datagrams)):
        return _state_after_opening(state, step)
    if isinstance(step, Repeat):
        once = state_after_all(state, step.steps)
        return state_after_all(once, step.steps) if step.times > 1 else once
    if isinstance(step, Wait):  # also without a socket
        return state
    if not state.is_open:
        raise ValueError(f"{step.name}() needs a socket: call accept(), connect() or datagrams() before")
    if isinstance(step, (Send, Garbage)):
        return _state_after_sending(state, step)
    if isinstance(step, (Close, Stall)):
        return State(state.role) if isinstance(step, Close) else state
    if isinstance(step, (Expect, Receive)):
        return replace(_receiving(state, step), has_destination=True)
    if state.role == "datagrams":
        raise ValueError(f"{step.name}() needs a connection; a script of datagrams has none")
    return _state_after_on_connection(state, step)


def _state_after_opening(state: State, step: Accept | Connect | Datagrams) -> State:
    if state.is_open:
        raise ValueError(f"{step.name}() in a script whose socket is open: call close() or reset() before")
    if state.role and (state.role != step.name or isinstance(step, Datagrams)):
        raise ValueError(
            f"{step.name}() after {state.role}(): a script accepts, connects, or has one socket for datagrams"
        )
    return State(
        role=step.name,
        is_open=True,
        can_send=True,
        can_receive=True,
        has_destination=not isinstance(step, Datagrams) or step.host is not None,
    )


def _state_after_sending(state: State, step: Send | Garbage) -> State:
    if not state.can_send:
        raise ValueError(f"{step.name}() after the peer's stream has ended")
    if not state.has_destination:
        raise ValueError(
            f"{step.name}() has no destination: give datagrams() an address, or expect() a datagram before"
        )
    return state


def _receiving(state: State, step: Step) -> State:
    if not state.can_receive:
        raise ValueError(f"{step.name}() after the other side's stream has ended")
    return state


def _state_after_on_connection(state: State, step: Step) -> State:
    if isinstance(step, Reset):
        return State(state.role)
    if isinstance(step, HalfClose):
        if not state.can_send:
            raise ValueError("half_close() after the peer's stream has ended")
        return replace(state, can_send=False)
    _receiving(state, step)
    if isinstance(step, ReadSlowly):
        return replace(state, can_receive=step.count is not None)
    return replace(state, can_receive=False, can_send=state.can_send and isinstance(step, ExpectEnd))


def expects(step: Step) -> bool:
    """Whether the step expects or receives something from the other side, itself or in a repetition."""
    if isinstance(step, Repeat):
        return any(map(expects, step.steps))
    return isinstance(step, (Expect, Receive, ReadSlowly, ExpectEnd, ExpectReset))


def script_text(steps: Sequence[Step]) -> str:
    return "".join(map(text, steps))
