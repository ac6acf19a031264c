"""Programs that have imported Winsock's functions by name run in a network that loads their package separately."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from simulation_kit import echo_server
from winsock_kit import port_of

import winsock
from winsock import gethostname, htons
from winsock.simulation import Network, SimulationError

PROGRAM = """
from winsock import *

def own_name():
    WSAStartup(MAKEWORD(2, 2), WSADATA())
    name = bytearray(100)
    assert gethostname(name, 100) == 0
    return bytes(name).rstrip(b"\\0").decode()
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package with a program."""
    name = "separately_loaded"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / name / "program.py").write_text(PROGRAM)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield name
    for module in (name, f"{name}.program"):
        sys.modules.pop(module, None)


def program_of(package: str) -> ModuleType:
    return importlib.import_module(f"{package}.program")


def test_a_package_that_is_loaded_separately_runs_in_the_simulation(package: str) -> None:
    real = program_of(package)
    with Network(programs=[package]) as net:
        simulated = program_of(package)
        assert simulated is not real
        process = net.host("simulated").start(simulated.own_name)
        net.run()
        assert process.result() == "simulated"
    assert program_of(package) is real
    assert real.gethostname is winsock.gethostname


def test_the_next_network_gets_the_same_modules(package: str) -> None:
    with Network(programs=[package]):
        first = program_of(package)
    with Network(programs=[package]) as net:
        assert program_of(package) is first
        process = net.host("second").start(first.own_name)
        net.run()
        assert process.result() == "second"
    assert package not in sys.modules


def test_one_text_instead_of_a_list_of_packages_is_refused() -> None:
    with pytest.raises(SimulationError, match=r"programs takes a list of packages: give \['demos'\]"):
        Network(programs="demos")


def test_a_part_of_a_package_is_refused() -> None:
    with pytest.raises(SimulationError, match=r"'demos\.signal' is part of a package: give 'demos'"):
        Network(programs=["demos.signal"])


def names_the_real_call() -> None:
    gethostname(bytearray(100), 100)


def calls_another_function() -> None:
    names_the_real_call()


def calls_another_module() -> None:
    port_of(1)


class Program:
    def run(self) -> None:
        names_the_real_call()

    def __call__(self) -> None:
        self.run()


def around(function: Callable[[], None]) -> Callable[[], None]:
    def inner() -> None:
        function()

    return inner


def makes_an_object() -> None:
    Program().run()


@pytest.mark.parametrize(
    "program",
    [
        names_the_real_call,
        calls_another_function,
        calls_another_module,
        Program().run,
        Program(),
        makes_an_object,
        around(names_the_real_call),
        functools.partial(names_the_real_call),
    ],
)
def test_a_program_that_has_imported_a_real_call_is_refused(program: Callable[[], None]) -> None:
    with Network() as net:
        host = net.host("a")
        for _ in range(2):
            with pytest.raises(SimulationError, match=r"has imported the real \w+ before the network was opened"):
                host.start(program)


def uses_pure_functions() -> int:
    return htons(1)


def test_a_program_may_name_functions_that_use_no_network_and_winsock_itself() -> None:
    with Network() as net:
        process = net.host("a").start(uses_pure_functions)
        net.host("b").start(echo_server)
        net.run(1)
        assert process.result() == 256


def test_the_error_of_a_real_call_says_what_to_do() -> None:
    with Network() as net, pytest.raises(SimulationError) as caught:
        net.host("a").start(calls_another_function)
    module = names_the_real_call.__module__
    assert str(caught.value) == (
        f"names_the_real_call of module {module} has imported the real gethostname before the network was opened. "
        "Write `import winsock` and `winsock.gethostname(…)`, or open the network with Network(programs=["
        f"{module.partition('.')[0]!r}]) and import the module within its block"
    )
