"""What one program may hold: sockets, and values in its own containers.

A program that never forgets what it has received, or a connection that has ended, needs more memory with each hour. In
bytes that could hardly be seen, but values can be counted, and their number is the same in each run of a seed. Counted
are the elements of all containers to which the globals of the program's module lead, through objects of the classes in
demos/. What the terminal has for the program, such as its market, does not count.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from types import MethodType, ModuleType
from typing import Any, NamedTuple

# The classes whose objects belong to programs, by the beginnings of their modules' names.
_OWN, _FOREIGN = "demos.", ("demos.terminal.", "demos.simulation.")

# This many bytes or characters count as one value.
_BYTES = 1024


class ProgramLimits(NamedTuple):
    """The most sockets of a program, and the most values in its containers."""

    sockets: int
    values: int


# A client has a connection, perhaps another one that it closes, and the two sockets of a wake-up.
# A copier remembers up to 64 runs of its provider and 16 streams.
CLIENT = ProgramLimits(sockets=5, values=400)


def held_values(module: ModuleType) -> int:
    """The number of values that a loaded program holds; see the head of this module."""
    # By id. It keeps the objects alive, so that no other one gets the id.
    seen: dict[int, object] = {}
    left: list[object] = [value for name, value in vars(module).items() if not name.startswith("__")]
    count = 0
    while left:
        each = left.pop()
        if id(each) in seen:
            continue
        seen[id(each)] = each
        number, inside = _parts(each)
        count += number
        left += inside
    return count


def _parts(each: Any) -> tuple[int, Iterator[object]]:
    """How many values an object is by itself, and the objects in it."""
    if isinstance(each, (str, bytes, bytearray)):
        return len(each) // _BYTES, iter(())
    if isinstance(each, Mapping):
        return len(each), (part for item in each.items() for part in item)
    if isinstance(each, (list, tuple, set, frozenset, deque)):
        return len(each), iter(each)
    if isinstance(each, MethodType):
        return 0, iter((each.__self__,))
    module = type(each).__module__
    if isinstance(each, type) or not module.startswith(_OWN) or module.startswith(_FOREIGN):
        return 0, iter(())
    return 0, _attributes(each)


def _attributes(each: object) -> Iterator[object]:
    yield from getattr(each, "__dict__", {}).values()
    for base in type(each).__mro__:
        for name in base.__dict__.get("__slots__", ()):
            yield getattr(each, name, None)
