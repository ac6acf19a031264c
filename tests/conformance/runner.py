"""Runs scenarios, each with its own WSAStartup and a time limit, and compares their observations."""

from __future__ import annotations

import importlib
import pkgutil
import threading
from collections.abc import Callable, Iterator
from types import CodeType, ModuleType
from typing import NamedTuple

from winsock import CALLS, MAKEWORD, WSADATA, WSACleanup, WSAStartup

from . import scenarios
from .recorder import Json, Observation, Recorder

# Far more than any scenario needs. A scenario that exceeds the limit is recorded as "hangs".
WATCHDOG_SECONDS = 10


class Scenario(NamedTuple):
    name: str
    concern: str
    procedure: Callable[[Recorder], None]
    # The calls that its own code makes, without those of the kit.
    calls: frozenset[str]


def modules() -> list[ModuleType]:
    """The modules of scenarios, one per concern."""
    found = pkgutil.iter_modules(scenarios.__path__, f"{scenarios.__name__}.")
    return [importlib.import_module(module.name) for module in found]


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def collect() -> dict[str, Scenario]:
    """Every scenario by name: the functions of the modules whose names do not start with an underscore."""
    known: dict[str, Scenario] = {}
    for module in modules():
        concern = module.__name__.rpartition(".")[2]
        for name, procedure in vars(module).items():
            if name.startswith("_") or getattr(procedure, "__module__", "") != module.__name__:
                continue
            assert name not in known, f"two scenarios are called {name}"
            calls = frozenset(CALLS) & frozenset(_names(procedure.__code__))
            known[name] = Scenario(name, concern, procedure, calls)
    return known


def run(scenario: Scenario) -> list[Observation]:
    """The observations of a scenario. If it fails or hangs, the last observation says so."""
    see = Recorder()
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    # In a new thread the last error is 0, and a call that hangs does not block the test run.
    thread = threading.Thread(target=_run_in_thread, args=(scenario, see), daemon=True)
    thread.start()
    thread.join(WATCHDOG_SECONDS)
    seen = list(see.seen)
    if thread.is_alive():
        seen.append(["hangs"])
    while WSACleanup() == 0:
        pass
    return seen


def _run_in_thread(scenario: Scenario, see: Recorder) -> None:
    try:
        scenario.procedure(see)
    except (AssertionError, TypeError, OverflowError, ValueError, OSError) as error:
        see.seen.append(["stopped", f"{type(error).__name__}: {error}"])


def differences(seen: list[Observation], expected: list[tuple[str, list[Json]]]) -> list[str]:
    """The differences between observations and expected answers, in words."""
    found = []
    answers = {str(label): list(answer) for label, *answer in seen}
    for label, accepted in expected:
        if label not in answers:
            found.append(f"{label}: expected {_either(accepted)}, but not observed")
        elif answers[label] not in accepted:
            found.append(f"{label}: expected {_either(accepted)}, got {_shown(answers[label])}")
    known = {label for label, _ in expected}
    found += [f"{label}: not expected, got {_shown(answers[label])}" for label in answers if label not in known]
    return found


def _shown(answer: Json) -> str:
    return ", ".join(map(str, answer)) if isinstance(answer, list) else str(answer)


def _either(accepted: list[Json]) -> str:
    return " or ".join(map(_shown, accepted))
