"""What all tests share: Winsock started and stopped around a test, what is closed after it, and two marks."""

from __future__ import annotations

import ctypes
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from cleanup_kit import close_all, close_forgotten_databases, record_databases
from winsock_kit import connected_pair, udp_pair

from winsock import MAKEWORD, WSADATA, WSANOTINITIALISED, WSACleanup, WSAGetLastError, WSAStartup

# What a shell runs in the background ignores Ctrl-C, and so does all that this starts; the tests are about other cases.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

record_databases()

# No test fails because the machine is slow or busy.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")


def _on_wine() -> bool:
    windll: Any = getattr(ctypes, "windll", None)
    return windll is not None and hasattr(windll.ntdll, "wine_get_version")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Wine's list of open sockets never gets shorter, and its last WSACleanup calls CloseHandle for each place in it.
    items.sort(key=lambda item: item.get_closest_marker("many_sockets") is not None)
    wine = _on_wine()
    for item in items:
        posix_only = item.get_closest_marker("posix_only")
        if posix_only and sys.platform == "win32":
            item.add_marker(pytest.mark.skip(reason=f"POSIX only: {_reason(posix_only)}"))
        wine_differs = item.get_closest_marker("wine_differs")
        if wine_differs and wine:
            # Not strict: releases of Wine differ among themselves.
            reason, run = f"Wine differs: {_reason(wine_differs)}", wine_differs.kwargs.get("run", True)
            item.add_marker(pytest.mark.xfail(reason=reason, run=run))


def _reason(mark: pytest.Mark) -> str:
    """The mark's reason: with it a reader can check whether it still applies."""
    reason = mark.kwargs.get("reason") or (mark.args[0] if mark.args else "")
    if not reason:
        raise pytest.UsageError(f"{mark.name} needs a reason")
    return str(reason)


@pytest.fixture(autouse=True)
def _cleanup() -> Iterator[None]:
    """Everything given to closed_after_test is closed after the test; the test has closed every other database."""
    yield
    close_all()
    forgotten = close_forgotten_databases()
    assert not forgotten, f"the test has left databases open: {forgotten}; use closed_after_test or closing"
    assert _python_has_sockets(), "the test has ended Winsock for Python's own sockets too; use the fixture unstarted"


def _python_has_sockets() -> bool:
    """Whether Python's sockets work. On Windows its socket module calls WSAStartup once, when it is imported."""
    if sys.platform != "win32":
        return True
    try:
        socket.socket().close()
    except OSError as error:
        if error.winerror != WSANOTINITIALISED:
            raise
        WSAStartup(MAKEWORD(2, 2), WSADATA())  # so that only this test fails
        return False
    return True


@pytest.fixture
def unstarted() -> Iterator[None]:
    """Winsock is not started during the test: on Windows the starts before it are ended, and repeated after it."""
    starts = _end_winsock()
    yield
    left = _end_winsock()
    for _ in range(starts):
        assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    assert not left, "the test has left Winsock started"


def _end_winsock() -> int:
    """Ends each WSAStartup; returns how many there were."""
    starts = 0
    while WSACleanup() == 0:
        starts += 1
    return starts


@pytest.fixture
def started(unstarted: None) -> Iterator[None]:
    """Winsock is started once; the clean-up at the end closes every socket that the test has left open."""
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    yield
    assert WSACleanup() == 0, WSAGetLastError()


@pytest.fixture
def pair(started: None) -> tuple[int, int]:
    """Two connected stream sockets: the client's and the accepted one."""
    return connected_pair()


@pytest.fixture
def udp(started: None) -> tuple[int, int]:
    """Two datagram sockets, bound to loopback, not connected."""
    return udp_pair()
