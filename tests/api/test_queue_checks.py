"""How compat finds out that a listener's queue is full, and what it does where it cannot."""

from __future__ import annotations

import errno
import sys
from ctypes import c_int

import pytest
from winsock_kit import (
    accept_from,
    await_events,
    bound,
    error_of,
    events_of,
    listener,
    loopback,
    name_of,
    new,
    option,
    set_nonblocking,
)

from winsock import (
    POLLERR,
    POLLOUT,
    SO_ERROR,
    WSAECONNREFUSED,
    WSAENOTCONN,
    WSAEWOULDBLOCK,
    accept,
    closesocket,
    connect,
    getpeername,
    sockaddr_in,
)

pytestmark = [
    pytest.mark.usefixtures("started"),
    pytest.mark.skipif(sys.platform != "linux", reason="Linux alone drops the clients of a full queue"),
]

# An address for documentation (RFC 5737), which no interface has.
FOREIGN = 0xCB007101


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue is examined after a third of a second, and often: before the kernel repeats the client's request."""
    monkeypatch.setattr("winsock_compat.state.sockets._FIRST_QUEUE_CHECK", 0.3)
    monkeypatch.setattr("winsock_compat.state.sockets._QUEUE_CHECK_INTERVAL", 0.1)


def full() -> tuple[int, sockaddr_in]:
    """A listener with a full queue, and its address."""
    server = listener(1)
    name = name_of(server)
    assert connect(new(), name, 16) == 0
    return server, name


def client(name: sockaddr_in, s: int | None = None) -> int:
    s = new() if s is None else s
    set_nonblocking(s)
    assert error_of(connect(s, name, 16)) == WSAEWOULDBLOCK
    return s


def count_questions(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    from winsock_compat.posix import system

    asked: list[None] = []
    ask = system.open_diagnostics

    def counting(owner: system.Owner) -> int:
        asked.append(None)
        return ask(owner)

    monkeypatch.setattr(system, "open_diagnostics", counting)
    return asked


def test_a_connect_that_succeeds_at_once_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = count_questions(monkeypatch)
    server = listener(4)
    assert connect(new(), name_of(server), 16) == 0
    assert await_events(client(name_of(server)), POLLOUT) == POLLOUT
    assert asked == []


@pytest.mark.usefixtures("soon")
def test_a_queue_that_is_not_full_is_examined_again_until_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    _, name = full()
    s = client(name)
    answers = [True, False, False]
    monkeypatch.setattr("winsock_compat.posix.listen_queues.is_full", lambda local, peer: answers.pop())
    assert await_events(s, POLLERR) & POLLERR
    assert answers == []
    assert option(s, SO_ERROR) == WSAECONNREFUSED


@pytest.mark.usefixtures("soon")
def test_a_client_connects_if_the_queue_has_room_when_it_is_examined() -> None:
    server, name = full()
    s = client(name)
    accept_from(server)
    assert await_events(s, POLLOUT) == POLLOUT
    accept_from(server)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("number", [errno.EPERM, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT])
def test_a_client_waits_as_on_linux_where_the_kernel_may_not_be_asked(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("winsock_compat.posix.system.open_diagnostics", lambda owner: -number)
    server, name = full()
    s = client(name)
    assert events_of(s, POLLOUT, 600) == 0
    accept_from(server)
    assert await_events(s, POLLOUT) == POLLOUT


@pytest.mark.usefixtures("soon")
def test_an_answer_that_is_an_error_is_no_full_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    from winsock_compat.posix import system

    monkeypatch.setattr("winsock_compat.posix.listen_queues._BY_FAMILY", 0)  # a question that the kernel does not know
    assert system.LINUX
    server, name = full()
    s = client(name)
    assert events_of(s, POLLOUT, 600) == 0
    accept_from(server)
    assert await_events(s, POLLOUT) == POLLOUT


@pytest.mark.usefixtures("soon")
def test_a_full_queue_refuses_only_clients_of_this_machines_addresses() -> None:
    from winsock_compat.posix.listen_queues import is_full

    server, name = full()
    local, foreign = bytes(loopback(1)), loopback(0, FOREIGN)
    foreign.sin_port = name.sin_port
    assert is_full(local, bytes(name)) is True
    assert is_full(local, bytes(foreign)) is None
    accept_from(server)
    assert is_full(local, bytes(name)) is False
    assert closesocket(server) == 0
    assert is_full(local, bytes(name)) is False


def test_a_process_without_free_descriptors_asks_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    from winsock_compat.posix.listen_queues import is_full

    _, name = full()
    monkeypatch.setattr("winsock_compat.posix.system.socket", lambda *arguments: -errno.EMFILE)
    assert is_full(bytes(loopback(1)), bytes(name)) is False


@pytest.mark.usefixtures("soon")
def test_a_client_that_listens_after_its_refusal_gets_connections() -> None:
    from winsock import listen

    _, name = full()
    s = client(name, bound())
    assert await_events(s, POLLERR) & POLLERR
    assert listen(s, 1) == 0
    assert connect(new(), name_of(s), 16) == 0
    set_nonblocking(s)
    assert accept(s, None, None) > 0


@pytest.mark.usefixtures("soon")
def test_every_call_finds_out_about_the_refusal() -> None:
    _, name = full()
    s, other, later = client(name), client(name), client(name)
    assert await_events(later, POLLERR) & POLLERR  # by now it is time to examine the queue for the others too
    assert error_of(getpeername(s, sockaddr_in(), c_int(16))) == WSAENOTCONN
    assert option(other, SO_ERROR) == WSAECONNREFUSED
    assert error_of(connect(s, name, 16)) == WSAEWOULDBLOCK  # a new attempt: not WSAEALREADY
    blocking = new()
    assert error_of(connect(blocking, name, 16)) == WSAECONNREFUSED
