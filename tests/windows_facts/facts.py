"""The form of a fact, and the table of all facts.

A module in the folder topics has one `Topic` and adds its facts to it, in one of two ways:

    topic = Topic("names")

    @topic.fact("getaddrinfo", "a numeric service above 65535", windows=["port 4464"], source=RUST, certainty=TESTED)
    def service_above_65535() -> Json:
        return ...

    for name, address in ADDRESSES.items():
        topic.add(f"bind_to_{name}", "bind", f"UDP, to {name}", ["WSAEADDRNOTAVAIL"], SOURCE, TESTED, partial(...))

The function makes the calls on a started Winsock and returns what it observed: a number, a text, or a list of these.
`answer` writes the result of one call as the recordings do. `windows` lists the accepted results.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, NamedTuple

from tests.conformance.recorder import Json, Recorder

from . import topics


class Certainty(Enum):
    """How certain the result of Windows is."""

    TESTED = "asserted by a test suite that runs on Windows"
    DOCUMENTED = "stated by Microsoft's documentation"
    SOURCE = "stated by the source code or a comment of a project that runs on Windows"
    REPORTED = "reported by users of Windows"


TESTED, DOCUMENTED, SOURCE, REPORTED = Certainty


class Fact(NamedTuple):
    name: str
    topic: str
    call: str
    situation: str
    windows: Sequence[Json]  # the accepted results
    source: str  # the address of a page or of a repository's file, after it ": " and a remark if one is needed
    certainty: Certainty
    observe: Callable[[], Json]
    # What Wine does instead, where it stands on Linux's network stack; the fact is not checked there.
    wine: str = ""
    # Why compat does not behave like Windows; the fact is listed in notes/differences.md. It must still be false.
    compat: str = ""
    # What the situation needs besides loopback: "namespaces" (root on Linux, and the command ip), or "".
    needs: str = ""


class Topic:
    """The facts of one kind of behaviour."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.facts: dict[str, Fact] = {}

    def add(
        self,
        name: str,
        call: str,
        situation: str,
        windows: Sequence[Json],
        source: str,
        certainty: Certainty,
        observe: Callable[[], Json],
        **remarks: str,
    ) -> None:
        assert name not in self.facts, f"two facts are called {name}"
        self.facts[name] = Fact(name, self.name, call, situation, windows, source, certainty, observe, **remarks)

    def fact(
        self,
        call: str,
        situation: str,
        *,
        windows: Sequence[Json],
        source: str,
        certainty: Certainty,
        **remarks: str,
    ) -> Callable[[Callable[[], Json]], Callable[[], Json]]:
        """A decorator that adds a fact with the name of the function."""

        def add(observe: Callable[[], Json]) -> Callable[[], Json]:
            name = getattr(observe, "__name__", "")
            self.add(name, call, situation, windows, source, certainty, observe, **remarks)
            return observe

        return add


def answer(call: str, result: Any, *out: Any) -> Json:
    """The result of a call as the recordings have it: the name of its error, or its result and what it wrote."""
    see = Recorder()
    see(call, result, *out)
    _, first, *others = see.seen[0]
    return [first, *others] if others else first


def collect() -> dict[str, Fact]:
    """All facts by name."""
    known: dict[str, Fact] = {}
    for module in pkgutil.iter_modules(topics.__path__, f"{topics.__name__}."):
        topic: Topic = importlib.import_module(module.name).topic
        assert not known.keys() & topic.facts.keys(), f"facts of two topics have one name: {topic.name}"
        known.update(topic.facts)
    return known
