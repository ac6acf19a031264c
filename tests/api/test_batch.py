"""winsock.batch sends one buffer to many sockets and returns one result per socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from winsock_kit import connected_pair, set_nonblocking

import winsock
from winsock import (
    SD_SEND,
    SOCKET_ERROR,
    WSAENOTSOCK,
    WSAESHUTDOWN,
    WSAETIMEDOUT,
    WSAEWOULDBLOCK,
    WSANOTINITIALISED,
    Winsock,
    closesocket,
    recv,
    send,
    setsockopt,
    shutdown,
    u_long,
)
from winsock.batch import send_many


@pytest.fixture(params=["the backend's own", "a loop, as under a tracer"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param != "the backend's own":

        class Front:
            def __getattr__(self, name: str) -> object:
                return getattr(backend, name)

        backend: Winsock = winsock.calls
        monkeypatch.setattr(winsock, "calls", Front())


def fill(s: int) -> None:
    """Sends on a non-blocking socket until its send buffer is full."""
    while send(s, bytes(65536), 65536, 0) != SOCKET_ERROR:
        pass


def test_send_many_sends_the_whole_message_to_each_socket(started: None) -> None:
    pairs = [connected_pair() for _ in range(5)]
    assert send_many([client for client, _ in pairs], bytearray(b"hello!"), 5, 0) == [5] * 5
    for _, server in pairs:
        buf = bytearray(9)
        assert recv(server, buf, 9, 0) == 5
        assert buf[:5] == b"hello"


def test_an_error_of_one_socket_does_not_affect_the_others(started: None) -> None:
    full, _full_peer = connected_pair()
    set_nonblocking(full)
    fill(full)
    shut, _shut_peer = connected_pair()
    assert shutdown(shut, SD_SEND) == 0
    good, good_peer = connected_pair()
    closed, _closed_peer = connected_pair()
    assert closesocket(closed) == 0
    assert send_many([closed, full, shut, good], b"x", 1, 0) == [
        -WSAENOTSOCK,
        -WSAEWOULDBLOCK,
        -WSAESHUTDOWN,
        1,
    ]
    assert recv(good_peer, bytearray(1), 1, 0) == 1


def test_a_nonblocking_socket_takes_what_fits_and_a_blocking_one_waits_until_its_timeout(started: None) -> None:
    much = bytes(32 * 1024 * 1024)
    patient, _peer = connected_pair()
    assert setsockopt(patient, winsock.SOL_SOCKET, winsock.SO_SNDTIMEO, u_long(50), 4) == 0
    assert send_many([patient], much, len(much), 0) == [-WSAETIMEDOUT]


def test_an_empty_message_and_an_empty_list_are_accepted(started: None) -> None:
    client, _server = connected_pair()
    assert send_many([], b"x", 1, 0) == []
    assert send_many([client, 1], b"", 0, 0) == [0, -WSAENOTSOCK]


@pytest.mark.wine_differs("send checks the handle before it checks that Winsock was started")
def test_before_wsastartup_each_result_is_wsanotinitialised(unstarted: None) -> None:
    assert send_many([4, 8], b"x", 1, 0) == [-WSANOTINITIALISED] * 2


def test_a_wrong_argument_raises_the_exception_of_send(started: None) -> None:
    client, _server = connected_pair()
    with pytest.raises(TypeError, match=r"^send_many\(\) argument 'buf': a bytes-like object is required, not 'str'$"):
        send_many([client], "text", 1, 0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^send_many\(\) argument 'len': an integer is required, not 'float'$"):
        send_many([client], b"x", 1.0, 0)  # type: ignore[arg-type]
    with pytest.raises(OverflowError, match=r"^send_many\(\) argument 'flags': 1099511627776 does not fit"):
        send_many([client], b"x", 1, 1 << 40)
    for sockets in ([1.5], (client, 1.5), iter([1.5]), {1.5: None}):
        with pytest.raises(TypeError, match=r"^send_many\(\) argument 'sockets': an integer is required, not 'float'$"):
            send_many(sockets, b"x", 1, 0)  # type: ignore[arg-type]
    with pytest.raises(OverflowError, match=r"^send_many\(\) argument 'sockets': \d+ does not fit"):
        send_many([1 << 70], b"x", 1, 0)
    with pytest.raises(
        TypeError, match=r"^send_many\(\) argument 'sockets': a sequence of sockets is required, not 'int'$"
    ):
        send_many(client, b"x", 1, 0)  # type: ignore[arg-type]


def test_an_exception_of_the_programs_own_sequence_is_not_replaced(started: None) -> None:
    class Failing:
        def __iter__(self) -> Iterator[int]:
            raise TypeError("mine")

    with pytest.raises(TypeError, match=r"^mine$"):
        send_many(Failing(), b"x", 1, 0)  # type: ignore[arg-type]


def test_a_sequence_that_reports_a_wrong_length_has_one_result_per_item(started: None) -> None:
    """Another thread may remove a socket from the list during the call."""

    class Shrinking(list[int]):
        def __len__(self) -> int:
            return 10_000_000

    client, _server = connected_pair()
    assert send_many(Shrinking([client]), b"x", 1, 0) == [1]


def test_an_item_that_changes_the_list_does_not_change_the_number_of_results(
    started: None,
) -> None:
    client, _server = connected_pair()
    sockets: list[int] = []

    class Handle:
        def __index__(self) -> int:
            sockets.clear()
            return client

    sockets += [Handle(), client, client]  # type: ignore[list-item]
    assert send_many(sockets, b"a", 1, 0) == [1, 1, 1]
    assert sockets == []


def test_invalid_socket_is_wsaenotsock(started: None) -> None:
    assert send_many([winsock.INVALID_SOCKET, -1], b"x", 1, 0) == [-WSAENOTSOCK] * 2
