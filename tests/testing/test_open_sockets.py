"""`started` reports the sockets that its block leaves open, with the line that opened each one."""

from __future__ import annotations

import asyncio
import inspect
import re
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from ctypes import sizeof
from functools import partial
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from importlib.util import LazyLoader, module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import hypothesis
import pytest
from winsock_kit import Running, connect_to, loopback, new

import winsock
from winsock import (
    AF_INET,
    AF_INET6,
    INVALID_SOCKET,
    MAKEWORD,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOCKET_ERROR,
    WSADATA,
    WSACleanup,
    WSAStartup,
    accept,
    bind,
    closesocket,
    getsockname,
    listen,
    socket,
)
from winsock.simulation.network import Network
from winsock.testing import Peer, open_sockets, started

pytestmark = pytest.mark.usefixtures("unstarted")


def report_of(block: Callable[[], object]) -> str:
    with pytest.raises(AssertionError) as caught, started():
        block()
    return str(caught.value)


def line_of(function: Callable[..., object], text: str) -> int:
    """The number of the line of a function that has this text."""
    lines, first = inspect.getsourcelines(function)
    return first + next(number for number, line in enumerate(lines) if text in line)


def test_a_block_that_closes_its_sockets_is_not_reported() -> None:
    with started():
        closesocket(socket(AF_INET, SOCK_STREAM, 0))
        closesocket(s=socket(af=AF_INET, type=SOCK_DGRAM, protocol=0))


def test_winsock_is_started_in_the_block_and_not_after_it() -> None:
    with started():
        s = socket(AF_INET, SOCK_STREAM, 0)
        assert s != INVALID_SOCKET
        assert WSACleanup() == 0
        assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    assert WSACleanup() == SOCKET_ERROR


def open_datagram_socket() -> int:
    return socket(AF_INET, SOCK_DGRAM, 0)


def test_the_report_names_the_line_and_its_callers() -> None:
    def block() -> None:
        open_datagram_socket()

    text = report_of(block)
    opening, caller = line_of(open_datagram_socket, "socket(AF_INET"), line_of(block, "open_datagram_socket()")
    assert text.startswith("1 socket was left open:\n  socket ")
    assert re.search(rf"test_open_sockets\.py:{opening} in open_datagram_socket\n", text)
    assert re.search(rf"called at .*test_open_sockets\.py:{caller} in block\n", text)
    assert "UDP" in text


@pytest.mark.posix_only(reason="Windows does not remove the current folder")
def test_the_report_of_a_test_that_removed_its_folder_has_whole_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    report = report_of(lambda: socket(AF_INET, SOCK_DGRAM, 0))
    monkeypatch.undo()
    assert f"{__file__}:" in report


def test_the_report_names_local_address_and_peer_of_listener_client_and_accepted_socket() -> None:
    def block() -> None:
        server = socket(AF_INET, SOCK_STREAM, 0)
        assert bind(server, loopback(), sizeof(loopback())) == 0
        assert listen(server, 5) == 0
        connect_to(server)
        accept(server, None, None)

    text = report_of(block)
    assert text.startswith("3 sockets were left open:")
    port = re.search(r"TCP, listens on 127\.0\.0\.1:(\d+)", text)
    assert port, text
    assert re.search(
        rf"TCP, local address 127\.0\.0\.1:\d+, peer 127\.0\.0\.1:{port[1]}\n    opened by socket\(\)", text
    )
    assert re.search(
        rf"TCP, local address 127\.0\.0\.1:{port[1]}, peer 127\.0\.0\.1:\d+\n    opened by accept\(\)", text
    )


def test_a_function_that_was_imported_earlier_is_recorded_in_every_module() -> None:
    assert re.search(r"opened by socket\(\) at .*winsock_kit\.py:\d+ in new", report_of(new))
    assert "opened by socket()" in report_of(lambda: winsock.socket(AF_INET6, SOCK_STREAM, 0))
    assert "opened by socket()" in report_of(lambda: winsock.calls.socket(AF_INET6, SOCK_STREAM, 0))


def test_a_program_that_is_loaded_in_the_block_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    program = ModuleType("program_of_this_test")
    monkeypatch.setitem(sys.modules, program.__name__, program)

    def block() -> None:
        exec(compile("from winsock import *\ns = socket(AF_INET, 2, 0)", "program.py", "exec"), vars(program))

    assert "opened by socket() at program.py:2 in <module>" in report_of(block)
    assert program.socket is socket


@pytest.mark.parametrize("block", [started, Network])
def test_a_module_that_is_only_prepared_is_not_loaded(
    block: Callable[[], AbstractContextManager[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Optional(Loader):
        def create_module(self, spec: ModuleSpec) -> None:
            return None

        def exec_module(self, module: ModuleType) -> None:
            raise ImportError("it needs a package that is not installed")

    loader = LazyLoader(Optional())
    spec = spec_from_loader("prepared", loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    monkeypatch.setitem(sys.modules, "prepared", module)
    with block():
        pass


def test_an_entry_that_only_says_that_it_is_a_module_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        __class__ = ModuleType  # type: ignore[assignment]

    monkeypatch.setitem(sys.modules, "library", Library())
    with started():
        pass


def test_the_threads_of_a_test_are_recorded() -> None:
    assert "in new" in report_of(lambda: Running(new).result())


def test_the_lines_of_an_event_loop_are_left_out_of_the_report() -> None:
    async def task() -> None:
        open_datagram_socket()

    async def main() -> None:
        await asyncio.create_task(task())

    def block() -> None:
        asyncio.run(main())

    lines = report_of(block).splitlines()[2:]
    assert [line.rpartition(" ")[2] for line in lines[:3]] == ["open_datagram_socket", "task", "block"]
    assert not [line for line in lines if "asyncio" in line]


@hypothesis.settings(max_examples=1, database=None)
@hypothesis.given(hypothesis.strategies.none())
def hypothetical(value: None) -> None:
    open_datagram_socket()


@pytest.mark.parametrize("between", [Mock(wraps=open_datagram_socket), hypothetical])
def test_the_lines_of_a_library_between_those_of_the_test_are_left_out_of_the_report(
    between: Callable[[], object],
) -> None:
    def block() -> None:
        between()

    lines = report_of(block).splitlines()[2:]
    names = [line.rpartition(" ")[2] for line in lines if "test_open_sockets.py" in line]
    assert [name for name in names if name != "hypothetical"][:3] == ["open_datagram_socket", "block", "report_of"]
    assert len(names) == len(lines)


def test_the_original_functions_are_back_after_the_block() -> None:
    before = dict(vars(winsock))
    with started():
        assert winsock.calls is not before["calls"]
        assert socket is not before["socket"]
        assert winsock.calls.getsockname is getsockname
    assert {name: value for name, value in vars(winsock).items() if value is not before[name]} == {}
    assert socket is before["socket"]
    assert globals()["closesocket"] is before["closesocket"]


def test_a_recording_function_that_is_put_back_later_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    original = winsock.socket
    with started():
        # As the monkeypatch of a test does that was set up before its winsock_started.
        monkeypatch.setattr(winsock, "socket", lambda *args: INVALID_SOCKET)
        assert winsock.socket(AF_INET, SOCK_STREAM, 0) == INVALID_SOCKET
    monkeypatch.undo()
    text = report_of(lambda: winsock.socket(AF_INET, SOCK_DGRAM, 0))
    assert "opened by socket() at " in text
    assert re.search(r"opened by socket\(\) at .*winsock_kit\.py:\d+ in new", report_of(new))
    assert winsock.socket is original


def test_a_function_that_the_test_has_replaced_stays_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(*args: int) -> int:
        return INVALID_SOCKET

    monkeypatch.setattr(winsock, "socket", fake)
    with started():
        assert winsock.socket is fake
    assert winsock.socket is fake


def test_blocks_inside_each_other_report_what_each_leaves_open() -> None:
    def inner() -> None:
        open_datagram_socket()
        WSAStartup(MAKEWORD(2, 2), WSADATA())

    def outer() -> None:
        socket(AF_INET, SOCK_STREAM, 0)
        text = report_of(inner)
        assert text.startswith("1 socket was left open:")
        assert "WSAStartup succeeded once more often" in text

    text = report_of(outer)
    assert text.startswith("1 socket was left open:")
    assert "in outer" in text
    assert "WSAStartup" not in text
    assert WSACleanup() == SOCKET_ERROR


@pytest.mark.posix_only(reason="only the handles of compat have an order, by which such a socket is found")
def test_a_socket_whose_line_is_not_known_is_reported_with_its_addresses() -> None:
    held = [socket]
    text = report_of(lambda: held[0](AF_INET, SOCK_DGRAM, 0))
    assert re.fullmatch(
        r"1 socket was left open:\n  socket \d+: UDP, local address -, peer -\n"
        r"    opened by a call that began before the test, or by a function that is not a global name of a module: "
        r"the line is not known",
        text,
    )


def test_a_peer_that_outlives_its_block_does_not_stop_winsock_in_the_next_one() -> None:
    with started():
        peer = Peer(limit=600).accept().start()
    with started():
        peer.stop()
        s = socket(AF_INET, SOCK_STREAM, 0)
        assert s != INVALID_SOCKET
        closesocket(s)
    peer.finish()
    assert WSACleanup() == SOCKET_ERROR


def test_a_peer_that_was_started_before_the_block_ends_in_it() -> None:
    peer = Peer(limit=600).accept().start()
    with started():
        peer.stop()
    assert WSACleanup() == SOCKET_ERROR


def test_a_socket_that_another_thread_closes_at_the_end_of_the_block_is_not_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = threading.Event()
    is_open = open_sockets._is_open

    def ask(*args: Any) -> bool:
        found = is_open(*args)
        asked.set()
        return found

    monkeypatch.setattr(open_sockets, "_is_open", ask)
    monkeypatch.setattr(open_sockets, "_GRACE", 60)

    def close(s: int) -> int:
        asked.wait()
        return closesocket(s)

    with started():
        thread = Running(partial(close, open_datagram_socket()))
    assert thread.result() == 0


def test_open_sockets_are_closed_after_the_report() -> None:
    handles: list[int] = []
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    report_of(lambda: handles.append(open_datagram_socket()))
    assert closesocket(handles[0]) == SOCKET_ERROR
    assert WSACleanup() == 0


def test_sockets_that_a_clean_up_has_closed_are_not_reported() -> None:
    with started():
        open_datagram_socket()
        assert WSACleanup() == 0
        assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0


def test_a_start_without_its_clean_up_is_reported() -> None:
    def start() -> None:
        WSAStartup(MAKEWORD(2, 2), WSADATA())

    def block() -> None:
        for _ in range(2):
            start()

    lines = report_of(block).splitlines()
    assert lines[0] == "WSAStartup succeeded 2 times more often than WSACleanup:"
    opening, caller = line_of(start, "WSAStartup"), line_of(block, "start()")
    assert re.fullmatch(rf"  WSAStartup\(\) at .*test_open_sockets\.py:{opening} in start", lines[1])
    assert re.fullmatch(rf"    called at .*test_open_sockets\.py:{caller} in block", lines[2])
    assert len([line for line in lines if "WSAStartup()" in line]) == 1
    assert WSACleanup() == SOCKET_ERROR


def test_a_clean_up_without_its_start_is_reported() -> None:
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0

    def block() -> None:
        WSACleanup()

    first, second, *_ = report_of(block).splitlines()
    assert first == "WSACleanup succeeded once more often than WSAStartup:"
    assert re.fullmatch(rf"  WSACleanup\(\) at .*test_open_sockets\.py:{line_of(block, 'WSACleanup')} in block", second)
    # The start before the block is still there.
    assert WSACleanup() == 0
    assert WSACleanup() == SOCKET_ERROR


def test_an_error_in_the_block_is_raised_and_the_sockets_are_closed() -> None:
    handles = []
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    with pytest.raises(KeyError), started():  # noqa: PT012 - the block opens a socket and raises
        handles.append(open_datagram_socket())
        raise KeyError
    assert closesocket(handles[0]) == SOCKET_ERROR
    assert WSACleanup() == 0
