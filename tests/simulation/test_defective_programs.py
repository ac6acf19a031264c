"""Programs that never wait, that do not end, or that fail together: the run ends, and each error is seen."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass

import pytest
from simulation_kit import new, sleep, start

import winsock
from winsock.simulation import process as process_module
from winsock.simulation.dispatch import running_process
from winsock.simulation.errors import BusyLoop, SimulationError
from winsock.simulation.network import Network


def poll_and_catch() -> None:
    start()
    array = (winsock.WSAPOLLFD * 1)(winsock.WSAPOLLFD(new(winsock.SOCK_DGRAM), winsock.POLLRDNORM, 0))
    while True:
        with suppress(Exception):
            winsock.WSAPoll(array, 1, 0)


def read_the_time() -> None:
    while running_process().monotonic() < 5:
        pass


def read_the_clock() -> None:
    while running_process().utc_ns() < 0:
        pass
    while running_process().utc_ns() > 0:
        pass


def sleep_for_no_time() -> None:
    while True:
        sleep(0)


def wait_for_no_time() -> None:
    while True:
        running_process().wait(0, "nothing")


@pytest.mark.parametrize(
    "program", [poll_and_catch, read_the_time, read_the_clock, sleep_for_no_time, wait_for_no_time]
)
def test_a_program_that_never_waits_fails_the_run(program: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "MOST_CALLS", 2000)
    with Network() as net:
        process = net.host("a").start(program)
        with pytest.raises(BusyLoop, match=f"process {program.__name__} on host a has made 2000 calls without a wait"):
            net.run(10)
        net.run(10)
        assert process.ended


def test_a_sleep_of_less_than_a_nanosecond_lets_the_time_advance() -> None:
    with Network() as net:
        process = net.host("a").start(lambda: (sleep(1e-10), running_process().monotonic())[1])
        net.run()
        assert process.result() == 1e-9


@pytest.mark.parametrize("status", [None, 0])
def test_sys_exit_ends_a_program_and_not_the_test(status: int | None) -> None:
    with Network() as net:
        process = net.host("a").start(sys.exit, status, name="p")
        net.run()
        assert process.result() is None


@pytest.mark.parametrize("may_fail", [False, True])
def test_sys_exit_with_another_status_is_an_error_of_the_program(may_fail: bool) -> None:
    text = r"^process p on host a has ended with sys\.exit\(3\)"
    with Network() as net:
        process = net.host("a").start(sys.exit, 3, name="p", may_fail=may_fail)
        with nullcontext() if may_fail else pytest.raises(SimulationError, match=text):
            net.run()
        with pytest.raises(SimulationError, match=text):
            process.result()


def test_sys_exit_in_a_thread_of_a_program_ends_the_thread() -> None:
    def program() -> float:
        running_process().start_thread("t", sys.exit)()
        sleep(1)
        return running_process().monotonic()

    with Network() as net:
        process = net.host("a").start(program)
        net.run()
        assert process.result() == 1


def catch_everything_asleep() -> None:
    while True:
        try:
            sleep(1)
        except BaseException:
            continue


def catch_everything_in_calls() -> None:
    start()
    while True:
        try:
            winsock.WSAGetLastError()
            sleep(1)
        except:  # noqa: E722 - the defect
            continue


@pytest.mark.parametrize("program", [catch_everything_asleep, catch_everything_in_calls])
def test_a_program_that_catches_killed_does_not_hang_the_end(program: Callable[[], None]) -> None:
    def simulate() -> None:
        with Network() as net:
            net.host("a").start(program)
            net.run(3)

    with pytest.raises(SimulationError, match=f"^{program.__name__} was killed and does not end: it catches Killed"):
        simulate()


def test_a_program_that_catches_killed_fails_the_run_in_which_it_is_killed() -> None:
    with Network() as net:
        host = net.host("a")
        process = host.start(catch_everything_asleep)
        net.at(2).kill(process)
        with pytest.raises(SimulationError, match="does not end"):
            net.run()
        assert process.ended
        assert net.now == 2
        host.start(sleep, 1)
        net.run()
        assert net.now == 3


def fail(number: int) -> None:
    raise ValueError(number)


@pytest.mark.parametrize("seed", range(6))
def test_the_errors_of_two_processes_are_raised_by_two_runs(seed: int) -> None:
    with Network(seed) as net:
        net.host("a").start(fail, 1)
        net.host("b").start(fail, 2)
        seen = []
        for _ in range(2):
            with pytest.raises(ValueError, match=r"^[12]\b") as caught:
                net.run(1)
            seen.append(caught.value.args[0])
        net.run(1)
    assert sorted(seen) == [1, 2]


@dataclass
class EqualError(Exception):
    """Two of them are equal, and they have no hash."""

    reason: str = "broken"


def fail_with_an_equal_error() -> None:
    raise EqualError


def test_equal_errors_of_two_processes_are_raised_by_two_runs() -> None:
    with Network() as net:
        for name in "ab":
            net.host(name).start(fail_with_an_equal_error)
        seen: list[EqualError] = []
        for _ in range(2):
            with pytest.raises(EqualError) as caught:
                net.run(1)
            seen.append(caught.value)
    assert seen[0] is not seen[1]


def test_an_error_that_no_run_has_raised_is_raised_at_the_end() -> None:
    def simulate(seed: int) -> bool:
        with Network(seed) as net:
            processes = [net.host(name).start(fail, 1) for name in "ab"]
            with pytest.raises(ValueError, match=r"^1\b"):
                net.run(1)
            return all(process.ended for process in processes)

    def outcome(seed: int) -> str:
        try:
            return "both have failed" if simulate(seed) else "one has failed"
        except ValueError:
            return "raised"

    assert {outcome(seed) for seed in range(12)} == {"one has failed", "raised"}


def test_errors_that_no_run_has_raised_are_the_context_of_the_error_of_the_test() -> None:
    def fail_at_the_end(number: int) -> None:
        try:
            sleep(100)
        finally:
            raise ValueError(number)

    def simulate() -> None:
        with Network(1) as net:
            net.host("a").start(fail_at_the_end, 1)
            net.host("b").start(fail_at_the_end, 2)
            net.run(1)
            raise KeyError("test")

    with pytest.raises(KeyError, match="test") as caught:
        simulate()
    first = caught.value.__context__
    assert isinstance(first, ValueError)
    while first.__context__ is not None and not isinstance(first.__context__, ValueError):
        first = first.__context__
    assert isinstance(first.__context__, ValueError)
