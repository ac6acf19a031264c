"""Invalid numbers, texts and addresses that a test passes to a network are refused, with the value in the error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from winsock.simulation.errors import SimulationError
from winsock.simulation.network import Network

NAN, INFINITY = float("nan"), float("inf")
# An int that no float can have.
HUGE = 10**400


async def coroutine() -> None:
    """A program of asyncio."""


def generator() -> Iterator[int]:
    """A program that runs only if somebody takes its values."""
    yield 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"seed": None}, "invalid seed: None"),
        ({"seed": 1.5}, "invalid seed: 1.5"),
        ({"start": 5}, "invalid start: 5"),
        ({"start": datetime(2026, 1, 5)}, "invalid start: .*; give a datetime with a time zone"),
        ({"programs": "demos"}, r"invalid programs: 'demos'; give a list of packages: \['demos'\]"),
        ({"programs": None}, "invalid programs: None; give a list of the names of packages"),
        ({"programs": [5]}, "invalid programs: 5; give the name of a package"),
        ({"programs": ["winsock"]}, "invalid programs: 'winsock'; give the name of a package of programs"),
        ({"tcp_user_timeout": "x"}, "invalid tcp_user_timeout: 'x'"),
        ({"tcp_user_timeout": NAN}, "invalid tcp_user_timeout: nan"),
        ({"latency": None}, "invalid latency: None"),
        ({"latency": "x"}, "invalid latency: 'x'"),
        ({"loss": None}, "invalid loss: None"),
        ({"loss": NAN}, "invalid loss: nan"),
        ({"bandwidth": "x"}, "invalid bandwidth: 'x'"),
        ({"queue": INFINITY}, "invalid queue: inf"),
        ({"queue": None}, "invalid queue: None"),
        ({"latency": 1e300}, r"invalid latency: 1e\+300"),
        ({"bandwidth": 1e-300}, "invalid bandwidth: 1e-300"),
        ({"nat_timeout": 1e300}, r"invalid nat_timeout: 1e\+300"),
        ({"blocked": "no"}, "invalid blocked: 'no'"),
        ({"latency": HUGE}, f"invalid latency: {HUGE}"),
        ({"queue": HUGE}, f"invalid queue: {HUGE}"),
        ({"tcp_user_timeout": HUGE}, f"invalid tcp_user_timeout: {HUGE}"),
    ],
)
def test_a_network_refuses_an_invalid_setting(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(SimulationError, match=text):
        Network(**arguments)


CALLS: list[tuple[Callable[[Any], Any], str]] = [
    *((lambda net, value=value: net.run(value), f"invalid time: {value!r}") for value in (NAN, INFINITY, "x", -1)),
    *((lambda net, value=value: net.at(value), f"invalid time: {value!r}") for value in (NAN, INFINITY, "x", None)),
    (lambda net: net.run(1e300), r"invalid time: 1e\+300"),
    (lambda net: net.run(HUGE), f"invalid time: {HUGE}"),
    (lambda net: net.call_at(NAN, print), "invalid time: nan"),
    (lambda net: net.call_at(1, 5), "invalid action: 5"),
    (lambda net: net.rule("a", latency="x"), "invalid latency: 'x'"),
    (lambda net: net.link("a", "b", jitter="x"), "invalid jitter: 'x'"),
    (lambda net: setattr(net, "default_link", 5), "invalid default_link: 5; give LinkSettings"),
    (lambda net: net.link("a", 5), "unknown host: 5"),
    (lambda net: net.netstat(None), "unknown host: None"),
    (lambda net: net.rule("a", None, loss=1), "invalid target of rule: None"),
    (lambda net: net.crash(5), "invalid target of crash: 5"),
    (lambda net: net.freeze("a", duration="x"), "invalid duration: 'x'"),
    (lambda net: net.freeze("a", duration=NAN), "invalid duration: nan"),
    (lambda net: net.clock_jump("a", "x"), "invalid jump: 'x'"),
    (lambda net: net.nat_timeout("a", "b", INFINITY), "invalid limit: inf"),
    (lambda net: net.random_faults(-3, 0, 10), "invalid budget: -3"),
    (lambda net: net.random_faults(3, 0, NAN), "invalid end: nan"),
    (lambda net: net.random_faults(3, 0, 10, longest="x"), "invalid longest: 'x'"),
    (lambda net: net.trace_calls("folder"), "invalid folder: 'folder'"),
    (lambda net: net.trace_calls(None), "invalid folder: None"),
    (lambda net: net.hosts["a"].start("program"), "invalid program: 'program'"),
    (lambda net: net.hosts["a"].start(coroutine), "a call of it runs nothing; give a plain function"),
    (lambda net: net.hosts["a"].start(generator), "a call of it runs nothing; give a plain function"),
    *(
        (lambda net, name=name: net.hosts["a"].start(print, name=name), f"invalid name of a process: {name!r}")
        for name in ("my program", "a/b", "a#b", "a=b", 5)
    ),
    (lambda net: net.hosts["a"].start(print, name="*"), r"invalid name of a process: '\*'"),
    (lambda net: net.hosts["a"].attached("a b").__enter__(), "invalid name of a process: 'a b'"),
    (lambda net: net.observe(None), "invalid observer: None; give a function"),
    (lambda net: net.host(5), "invalid name or address of a host: 5"),
    (lambda net: net.host("c", disk="folder"), "invalid disk: 'folder'"),
    (lambda net: net.host("c", 5), "invalid name or address of a host: 5"),
]


@pytest.mark.parametrize(("call", "text"), CALLS)
def test_a_call_refuses_an_invalid_value(call: Callable[[Network], Any], text: str) -> None:
    with Network() as net:
        net.host("a")
        net.host("b")
        with pytest.raises(SimulationError, match=text):
            call(net)


def test_a_process_cannot_sleep_for_an_invalid_time() -> None:
    with Network() as net, net.host("a").attached() as process:
        for value in (NAN, INFINITY, "x"):
            with pytest.raises(SimulationError, match=f"invalid time of a sleep: {value!r}"):
                process.sleep(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("127.0.0.1", "a loopback address"),
        ("::1", "a loopback address"),
        ("0.0.0.0", "the address of no host"),
        ("::", "the address of no host"),
        ("224.0.0.1", "a multicast address"),
        ("ff02::1", "a multicast address"),
        ("255.255.255.255", "a broadcast address"),
        ("10.0.255.255", "a broadcast address"),
        ("192.168.1.255/24", "a broadcast address"),
        ("192.168.1.0/24", "the address of the net 192.168.1.0/24"),
        ("::ffff:10.0.0.1", "an IPv4 address in IPv6"),
    ],
)
def test_a_host_cannot_have_an_address_that_no_host_has(address: str, problem: str) -> None:
    with Network() as net:
        with pytest.raises(SimulationError, match=f"invalid address: '{address}' is {problem}; give"):
            net.host("a", address)
        net.host("a", "192.168.1.255/16", "192.168.7.0/31", "192.168.9.1/32")
