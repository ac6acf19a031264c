"""A terminal in a simulated process: its clock, its counted calls, its account and its files over a restart."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest

from demos.simulation.calls import END_INSIDE_MESSAGE, PARTIAL_SEND, PartialSends, counted
from demos.simulation.clock import SimulatedClock
from demos.simulation.runs import Run, simulate
from demos.simulation.scenarios.template import is_whole
from winsock import SOCKET_ERROR, WSAEWOULDBLOCK
from winsock.simulation import Network

NEVER = PartialSends(Random(1), 0.0, lambda: True)


def fake_winsock(**calls: Any) -> Any:
    module = ModuleType("fake")
    missing = dict.fromkeys(("send", "sendto", "recv", "recvfrom", "WSAGetLastError"))
    module.__dict__.update({**missing, **calls})
    return module


def test_a_send_that_takes_a_part_of_its_bytes_is_counted() -> None:
    counts: Counter[str] = Counter()
    winsock = counted(fake_winsock(send=lambda s, buf, length, flags: min(length, 3)), counts, None, NEVER)
    assert [winsock.send(1, b"abcd", length, 0) for length in (3, 4)] == [3, 3]
    assert counts == {PARTIAL_SEND: 1}


def test_partial_sends_take_a_part_only_while_they_are_allowed() -> None:
    allowed = [True, False]
    partial = PartialSends(Random(1), 1.0, lambda: allowed.pop(0))
    winsock = counted(fake_winsock(send=lambda s, buf, length, flags: length), Counter(), None, partial)
    assert 1 <= winsock.send(1, bytes(100), 100, 0) < 100
    assert winsock.send(1, bytes(100), 100, 0) == 100


@pytest.mark.parametrize("end", [0, SOCKET_ERROR])
def test_a_connection_that_ends_inside_a_message_is_counted(end: int) -> None:
    results = [(b"<<A|1", 5), (b"", SOCKET_ERROR), (b".00>>\0<<", 8), (b"", end)]

    def recv(s: int, buf: bytearray, length: int, flags: int) -> int:
        data, result = results.pop(0)
        buf[: len(data)] = data
        return result

    errors = [WSAEWOULDBLOCK, 10054]
    counts: Counter[str] = Counter()
    fake = fake_winsock(recv=recv, WSAGetLastError=lambda: errors.pop(0))
    winsock = counted(fake, counts, lambda data: data.endswith(b"\0"), NEVER)
    for _ in range(4):
        winsock.recv(1, bytearray(20), 20, 0)
    assert counts == {END_INSIDE_MESSAGE: 1}


def test_calls_that_are_counted_are_not_counted_twice() -> None:
    counts: Counter[str] = Counter()
    once = counted(fake_winsock(send=lambda s, buf, length, flags: 0), counts, None, NEVER)
    assert counted(once, counts, None, NEVER) is once


def test_a_frame_is_whole_when_all_of_its_bytes_are_there() -> None:
    frames = b"\0\0\0\0" + b"\0\0\0\2ab"
    assert [count for count in range(len(frames) + 1) if is_whole(frames[:count])] == [0, 4, 10]


def test_the_clock_waits_in_simulated_time_and_wake_ends_the_next_wait() -> None:
    times: list[float] = []

    def program() -> None:
        clock = SimulatedClock()
        clock.wait(3600.0)
        times.append(clock.monotonic())
        clock.wake()
        clock.wait(None)
        clock.wait(1e-12)
        times.append(clock.monotonic())
        times.append(clock.utc_ms() / 1000 - clock.now().timestamp())

    with Network() as net:
        net.host("host").start(program)
        net.run()
    assert times[0] == 3600.0
    # A wait that is shorter than a nanosecond lets the time advance too: it may be repeated until its end.
    assert 3600.0 < times[1] < 3600.001
    assert times[2] == pytest.approx(0, abs=0.001)


def test_a_wait_in_a_killed_process_calls_on_kill_before_it_ends() -> None:
    killed: list[str] = []

    def program() -> None:
        clock = SimulatedClock()
        clock.on_kill = lambda: killed.append("killed")
        clock.wait(None)

    with Network() as net:
        net.host("host").start(program, name="program")
        net.run(1)
        net.kill("host/program")
        net.run(1)
    assert killed == ["killed"]


def test_a_program_that_ends_with_an_error_breaks_an_invariant(tmp_path: Path) -> None:
    outcome = simulate(Run(scenario=_scenario(tmp_path, '{"Port": -1, "plain_port": -1}'), seed=1, seconds=200))
    assert outcome.invariant == "no program ends with an error"
    assert "provider has ended with exit code 2" in (outcome.violation or ("", ""))[1]


def test_a_scenario_that_raises_is_reported_as_a_broken_invariant(tmp_path: Path) -> None:
    outcome = simulate(Run(scenario=_scenario(tmp_path, '{"Port": -1}', "1 / 0"), seed=1, seconds=200))
    assert outcome.violation == ("no program fails", "ZeroDivisionError: division by zero")


def _scenario(folder: Path, inputs: str, check: str = "iter(())") -> str:
    """A scenario with one provider, in a file."""
    path = folder / "one_provider.py"
    path.write_text(
        "from demos.simulation.scenario import Scenario, Targets\n"
        "from demos.simulation.terminals import Setup\n"
        "class One(Scenario):\n"
        "    settling, paths = 10.0, ()\n"
        "    def build(self):\n"
        "        self.world.host('provider')\n"
        f"        self.world.terminal('provider', 'provider', Setup(program='provider', inputs={inputs}))\n"
        "    def targets(self):\n"
        "        return Targets()\n"
        "    def faults(self, chance, start, end):\n"
        "        return []\n"
        "    def check(self):\n"
        f"        return {check}\n",
        encoding="utf-8",
    )
    return str(path)
