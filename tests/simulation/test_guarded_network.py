"""Programs of a simulated network use its clock, its random numbers and the disk of their host, and nothing else."""

from __future__ import annotations

import functools
import importlib
import json
import logging
import queue
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import c_char
from datetime import datetime, timezone
from pathlib import Path
from time import monotonic as real_monotonic

import pytest

import winsock
from winsock import AF_INET, SOCK_DGRAM, WSADATA, trace
from winsock.simulation import Network, RealWorldCall, SimulationError, running_process

REAL_TIME = time.time


def sleep(seconds: float) -> None:
    running_process().sleep(seconds)


def test_a_program_that_uses_the_real_world_ends_with_the_error_that_run_raises() -> None:
    def program() -> None:
        sleep(5)
        time.sleep(5)

    with Network() as net:
        process = net.host("a").start(program)
        with pytest.raises(RealWorldCall, match=r"process program on host a has called time\.sleep\(\)"):
            net.run()
        with pytest.raises(RealWorldCall):
            process.result()
    assert time.sleep.__class__.__name__ == "builtin_function_or_method"


def test_run_raises_the_error_of_a_guarded_call_that_the_program_catches() -> None:
    seen: list[str] = []

    def program() -> None:
        try:
            time.sleep(5)
        except Exception:
            seen.append("continues")
        sleep(1)
        seen.append("ends")

    with Network() as net:
        process = net.host("a").start(program)
        with pytest.raises(RealWorldCall, match=r"has called time\.sleep\(\)"):
            net.run()
        net.run()
        assert process.result() is None
    assert seen == ["continues", "ends"]


@pytest.mark.parametrize(
    ("statement", "text"),
    [("ATTACH '{}' AS other", "the file '.*file'"), ("ATTACH ? AS other", "the file is a parameter")],
)
def test_run_raises_the_error_of_an_attached_database_outside_the_hosts_disk(
    tmp_path: Path, statement: str, text: str
) -> None:
    def program() -> None:
        db = sqlite3.connect(":memory:")
        try:
            db.execute(statement.format(tmp_path / "file"), ("file",) if "?" in statement else ())
        except sqlite3.DatabaseError:
            db.close()

    with Network() as net:
        net.host("a").start(program)
        with pytest.raises(RealWorldCall, match=f"ATTACH in SQLite: {text}"):
            net.run()
    assert not (tmp_path / "file").exists()


def test_the_main_thread_is_guarded_only_while_it_is_attached() -> None:
    with Network() as net:
        host = net.host("a")
        assert time.time() > 0
        with host.attached():
            with pytest.raises(RealWorldCall):
                time.time()
            sleep(1)
            with pytest.raises(RealWorldCall):
                time.time()
        assert time.time() > 0
        net.run(1)
        assert time.time() > 0


def test_a_thread_outside_of_the_simulation_is_not_guarded_while_a_process_runs() -> None:
    seen: list[float] = []
    with Network() as net, net.host("a").attached() as process:
        # Only the simulation may start a thread, and wait for it.
        with process.scheduler.inside():
            watcher = threading.Thread(target=lambda: seen.append(time.time()))
            watcher.start()
        with pytest.raises(RealWorldCall):
            time.time()
        with process.scheduler.inside():
            watcher.join()
        assert len(seen) == 1


def test_each_host_has_a_disk_of_its_own_that_a_restart_keeps() -> None:
    found: list[str] = []

    def program() -> None:
        path = running_process().host.disk / "state"
        found.append(path.read_text() if path.exists() else "nothing")
        path.write_text("state")
        db = sqlite3.connect(running_process().host.disk / "ledger.sqlite")
        db.execute("CREATE TABLE IF NOT EXISTS deals (n)")
        db.close()
        sleep(100)

    with Network() as net:
        host, other = net.host("a"), net.host("b")
        host.start(program, restart=True)
        net.at(10).crash(host, duration=5)
        net.run(20)
        assert found == ["nothing", "state"]
        disk = host.disk
        with other.attached(), pytest.raises(RealWorldCall, match=r"below the host's disk"):
            (disk / "state").read_text()
        assert (disk / "state").read_text() == "state"
    assert not disk.exists()


def test_a_program_may_use_the_folder_that_was_given_as_its_disk(tmp_path: Path) -> None:
    with Network() as net, net.host("a", disk=tmp_path / "a").attached() as process:
        process.host.disk.mkdir()
        (process.host.disk / "file").write_text("x")
    assert (tmp_path / "a" / "file").read_text() == "x"


def test_a_program_may_import_modules(tmp_path: Path) -> None:
    def program() -> None:
        sys.modules.pop("colorsys", None)
        importlib.import_module("colorsys")

    with Network() as net:
        net.host("a").start(program)
        net.run()


def test_a_network_inside_another_guards_its_own_processes_and_those_of_the_outer_one() -> None:
    with Network() as outer, outer.host("a").attached():
        with Network() as inner, inner.host("b").attached(), pytest.raises(RealWorldCall, match="host b"):
            time.time()
        with pytest.raises(RealWorldCall, match="host a"):
            time.time()
    assert time.time is REAL_TIME


def test_a_record_that_a_program_logs_has_the_time_of_its_host(caplog: pytest.LogCaptureFixture) -> None:
    def program() -> None:
        sleep(7)
        logging.getLogger("trader").warning("the price is %s", 1.25)

    with Network(start=datetime(2026, 1, 5, tzinfo=timezone.utc)) as net:
        net.host("a").start(program)
        net.run()
        logging.getLogger("test").warning("now")
    simulated, real = caplog.records
    assert simulated.getMessage() == "the price is 1.25"
    assert datetime.fromtimestamp(simulated.created, timezone.utc) == datetime(2026, 1, 5, 0, 0, 7, tzinfo=timezone.utc)
    assert abs(real.created - time.time()) < 3600


def test_a_program_that_holds_a_real_clock_by_name_is_refused() -> None:
    def tick() -> float:
        return real_monotonic()

    def program() -> None:
        tick()

    text = r"tick of module \S+ has imported the real time\.monotonic before the network was opened\. Use the clock"
    with Network() as net, pytest.raises(SimulationError, match=text):
        net.host("a").start(program)


class Ticker:
    """Methods that hold a real clock by name."""

    @property
    def time(self) -> float:
        return real_monotonic()

    @staticmethod
    def tick() -> float:
        return real_monotonic()


class Inherits(Ticker):
    def run(self) -> float:
        return self.tick()


@functools.cache
def cached_time() -> float:
    return real_monotonic()


@contextmanager
def timed() -> Iterator[float]:
    yield real_monotonic()


def use_context() -> None:
    with timed():
        pass


@pytest.mark.parametrize(
    "program",
    [Inherits().run, lambda: Inherits().run(), lambda: Ticker().time, cached_time, lambda: cached_time(), use_context],
)
def test_a_real_clock_by_name_is_found_in_methods_and_wrappers(program: Callable[[], object]) -> None:
    with Network() as net, pytest.raises(SimulationError, match=r"has imported the real time\.monotonic"):
        net.host("a").start(program)


@pytest.mark.parametrize(
    "expression", ["clocks.inner.now()", "clocks.inner.Clock().now()", "clocks.inner.Clock.now(0)"]
)
def test_a_real_clock_by_name_is_found_in_the_modules_of_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expression: str
) -> None:
    (tmp_path / "clocks").mkdir()
    (tmp_path / "clocks" / "__init__.py").write_text("")
    (tmp_path / "clocks" / "inner.py").write_text(
        "from time import monotonic\n\n\ndef now():\n    return monotonic()\n\n\n"
        "class Clock:\n    def now(self):\n        return monotonic()\n"
    )
    (tmp_path / "clock_program.py").write_text(f"import clocks.inner\n\n\ndef main():\n    {expression}\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    program = importlib.import_module("clock_program").main
    try:
        with Network() as net, pytest.raises(SimulationError, match=r"now of module clocks\.inner has imported"):
            net.host("a").start(program)
    finally:
        for name in ("clock_program", "clocks", "clocks.inner"):
            sys.modules.pop(name, None)


monotonic = real_monotonic


def test_an_attribute_with_the_name_of_a_real_clock_is_no_real_clock() -> None:
    def program() -> float:
        sleep(1)
        return running_process().monotonic()

    assert monotonic() > 0
    with Network() as net:
        process = net.host("a").start(program)
        net.run()
        assert process.result() == 1


def test_a_program_may_use_a_library_that_holds_a_real_clock_by_name() -> None:
    def program() -> int:
        numbers: queue.Queue[int] = queue.Queue()
        numbers.put(1)
        return numbers.get()

    with Network() as net:
        process = net.host("a").start(program)
        net.run()
        assert process.result() == 1


def test_after_an_error_in_the_block_everything_is_real_again() -> None:
    with pytest.raises(ValueError, match="stop"), Network() as net, net.host("a").attached():
        raise ValueError("stop")
    assert time.time is REAL_TIME


def test_the_calls_of_processes_that_already_run_and_of_later_ones_are_traced(tmp_path: Path) -> None:
    def program() -> None:
        winsock.WSAStartup(0x0202, WSADATA())
        sleep(1)
        # The tracer reads the memory of a ctypes buffer through a file of the machine.
        s = winsock.socket(AF_INET, SOCK_DGRAM, 0)
        winsock.send(s, (c_char * 4)(), 4, 0)
        sleep(1)
        winsock.closesocket(s)

    with Network() as net:
        host = net.host("a")
        host.start(program)
        net.run(0.5)
        net.trace_calls(tmp_path / "calls")
        net.run(1)
        host.start(program)
        with host.attached():
            winsock.WSAGetLastError()
        net.run()
    records = {
        path.name: [json.loads(line) for line in path.read_text().splitlines()]
        for path in sorted((tmp_path / "calls").iterdir())
    }
    assert {name: [record["call"] for record in found[1:]] for name, found in records.items()} == {
        "001-program-on-a.jsonl": ["socket", "send", "closesocket"],
        "002-program-2-on-a.jsonl": ["WSAStartup", "socket", "send", "closesocket"],
        "003-main-on-a.jsonl": ["WSAGetLastError"],
    }
    first = records["001-program-on-a.jsonl"]
    assert [record["t"] for record in first] == [500_000_000, 1_000_000_000, 1_000_000_000, 2_000_000_000]
    assert first[0]["wall"] - first[0]["t"] == 1_767_571_200 * 10**9


@pytest.mark.parametrize("order", ["start open run stop run close", "open start run close stop"])
def test_a_trace_of_winsock_that_overlaps_a_network_leaves_the_right_calls(tmp_path: Path, order: str) -> None:
    def use_winsock() -> int:
        return winsock.WSAStartup(0x0202, WSADATA())

    def run() -> None:
        process = net.host(f"h{len(net.hosts)}").start(use_winsock)
        net.run()
        assert process.result() == 0

    before, net = winsock.calls, Network()
    steps: dict[str, Callable[[], object]] = {
        "start": lambda: trace.start(str(tmp_path / "trace")), "stop": trace.stop, "run": run,
        "open": net.__enter__, "close": lambda: net.__exit__(None, None, None),
    }  # fmt: skip
    try:
        for step in order.split():
            steps[step]()
        assert winsock.WSAGetLastError() >= 0
    finally:
        winsock.replace_calls(before)
