"""Where the traces of a program differ between compat and Wine, and which differences are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .interpreter import Trace

Program = dict[str, Any]


class Difference(NamedTuple):
    place: int
    step: list[Any]
    compat: list[Any]
    wine: list[Any]
    before: list[list[Any]]

    def kind(self) -> str:
        """What makes two differences the same."""
        call = self.step[0]
        detail = f" {self.step[2]} {self.step[3]}" if call.endswith("sockopt") else ""
        return f"{call}{detail}: {self.compat} / {self.wine}"


def difference(program: Program, compat: Trace, wine: Trace) -> Difference | None:
    """The first step with different answers. What comes after it may only follow from it."""
    steps = program["steps"]
    for place, (ours, theirs) in enumerate(zip(compat, wine, strict=False)):
        if ours != theirs:
            return Difference(place, steps[place], ours, theirs, steps[:place])
    if len(compat) != len(wine):
        place = min(len(compat), len(wine))
        return Difference(place, steps[place], compat[place:][:1], wine[place:][:1], steps[:place])
    return None


class Known(NamedTuple):
    reason: str
    fits: Callable[[Difference], bool]


KNOWN: list[Known] = []


def known(found: Difference) -> str | None:
    """Why a difference is accepted."""
    return next((entry.reason for entry in KNOWN if entry.fits(found)), None)


def shown(program: Program, compat: Trace, wine: Trace | None = None) -> str:
    """A program with its trace, or both traces, for people."""
    wine = compat if wine is None else wine
    lines = [f"start: {program['start']}, {'nonblocking' if program['nonblocking'] else 'blocking'}"]
    for place, step in enumerate(program["steps"]):
        call, *arguments = step
        ours = compat[place] if place < len(compat) else "nothing"
        theirs = wine[place] if place < len(wine) else "nothing"
        answer = str(ours) if ours == theirs else f"compat {ours}, wine {theirs}"
        lines.append(f"  {call}({', '.join(map(str, arguments))}) -> {answer}")
    return "\n".join(lines)
