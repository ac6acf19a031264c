"""A simulated program cannot use the real world: each such call raises RealWorldCall and names what to use instead."""

from __future__ import annotations

import asyncio
import concurrent.futures
import datetime
import faulthandler
import gc
import glob
import importlib
import io
import linecache
import logging
import multiprocessing
import os
import pathlib
import pdb
import platform
import queue
import random
import sched
import secrets
import select
import selectors
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import timeit
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from multiprocessing import shared_memory
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from winsock.simulation.errors import RealWorldCall
from winsock.simulation.guards import guarded
from winsock.simulation.real_functions import name_of_real_function
from winsock.simulation.scheduler import Scheduler

ELSEWHERE = Path(__file__).with_name("no such file")


class Host:
    name = "trader"

    def __init__(self, disk: Path) -> None:
        self.disk = disk


class FakeProcess:
    """What the guards use of a simulated process; it has the thread that makes it."""

    name = "client"
    task = None

    def __init__(self, disk: Path) -> None:
        self.host = Host(disk)
        self.scheduler = Scheduler(random.Random(1))


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


@pytest.fixture
def process(disk: Path) -> Iterator[FakeProcess]:
    """This thread runs a simulated process."""
    made = FakeProcess(disk)
    with guarded(lambda: made):  # type: ignore[arg-type, return-value]
        yield made


# fmt: off
CLOCKS: dict[str, Callable[[], object]] = {
    "time.time": lambda: time.time(),
    "time.time_ns": lambda: time.time_ns(),
    "time.monotonic": lambda: time.monotonic(),
    "time.monotonic_ns": lambda: time.monotonic_ns(),
    "time.perf_counter": lambda: time.perf_counter(),
    "time.perf_counter_ns": lambda: time.perf_counter_ns(),
    "time.process_time": lambda: time.process_time(),
    "time.sleep": lambda: time.sleep(0),
    "time.localtime": lambda: time.localtime(),
    "time.gmtime": lambda: time.gmtime(),
    "time.localtime of None": lambda: time.localtime(None),
    "time.gmtime of None": lambda: time.gmtime(None),
    "time.ctime of None": lambda: time.ctime(None),
    "time.strftime": lambda: time.strftime("%H"),
    "time.ctime": lambda: time.ctime(),
    "datetime.now": lambda: datetime.datetime.now(),
    "datetime.now with a time zone": lambda: datetime.datetime.now(datetime.timezone.utc),
    "datetime.utcnow": lambda: datetime.datetime.utcnow(),
    "datetime.today": lambda: datetime.datetime.today(),
    "date.today": lambda: datetime.date.today(),
    "timeit.default_timer": lambda: timeit.default_timer(),
    "timeit.timeit": lambda: timeit.timeit("1", number=1),
    "sched.scheduler": lambda: sched.scheduler(),
    "select.select": lambda: select.select([], [], [], 0),
    "selectors.DefaultSelector": lambda: selectors.DefaultSelector().select(0),
    "selectors.SelectSelector": lambda: selectors.SelectSelector().select(0),
}
RANDOM: dict[str, Callable[[], object]] = {
    "os.urandom": lambda: os.urandom(4),
    "posix.urandom": lambda: importlib.import_module(os.name).urandom(4),
    "random.random": lambda: random.random(),
    "random.randrange": lambda: random.randrange(4),
    "random.shuffle": lambda: random.shuffle([1, 2]),
    "random.seed": lambda: random.seed(1),
    "random.Random without a seed": lambda: random.Random(),
    "random.SystemRandom": lambda: random.SystemRandom().random(),
    "secrets.token_hex": lambda: secrets.token_hex(4),
    "secrets.randbelow": lambda: secrets.randbelow(4),
    "uuid.uuid1": lambda: uuid.uuid1(),
    "uuid.uuid4": lambda: uuid.uuid4(),
    "ssl.RAND_bytes": lambda: ssl.RAND_bytes(4),
    "tempfile.mkdtemp": lambda: tempfile.mkdtemp(),
}
SOCKETS: dict[str, Callable[[], object]] = {
    "socket.socket": lambda: socket.socket(),
    "socket.create_connection": lambda: socket.create_connection(("127.0.0.1", 9)),
    "socket.socketpair": lambda: socket.socketpair(),
    "socket.getaddrinfo": lambda: socket.getaddrinfo("localhost", 80),
    "socket.gethostname": lambda: socket.gethostname(),
    "socket.if_nameindex": lambda: socket.if_nameindex(),
    "socket.if_nametoindex": lambda: socket.if_nametoindex("lo"),
    "socket.if_indextoname": lambda: socket.if_indextoname(1),
    "socket.getprotobyname": lambda: socket.getprotobyname("tcp"),
    "ssl.SSLSocket": lambda: ssl.get_server_certificate(("127.0.0.1", 9)),
}
THREADS: dict[str, Callable[[], object]] = {
    "threading.Thread": lambda: threading.Thread(target=int).start(),
    "threading.Timer": lambda: threading.Timer(0, int).start(),
    "_thread.start_new_thread": lambda: importlib.import_module("_thread").start_new_thread(int, ()),
    "ThreadPoolExecutor": lambda: concurrent.futures.ThreadPoolExecutor(1).submit(int),
    "ProcessPoolExecutor": lambda: concurrent.futures.ProcessPoolExecutor(1).submit(int),
    "multiprocessing": lambda: multiprocessing.get_context("spawn").Process(target=int).start(),
    "subprocess.run": lambda: subprocess.run([sys.executable, "-c", ""]),
    "os.system": lambda: os.system("exit"),
    "Event.wait": lambda: threading.Event().wait(0),
    "SimpleQueue.get": lambda: queue.SimpleQueue().get(timeout=0.01),
    "faulthandler.dump_traceback_later": lambda: faulthandler.dump_traceback_later(1000),
    "Queue.get": lambda: queue.Queue().get(timeout=0.01),
    "os.kill": lambda: os.kill(os.getpid(), signal.SIGTERM),
}
FILES: dict[str, Callable[[], object]] = {
    "open to read": lambda: open(ELSEWHERE),  # noqa: SIM115 - it raises
    "open to write": lambda: open(ELSEWHERE, "w"),  # noqa: SIM115 - it raises
    "open of a source file to write": lambda: open(__file__, "a"),  # noqa: SIM115 - it raises
    "os.open": lambda: os.open(ELSEWHERE, os.O_RDONLY),
    "Path.read_text": lambda: ELSEWHERE.read_text(),
    "Path.write_bytes": lambda: ELSEWHERE.write_bytes(b""),
    "a relative path": lambda: open("no such file"),  # noqa: SIM115 - it raises
    "sqlite3.connect": lambda: sqlite3.connect(ELSEWHERE),
    "sqlite3.connect with a URI": lambda: sqlite3.connect(f"file:{ELSEWHERE}?mode=ro", uri=True),
    "os.remove": lambda: os.remove(ELSEWHERE),
    "os.rename": lambda: os.rename(ELSEWHERE, ELSEWHERE),
    "os.replace": lambda: os.replace(ELSEWHERE, ELSEWHERE),
    "os.mkdir": lambda: os.mkdir(ELSEWHERE),
    "os.rmdir": lambda: os.rmdir(ELSEWHERE),
    "os.listdir": lambda: os.listdir(ELSEWHERE.parent),
    "os.listdir of the current folder": lambda: os.listdir(),
    "os.scandir": lambda: os.scandir(ELSEWHERE.parent),
    "os.chdir": lambda: os.chdir(ELSEWHERE),
    "os.chmod": lambda: os.chmod(ELSEWHERE, 0o600),
    "os.utime": lambda: os.utime(ELSEWHERE),
    "os.truncate": lambda: os.truncate(ELSEWHERE, 0),
    "Path.iterdir": lambda: list(ELSEWHERE.parent.iterdir()),
    "glob.glob": lambda: glob.glob(str(ELSEWHERE.parent / "*")),
    "shutil.copy": lambda: shutil.copy(ELSEWHERE, ELSEWHERE),
    "SSLContext.load_cert_chain": lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(ELSEWHERE),
    "SSLContext.load_verify_locations":
        lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(str(ELSEWHERE)),
    "ssl.create_default_context": lambda: ssl.create_default_context(),
}
# fmt: on
if hasattr(time, "clock_settime"):
    CLOCKS["time.clock_settime"] = lambda: time.clock_settime(-1, 0)
if hasattr(ssl, "RAND_pseudo_bytes"):
    RANDOM["ssl.RAND_pseudo_bytes"] = lambda: ssl.RAND_pseudo_bytes(4)
if hasattr(os, "fork"):
    THREADS["os.fork"] = lambda: os.fork()
if hasattr(select, "epoll"):
    CLOCKS["select.epoll"] = lambda: select.epoll().poll(0)
if hasattr(ssl, "enum_certificates"):
    FILES["ssl.enum_certificates"] = lambda: ssl.enum_certificates("ROOT")
if hasattr(os, "mkfifo"):
    FILES["os.mkfifo"] = lambda: os.mkfifo(ELSEWHERE)
    FILES["os.mknod"] = lambda: os.mknod(ELSEWHERE)
if hasattr(os, "setxattr"):
    FILES["os.setxattr"] = lambda: os.setxattr(ELSEWHERE, "user.a", b"1")


@pytest.mark.parametrize("call", CLOCKS.values(), ids=CLOCKS)
def test_a_process_cannot_use_a_real_clock(process: FakeProcess, call: Callable[[], object]) -> None:
    with pytest.raises(RealWorldCall, match=r"process client on host trader has called .*(clock|real time|socket)"):
        call()


@pytest.mark.parametrize("call", RANDOM.values(), ids=RANDOM)
def test_a_process_cannot_use_real_random_numbers(process: FakeProcess, call: Callable[[], object]) -> None:
    with pytest.raises(RealWorldCall, match=r"process client .* use those of the process: process\.random"):
        call()


@pytest.mark.parametrize("call", SOCKETS.values(), ids=SOCKETS)
def test_a_process_cannot_use_real_sockets(process: FakeProcess, call: Callable[[], object]) -> None:
    with pytest.raises(RealWorldCall, match=r"process client .* a socket of the machine; use the calls of winsock"):
        call()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of the event loop, never closed
def test_a_process_cannot_use_asyncios_event_loop(process: FakeProcess) -> None:
    with pytest.raises(RealWorldCall, match="a socket of the machine"):
        asyncio.new_event_loop()
    gc.collect()


@pytest.mark.parametrize("call", THREADS.values(), ids=THREADS)
def test_a_process_cannot_use_real_threads_and_processes(process: FakeProcess, call: Callable[[], object]) -> None:
    with pytest.raises(RealWorldCall, match=r"process client .*(host\.start|in a call of winsock|process\.random)"):
        call()


@pytest.mark.parametrize("call", FILES.values(), ids=FILES)
def test_a_process_cannot_use_files_outside_its_hosts_disk(process: FakeProcess, call: Callable[[], object]) -> None:
    with pytest.raises(RealWorldCall, match=r"process client .*below the host's disk"):
        call()
    assert not ELSEWHERE.exists()


MACHINE: dict[str, Callable[[], object]] = {
    "platform.node": lambda: platform.node(),
    "SharedMemory": lambda: shared_memory.SharedMemory("no such memory"),
}
if sys.platform != "win32":
    MACHINE["os.getloadavg"] = lambda: os.getloadavg()
    MACHINE["resource.getrusage"] = lambda: importlib.import_module("resource").getrusage(0)


@pytest.mark.parametrize("call", MACHINE.values(), ids=MACHINE)
def test_a_process_cannot_measure_the_machine(process: FakeProcess, call: Callable[[], object]) -> None:
    with pytest.raises(RealWorldCall, match=r"process client .* of the machine[,;]"):
        call()


@pytest.mark.parametrize("module", [sqlite3, sqlite3.dbapi2])
@pytest.mark.parametrize("statement", ["ATTACH '{}' AS other", "ATTACH ? AS other", "VACUUM INTO '{}'"])
def test_a_process_cannot_attach_a_database_outside_its_hosts_disk(
    process: FakeProcess, statement: str, module: ModuleType
) -> None:
    db = module.connect(":memory:")
    with pytest.raises(sqlite3.DatabaseError, match=r"not authorized|authorization denied"):
        db.execute(statement.format(ELSEWHERE), (str(ELSEWHERE),) if "?" in statement else ())
    assert not ELSEWHERE.exists()
    db.close()


def test_a_process_may_attach_a_database_of_its_hosts_disk_or_in_memory(process: FakeProcess, disk: Path) -> None:
    db = sqlite3.connect(":memory:")
    for number, name in enumerate((str(disk / "other.sqlite"), ":memory:", "")):
        db.execute(f"ATTACH '{name}' AS other{number}")
        db.execute(f"CREATE TABLE other{number}.deals (n)")
    db.execute(f"VACUUM INTO '{disk / 'copy.sqlite'}'")
    db.close()
    assert (disk / "other.sqlite").exists()
    assert (disk / "copy.sqlite").exists()


def test_the_error_names_the_call_and_what_to_use_instead(process: FakeProcess) -> None:
    with pytest.raises(RealWorldCall) as caught:
        time.monotonic()
    assert str(caught.value) == (
        "process client on host trader has called time.monotonic(): the machine's clock; use the clock of the process: "
        "process.monotonic() or process.utc_ns()"
    )
    with pytest.raises(RealWorldCall) as caught:
        ELSEWHERE.open()
    assert str(caught.value) == (
        f"process client on host trader has called open(): the file {str(ELSEWHERE)!r} of the machine; use one below "
        f"the host's disk, host.disk: {str(process.host.disk)!r}"
    )


def test_a_class_that_was_imported_by_name_before_is_checked_too(process: FakeProcess) -> None:
    with pytest.raises(RealWorldCall, match=r"datetime\.now\(\)"):
        DateTime.now(datetime.timezone.utc)
    with pytest.raises(RealWorldCall, match=r"datetime\.now\(\)"):
        OwnDateTime.now()


DateTime = datetime.datetime


class OwnDateTime(datetime.datetime):
    pass


def test_a_function_that_was_imported_by_name_before_is_known(process: FakeProcess) -> None:
    assert [name_of_real_function(value) for value in (REAL_SLEEP, time.sleep, len, 7, [])] == ["time.sleep"] + 4 * [""]


REAL_SLEEP = time.sleep


# ---- what is allowed


def test_files_on_the_hosts_disk_are_allowed(process: FakeProcess, disk: Path) -> None:
    folder = disk / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "text").write_text("x")
    os.replace(folder / "text", folder / "other")
    assert [each.name for each in folder.iterdir()] == ["other"]
    os.utime(folder / "other")
    shutil.copy(folder / "other", disk / "copy")
    assert (disk / "copy").read_bytes() == b"x"
    shutil.rmtree(disk / "a")
    assert os.listdir(disk) == ["copy"]
    os.remove(disk / ".." / "disk" / "copy")


def test_a_name_that_begins_like_the_disk_is_not_on_it(process: FakeProcess, disk: Path) -> None:
    with pytest.raises(RealWorldCall):
        (disk.parent / "disk2").write_text("x")
    with pytest.raises(RealWorldCall):
        (disk / ".." / "file").write_text("x")


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_sqlite_works_on_the_hosts_disk_and_in_memory(process: FakeProcess, disk: Path, journal: str) -> None:
    for name in (str(disk / "ledger.sqlite"), f"{(disk / 'ledger.sqlite').as_uri()}?mode=rwc", ":memory:"):
        db = sqlite3.connect(name, uri=name.startswith("file:"))
        db.execute(f"PRAGMA journal_mode={journal}")
        db.execute("CREATE TABLE IF NOT EXISTS deals (n)")
        with db:
            db.execute("INSERT INTO deals VALUES (1)")
        db.close()
    assert (disk / "ledger.sqlite").exists()


def test_imports_and_source_code_are_allowed(process: FakeProcess, disk: Path) -> None:
    sys.modules.pop("colorsys", None)
    importlib.import_module("colorsys")
    assert Path(pathlib.__file__).read_bytes()
    assert Path(__file__).read_bytes()


def test_the_source_of_a_script_without_an_ending_is_allowed(
    process: FakeProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "script"
    with process.scheduler.inside():
        script.write_text("raise ValueError\n")
    with pytest.raises(RealWorldCall):
        linecache.getline(str(script), 1)
    # A process of xdist has none.
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script), raising=False)
    assert linecache.getline(str(script), 1) == "raise ValueError\n"


def test_a_debugger_may_read_its_files(process: FakeProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    with process.scheduler.inside():
        (tmp_path / ".pdbrc").write_text("# settings\n")
    assert pdb.Pdb(stdin=io.StringIO(), stdout=io.StringIO()).rcLines == ["# settings\n"]


def test_a_module_of_the_program_cannot_use_the_real_world_while_it_is_imported(
    process: FakeProcess, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (disk / "eager_program.py").write_text("import time\nSTARTED = time.time()\n")
    monkeypatch.setattr(sys, "path", [str(disk), *sys.path])
    with pytest.raises(RealWorldCall, match=r"time\.time"):
        importlib.import_module("eager_program")


def test_standard_output_and_the_null_device_are_allowed(process: FakeProcess) -> None:
    print("text", file=sys.__stdout__)
    for name in (os.devnull, "NUL" if sys.platform == "win32" else os.devnull):
        with open(name, "w") as file:
            file.write("x")


@pytest.mark.skipif(sys.platform != "win32", reason="only Windows has such paths")
def test_a_long_path_of_windows_may_be_on_the_disk(process: FakeProcess, disk: Path) -> None:
    Path(f"\\\\?\\{disk / 'file'}").write_text("x")
    assert (disk / "file").read_text() == "x"
    with pytest.raises(RealWorldCall):
        Path(f"\\\\?\\{ELSEWHERE}").write_text("x")


def test_random_numbers_with_a_seed_are_allowed(process: FakeProcess) -> None:
    assert random.Random(7).random() == random.Random(7).random()


def test_times_that_are_given_are_allowed(process: FakeProcess) -> None:
    assert time.gmtime(0).tm_year == 1970
    assert time.strftime("%Y", time.gmtime(0)) == "1970"
    assert datetime.datetime.fromtimestamp(0, datetime.timezone.utc).year == 1970


def test_tls_in_memory_may_take_its_random_numbers(process: FakeProcess) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    assert outgoing.read()[:1] == b"\x16"


def test_an_event_that_is_set_and_a_queue_with_an_element_need_no_wait(process: FakeProcess) -> None:
    event, ready = threading.Event(), queue.Queue[int]()
    event.set()
    ready.put(1)
    assert event.wait(1)
    assert ready.get() == 1


# ---- who is checked


def use_real_world(folder: Path) -> None:
    """Use one of each kind."""
    time.monotonic()
    datetime.datetime.now()
    os.urandom(1)
    random.random()
    socket.socket().close()
    (folder / "file").write_text("x")


def test_without_a_running_process_everything_is_allowed(tmp_path: Path) -> None:
    with guarded(lambda: None):
        use_real_world(tmp_path)


class Cycle:
    """Garbage that only the collector finds."""

    def __init__(self, removes: Path) -> None:
        self.itself, self.removes = self, removes

    def __del__(self) -> None:
        os.remove(self.removes)


def test_what_the_garbage_collector_calls_is_not_checked(process: FakeProcess, tmp_path: Path) -> None:
    file = tmp_path / "file"
    with process.scheduler.inside():
        file.write_text("x")
    Cycle(file)
    gc.collect()
    assert not file.exists()
    with pytest.raises(RealWorldCall):
        time.time()


def test_other_threads_are_not_checked(process: FakeProcess, tmp_path: Path) -> None:
    process.scheduler.internal = True  # only a simulation may start a thread
    done: list[int] = []

    def work() -> None:
        started.wait()
        use_real_world(tmp_path)
        done.append(1)

    started = threading.Event()
    thread = threading.Thread(target=work)
    thread.start()
    process.scheduler.internal = False
    with pytest.raises(RealWorldCall):
        time.time()
    started.set()
    thread.join()
    assert done == [1]


def test_the_simulations_own_work_is_not_checked(process: FakeProcess, tmp_path: Path) -> None:
    with process.scheduler.inside():
        use_real_world(tmp_path)
    process.scheduler.start("other", lambda: None)
    process.scheduler.close()


def test_the_process_of_any_open_network_is_checked(disk: Path) -> None:
    inner, outer = FakeProcess(disk), FakeProcess(disk)
    running: list[Any] = [outer, None]
    with guarded(lambda: running[0]), guarded(lambda: running[1]):
        with pytest.raises(RealWorldCall):
            time.time()
        running[:] = None, inner
        with pytest.raises(RealWorldCall):
            time.time()
        running[:] = None, None
        time.time()


# ---- without a network


def names() -> dict[str, object]:
    modules = (
        time,
        logging,
        os,
        platform,
        random,
        select,
        secrets,
        signal,
        sqlite3,
        ssl,
        threading,
        uuid,
        importlib.import_module("_thread"),
    )
    found = {f"{module.__name__}.{name}": value for module in modules for name, value in vars(module).items()}
    owners: tuple[type, ...] = random.Random, threading.Condition, ssl.SSLContext, datetime.datetime, datetime.date
    owners += queue.SimpleQueue, selectors.SelectSelector, type(selectors.DefaultSelector())
    owners += (select.epoll,) if hasattr(select, "epoll") else ()
    for owner in owners:
        found |= {f"{owner.__qualname__}.{name}": value for name, value in vars(owner).items()}
    return found


def test_after_the_last_network_every_function_is_the_original(disk: Path) -> None:
    before = names()
    with guarded(lambda: None):
        with guarded(lambda: None):
            assert names() != before
        assert time.time is not before["time.time"]
    after = names()
    assert [name for name in before if after.get(name) is not before[name]] == []
    assert after.keys() == before.keys()


def test_a_function_that_a_program_keeps_after_the_network_calls_the_original(disk: Path) -> None:
    with guarded(lambda: None):
        kept = time.monotonic
    first = time.monotonic()
    assert first <= kept() <= time.monotonic()


def test_a_replaced_function_can_be_an_attribute_of_a_class(process: FakeProcess) -> None:
    class Clock:
        now = time.monotonic

    process.scheduler.internal = True
    assert Clock().now() > 0


def test_without_a_network_the_guards_hold_no_memory(disk: Path) -> None:
    with guarded(lambda: None):
        pass
    tracemalloc.start()
    try:
        before = tracemalloc.take_snapshot()
        for _ in range(20):
            with guarded(lambda: None):
                pass
        gc.collect()  # reference cycles are not held
        grown = sum(each.size_diff for each in tracemalloc.take_snapshot().compare_to(before, "filename")
                    if "real_functions" in each.traceback[0].filename)  # fmt: skip
    finally:
        tracemalloc.stop()
    assert grown < 5000
