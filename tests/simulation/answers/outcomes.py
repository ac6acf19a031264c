"""Runs scenarios and facts on the simulation, and says how each one ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.conformance import recordings
from winsock import MAKEWORD
from winsock.simulation import dispatch

from . import world

AGREES, DIFFERS = "agrees", "differs"


class Outcome(NamedTuple):
    """How a scenario or fact ended."""

    name: str  # with its concern or topic
    kind: str  # AGREES or DIFFERS
    shown: str = ""  # the difference


def of_scenarios(wanted: Callable[[str], bool] = lambda name: True) -> Iterator[Outcome]:
    """The outcome of each scenario whose name is wanted. The answers must be those of Windows."""
    programs, entries = world.programs(), recordings.load()
    for scenario in programs.scenarios.values():
        name = f"{scenario.concern}/{scenario.name}"
        if wanted(name):
            seen, end = observed(scenario.procedure)
            expected = recordings.expected(entries[scenario.name], "windows")
            yield _outcome(name, end, programs.runner.differences(seen, expected))


def of_facts(wanted: Callable[[str], bool] = lambda name: True) -> Iterator[Outcome]:
    """The outcome of each fact whose name is wanted."""
    for fact in world.programs().facts.values():
        name = f"{fact.topic}/{fact.name}"
        if wanted(name):
            yield of_fact(name, fact)


def of_fact(name: str, fact: Any) -> Outcome:
    """The outcome of one fact."""

    def procedure(see: Any) -> None:
        see.seen.append([fact.call, fact.observe()])

    seen, end = observed(procedure)
    last = seen[-1] if seen else ["nothing"]
    result = last[1] if last[0] == fact.call else last
    agrees = any(result == accepted and type(result) is type(accepted) for accepted in fact.windows)
    differences = [] if agrees else [f"expected {' or '.join(map(str, fact.windows))}, got {result}"]
    return _outcome(name, end, differences)


def _outcome(name: str, end: str, differences: list[str]) -> Outcome:
    if end or differences:
        return Outcome(name, DIFFERS, "; ".join([end] * bool(end) + differences))
    return Outcome(name, AGREES)


def observed(procedure: Callable[[Any], None]) -> tuple[list[Any], str]:
    """What a procedure of a scenario has observed in a simulated process, and how the process ended."""
    runner = world.programs().runner
    see = runner.Recorder()
    scenario = runner.Scenario("", "", procedure, frozenset())

    def program() -> None:
        calls = dispatch.calls
        assert calls.WSAStartup(MAKEWORD(2, 2), runner.WSADATA()) == 0
        runner._run_in_thread(scenario, see)
        while calls.WSACleanup() == 0:
            pass

    end = world.run(program)
    return list(see.seen), end
