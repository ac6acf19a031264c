"""Programs that have imported Winsock's functions by name run in a network that loads their package separately."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from ctypes import POINTER, c_int, c_uint32
from pathlib import Path
from types import ModuleType

import pytest
from simulation_kit import echo_server
from winsock_kit import port_of

import winsock
from winsock import gethostname, htons
from winsock.simulation import Network, RealWorldCall, SimulationError

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
    with pytest.raises(SimulationError, match=r"invalid programs: 'demos'; give a list of packages: \['demos'\]"):
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


def test_the_error_of_a_real_call_in_a_script_says_to_move_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names_the_real_call, "__module__", "__main__")
    text = r"move the program into a module, open the network with Network\(programs=\['MODULE'\]\) and import the"
    with Network() as net, pytest.raises(SimulationError, match=text):
        net.host("a").start(names_the_real_call)


# ---- real calls in places that the check of programs does not see


ADDRESS = winsock.sockaddr_in(winsock.AF_INET, 9, winsock.in_addr(0x0100007F))
REAL_CALLS = {
    name: functools.partial(getattr(winsock, name), *arguments)
    for name, arguments in {
        "WSAStartup": (0x0202, winsock.WSADATA()),
        "WSACleanup": (),
        "socket": (winsock.AF_INET, winsock.SOCK_STREAM, 0),
        "bind": (4, ADDRESS, 16),
        "connect": (4, ADDRESS, 16),
        "listen": (4, 5),
        "accept": (4, None, None),
        "send": (4, b"x", 1, 0),
        "recv": (4, bytearray(1), 1, 0),
        "sendto": (4, b"x", 1, 0, ADDRESS, 16),
        "recvfrom": (4, bytearray(1), 1, 0, None, None),
        "shutdown": (4, winsock.SD_BOTH),
        "closesocket": (4,),
        "ioctlsocket": (4, winsock.FIONBIO, c_uint32(1)),
        "getsockname": (4, bytearray(16), c_int(16)),
        "getpeername": (4, bytearray(16), c_int(16)),
        "setsockopt": (4, winsock.SOL_SOCKET, winsock.SO_KEEPALIVE, bytearray(4), 4),
        "getsockopt": (4, winsock.SOL_SOCKET, winsock.SO_KEEPALIVE, bytearray(4), c_int(4)),
        "WSAPoll": (winsock.WSAPOLLFD(4, winsock.POLLIN), 1, 0),
        "select": (0, winsock.fd_set(), None, None, winsock.timeval(0, 0)),
        "gethostname": (bytearray(100), 100),
        "gethostbyname": ("localhost",),
        "getaddrinfo": ("localhost", None, None, POINTER(winsock.addrinfo)()),
        "getnameinfo": (ADDRESS, 16, bytearray(100), 100, None, 0, 0),
    }.items()
}


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("name", REAL_CALLS)
def test_a_real_call_raises_when_a_process_makes_it(name: str, started: bool) -> None:
    real = REAL_CALLS["WSAStartup"], winsock.WSACleanup
    if started:
        assert real[0]() == 0
    try:
        with Network() as net:
            process = net.host("a").start(call_it, REAL_CALLS[name])
            with pytest.raises(
                RealWorldCall, match=rf"the real winsock\.{name}\(\): a socket of the machine, .* import"
            ):
                net.run()
            with pytest.raises(RealWorldCall):
                process.result()
    finally:
        if started:
            assert real[1]() == 0


def test_every_call_that_uses_sockets_is_among_the_real_calls() -> None:
    pure = {"htons", "ntohs", "htonl", "ntohl", "inet_addr", "inet_ntoa", "inet_ntop", "inet_pton"}
    assert set(winsock.CALLS) - pure - {"WSAGetLastError", "WSASetLastError", "freeaddrinfo"} == set(REAL_CALLS)


class Holder:
    call = staticmethod(winsock.socket)

    @classmethod
    def of_class(cls) -> int:
        return cls.call(2, 1, 0)

    @property
    def handle(self) -> int:
        return gethostname(bytearray(100), 100)


class Inherits(Holder):
    pass


def takes_a_default(call: Callable[..., int] = winsock.socket) -> int:
    return call(2, 1, 0)


@functools.lru_cache
def is_cached() -> int:
    return gethostname(bytearray(100), 100)


FUNCTIONS = [winsock.socket]


@pytest.mark.parametrize(
    "program",
    [
        lambda: Holder.call(2, 1, 0),
        lambda: Holder.of_class(),
        lambda: Holder().handle,
        lambda: Inherits.of_class(),
        lambda: FUNCTIONS[0](2, 1, 0),
        lambda: is_cached(),
        takes_a_default,
        functools.partial(functools.partial(winsock.socket, 2, 1), 0),
        functools.partial(around, around(is_cached)),
    ],
    ids=["static method", "class method", "property", "inherited", "list", "cached", "default", "partial", "argument"],
)
def test_a_real_call_is_found_wherever_a_program_holds_it(program: Callable[[], object]) -> None:
    with Network() as net:
        net.host("a").start(call_it, program)
        with pytest.raises(RealWorldCall, match=r"has called the real winsock\.\w+\(\)"):
            net.run()


def call_it(program: Callable[[], object]) -> None:
    result = program()
    if callable(result):
        result()


def test_the_test_itself_and_later_programs_may_use_the_real_calls() -> None:
    socket, startup, cleanup, closesocket = winsock.socket, winsock.WSAStartup, winsock.WSACleanup, winsock.closesocket
    with Network() as net:
        net.host("a").start(echo_server)
        net.run(1)
        assert startup(0x0202, winsock.WSADATA()) == 0
        handle = socket(2, 1, 0)
        assert handle != winsock.INVALID_SOCKET
    assert closesocket(handle) == 0
    assert cleanup() == 0
    assert winsock.WSAStartup is startup
