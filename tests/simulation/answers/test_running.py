"""How programs of other test packages run on the simulation: what ends them, and what they may not use."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import winsock
from tests.conformance import kit as real_kit
from tests.simulation.answers import __main__ as command
from tests.simulation.answers import call_programs, outcomes, world
from tests.simulation.answers.outcomes import AGREES, DIFFERS
from winsock.simulation import running_process
from winsock.simulation.network import Network


def _module(name: str) -> Any:
    """The names of a module of scenarios as it was loaded for the simulation."""
    return next(
        scenario.procedure.__globals__
        for scenario in world.programs().scenarios.values()
        if scenario.procedure.__module__ == name
    )


def test_loading_leaves_the_modules_and_the_calls_of_everybody_else() -> None:
    loaded = world.programs()
    assert winsock.recv is winsock.calls.recv
    assert sys.modules[real_kit.__name__] is real_kit
    assert loaded.runner is not sys.modules.get("tests.conformance.runner")


def test_a_program_that_waits_for_something_that_never_comes_hangs() -> None:
    kit = _module("tests.conformance.scenarios.datagrams")

    def waits(see: Any) -> None:
        kit["recv"](kit["bound_udp"](), bytearray(1), 1, 0)

    seen, end = outcomes.observed(waits)
    assert seen == []
    assert end.startswith("hangs: on host here waits in recv: data on udp 127.0.0.1:")


def test_a_thread_of_a_program_is_one_of_its_simulated_process() -> None:
    threading = _module("tests.conformance.scenarios.threads")["threading"]
    process: list[object] = []
    found: list[tuple[bool, bool]] = []

    def starts(see: Any) -> None:
        event = threading.Event()
        thread = threading.Thread(target=lambda: (event.wait(), process.append(running_process())))
        thread.start()
        thread.join(0.5)
        found.append((thread.is_alive(), event.wait(0.5)))
        event.set()
        thread.join()
        found.append((thread.is_alive(), process == [running_process()]))

    assert outcomes.observed(starts) == ([], "")
    assert found == [(True, False), (False, True)]


def test_a_wrong_answer_is_a_difference() -> None:
    fact = next(fact for fact in world.programs().facts.values() if fact.name == "a_number_above_255")
    assert outcomes.of_fact("name", fact).kind == AGREES
    wrong = outcomes.of_fact("name", fact._replace(windows=["WSAEFAULT"]))
    assert (wrong.kind, wrong.shown) == (DIFFERS, "expected WSAEFAULT, got WSAHOST_NOT_FOUND")


def test_the_command_fails_where_a_difference_has_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    assert command.main(["closed_ports", "fionread_counts_all_datagrams"]) == 0
    monkeypatch.setattr(command, "reasons", dict)
    assert command.main(["closed_ports"]) == 0
    assert command.main(["datagrams/fionread_counts_all_datagrams"]) == 1


def test_the_command_refuses_a_name_that_nothing_has() -> None:
    with pytest.raises(SystemExit, match="unknown scenario, fact, concern or topic: 'nosuch'"):
        command.main(["oob", "nosuch"])


def test_a_random_program_with_another_trace_is_shown() -> None:
    program, trace = call_programs.recorded()[0]
    assert call_programs.compared(program, trace) == ""
    assert "simulation" in call_programs.compared(program, [["WSAEFAULT"], *trace[1:]])


def test_a_host_has_an_interface_for_each_of_its_nets() -> None:
    with Network() as network:
        host = network.host("router", "10.9.0.1/24", "fd09::1/64", "fe80::77/64", "10.8.0.1/24", "10.9.0.7/24")
    assert [(one.name, one.index) for one in host.interfaces] == [
        ("eth0", 2),
        ("eth0", 2),
        ("eth0", 2),
        ("eth1", 3),
        ("eth0", 2),
    ]
