"""The programs of the other test packages, loaded for simulated processes, and the network that runs them.

The packages are imported a second time while `winsock` has the calls of the simulation, so that their `from winsock
import …` gets those. Other tests keep the modules that they have.

Each program runs as a process of its own network. Its host has two interfaces; another host is in the network of the
first one, as the machines of tests/windows_facts/networks.py are.
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple

import winsock
from winsock.simulation import dispatch

from . import threads
from .machines import INDEX_A, INDEX_B, Machine, Machines, connect

_PACKAGE = "tests"
# In simulated seconds: as long as the scenarios have on other backends.
LIMIT = 10


class Programs(NamedTuple):
    """The modules that were loaded for simulated processes."""

    scenarios: dict[str, Any]
    facts: dict[str, Any]
    runner: ModuleType
    interpreter: ModuleType


@functools.cache
def programs() -> Programs:
    """Loads the programs on the calls of the simulation."""
    with _simulated_imports() as loaded:
        simulated = ModuleType("winsock")
        simulated.__dict__.update(vars(winsock))
        runner = importlib.import_module("tests.conformance.runner")
        facts = importlib.import_module("tests.windows_facts.facts")
        networks = importlib.import_module("tests.windows_facts.networks")
        interpreter = importlib.import_module("tests.properties.interpreter")
        found = Programs(runner.collect(), facts.collect(), runner, interpreter)
    for module in loaded:
        if getattr(module, "winsock", None) is winsock:
            module.__dict__["winsock"] = simulated  # the package has the real calls again
        if getattr(module, "threading", None) is threading:
            module.__dict__["threading"] = threads
        if hasattr(module, "INDEX_A"):
            module.__dict__.update(INDEX_A=INDEX_A, INDEX_B=INDEX_B)
        if hasattr(module, "_add_link_local"):
            module.__dict__["_add_link_local"] = _do_nothing  # the host has this address already
    networks.__dict__.update(Machine=Machine, _connect=connect)
    # A call on a simulated host affects its other sockets at once, on every system.
    interpreter.__dict__.update(SETTLE_MICROSECONDS=0, BACKEND="compat")
    return found


def _do_nothing() -> None:
    pass


@contextmanager
def _simulated_imports() -> Iterator[list[ModuleType]]:
    """Imports the package anew on the simulation's calls; afterwards sys.modules has the earlier modules again."""
    real, loaded = winsock.calls, list[ModuleType]()
    before = _taken_out()
    winsock.replace_calls(dispatch.calls)
    try:
        yield loaded
    finally:
        winsock.replace_calls(real)
        loaded += _taken_out().values()
        sys.modules.update(before)


def _taken_out() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name == _PACKAGE or name.startswith(f"{_PACKAGE}.")]
    return {name: sys.modules.pop(name) for name in names}


def run(program: Callable[[], None]) -> str:
    """Runs a program as a process of a network of its own; returns how it ended, or "" if it returned."""
    with Machines() as machines:
        return machines.run(program, LIMIT)
