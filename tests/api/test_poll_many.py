"""WSAPoll over many sockets, which does not check each of them every time: the results are those of a few sockets."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from winsock_kit import (
    Running,
    accept_from,
    await_events,
    bound,
    connect_to,
    connected_pair,
    events_of,
    in_child,
    listener,
    name_of,
    new,
    set_option,
)

from winsock import (
    MAKEWORD,
    MSG_OOB,
    POLLHUP,
    POLLIN,
    POLLNVAL,
    POLLOUT,
    POLLRDBAND,
    POLLRDNORM,
    POLLWRNORM,
    SO_OOBINLINE,
    SOCK_DGRAM,
    SOCKET_ERROR,
    WSADATA,
    WSAPOLLFD,
    WSACleanup,
    WSAPoll,
    WSAStartup,
    closesocket,
    connect,
    recv,
    send,
    sendto,
)

pytestmark = pytest.mark.many_sockets

MANY = 100


@pytest.fixture
def many(started: None) -> list[int]:
    """Datagram sockets with nothing to read, which WSAPoll has looked at before."""
    sockets = [bound(SOCK_DGRAM) for _ in range(MANY)]
    assert shown(sockets) == {}
    return sockets


def shown(sockets: list[int], events: int = POLLIN) -> dict[int, int]:
    """The revents that are not 0, by place, as WSAPoll finds them without waiting."""
    count, found = look(sockets, events)
    assert count == sum(revents != POLLNVAL for revents in found.values())
    return found


def look(sockets: list[int], events: int = POLLIN) -> tuple[int, dict[int, int]]:
    """WSAPoll's result and the revents; a socket that another thread closes during the call is counted."""
    array = (WSAPOLLFD * len(sockets))(*[WSAPOLLFD(s, events, -1) for s in sockets])
    count = WSAPoll(array, len(sockets), 0)
    assert count != SOCKET_ERROR
    return count, {place: entry.revents for place, entry in enumerate(array) if entry.revents}


def tell(*sockets: int) -> None:
    """Sends a datagram to each, and returns when it is there."""
    sender = bound(SOCK_DGRAM)
    for s in sockets:
        assert sendto(sender, b"1", 1, 0, name_of(s), 16) == 1
        assert await_events(s, POLLRDNORM, POLLRDNORM) == POLLRDNORM
    assert closesocket(sender) == 0


@pytest.mark.parametrize("places", [[0], [MANY - 1], [3, 50, 51], [*range(10, 25)], [*range(10, 26)], [*range(MANY)]])
def test_just_those_are_told_that_have_something_to_read(many: list[int], places: list[int]) -> None:
    tell(*[many[place] for place in places])
    assert shown(many) == dict.fromkeys(places, POLLRDNORM)
    assert shown(many) == dict.fromkeys(places, POLLRDNORM)
    for place in places:
        assert recv(many[place], bytearray(1), 1, 0) == 1
    assert shown(many) == {}


def test_what_is_not_asked_about_is_not_told(many: list[int]) -> None:
    tell(many[0], many[1])
    assert shown(many[1:]) == {0: POLLRDNORM}
    assert shown(many[2:]) == {}
    assert shown(many, events=0) == {}
    assert shown(many, POLLRDBAND) == {}


@pytest.mark.wine_differs("WSAPoll counts 4 for a socket that is in the array twice")
def test_a_socket_that_is_in_the_array_twice_is_told_twice(many: list[int]) -> None:
    tell(many[7])
    assert shown([*many, many[7]]) == {7: POLLRDNORM, MANY: POLLRDNORM}


def test_all_of_many_can_be_written(many: list[int]) -> None:
    tell(many[7])
    assert shown(many, POLLOUT) == dict.fromkeys(range(MANY), POLLWRNORM)
    assert shown(many) == {7: POLLRDNORM}


def test_a_closed_socket_among_many_is_pollnval_and_a_new_one_is_not_taken_for_it(many: list[int]) -> None:
    tell(many[7])
    assert closesocket(many[7]) == 0
    assert shown(many) == {7: POLLNVAL}
    newer = bound(SOCK_DGRAM)
    assert shown(many) == {7: POLLNVAL}
    many[7] = newer
    assert shown(many) == {}
    tell(newer)
    assert shown(many) == {7: POLLRDNORM}


def test_a_listener_and_its_clients_are_among_many(many: list[int]) -> None:
    server = listener()
    many.append(server)
    assert shown(many) == {}
    client = connect_to(server)
    await_events(server, POLLRDNORM, POLLRDNORM)
    assert shown(many) == {MANY: POLLRDNORM}
    accepted = accept_from(server)
    many.append(accepted)
    assert shown(many) == {}
    assert send(client, b"12", 2, 0) == 2
    await_events(accepted, POLLRDNORM, POLLRDNORM)
    assert shown(many) == {MANY + 1: POLLRDNORM}
    assert recv(accepted, bytearray(2), 2, 0) == 2
    assert send(client, b"!", 1, MSG_OOB) == 1
    await_events(accepted, POLLRDBAND, POLLRDBAND)
    assert shown(many) == {MANY + 1: POLLRDBAND}
    assert recv(accepted, bytearray(1), 1, MSG_OOB) == 1
    assert closesocket(client) == 0
    await_events(accepted, POLLHUP, POLLRDNORM)
    assert shown(many) == {MANY + 1: POLLHUP}


def test_a_stream_that_connects_later_is_told_from_then_on(many: list[int]) -> None:
    client, server = new(), listener()
    many.append(client)
    shown(many)
    assert connect(client, name_of(server), 16) == 0
    accepted = accept_from(server)
    assert send(accepted, b"1", 1, 0) == 1
    await_events(client, POLLRDNORM, POLLRDNORM)
    assert shown(many) == {MANY: POLLRDNORM}


def test_an_urgent_byte_that_an_option_makes_readable_is_told(many: list[int]) -> None:
    client, accepted = connected_pair()
    many.append(accepted)
    assert shown(many) == {}
    assert send(client, b"!", 1, MSG_OOB) == 1
    await_events(accepted, POLLRDBAND, POLLRDBAND)
    assert recv(accepted, bytearray(1), 1, MSG_OOB) == 1
    shown(many)
    set_option(accepted, SO_OOBINLINE, 1)
    assert shown(many).get(MANY, 0) == events_of(accepted, POLLIN)


def test_a_wait_for_many_ends_with_the_first_that_has_something(many: list[int]) -> None:
    tell(many[7])
    array = (WSAPOLLFD * MANY)(*[WSAPOLLFD(s, POLLIN) for s in many])
    assert WSAPoll(array, MANY, -1) == 1
    assert recv(many[7], bytearray(1), 1, 0) == 1
    assert WSAPoll(array, MANY, 20) == 0


@pytest.mark.wine_differs(
    "closing a socket that another thread polls can end wineserver (an assertion in set_fd_events)", run=False
)
def test_threads_that_look_are_not_disturbed_by_those_that_open_and_close(many: list[int]) -> None:
    tell(many[7])
    opened: list[int] = []
    done = threading.Event()

    def look_on() -> int:
        looks = 0
        while not looks or not done.is_set():  # the thread may be scheduled only after done was set
            newest = opened[-8:]
            count, found = look([*many, *newest])
            assert 1 <= count <= len(found)
            assert found.pop(7) == POLLRDNORM
            assert set(found) <= set(range(MANY, MANY + len(newest)))
            assert set(found.values()) <= {POLLRDNORM, POLLNVAL}
            looks += 1
        return looks

    lookers = [Running(look_on) for _ in range(3)]
    for _ in range(100):
        opened.append(bound(SOCK_DGRAM))
        for s in opened[-4:-3]:
            tell(s)
            assert closesocket(s) == 0
    done.set()
    assert all(looker.result() > 0 for looker in lookers)
    for s in opened[-3:]:
        assert closesocket(s) == 0
    assert shown(many) == {7: POLLRDNORM}


@pytest.mark.wine_differs(
    "closing a socket that another thread polls can end wineserver (an assertion in set_fd_events)", run=False
)
def test_the_last_cleanup_may_come_while_many_are_looked_at(many: list[int]) -> None:
    """What a look says then is its own affair; nothing is left of it afterwards."""

    def look_on() -> None:
        array = (WSAPOLLFD * MANY)(*[WSAPOLLFD(s, POLLIN) for s in many])
        while WSAPoll(array, MANY, 0) == 0 and not any(entry.revents for entry in array):
            pass

    for _ in range(20):
        lookers = [Running(look_on) for _ in range(2)]
        assert WSACleanup() == 0
        for looker in lookers:
            looker.result()
        assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
        many[:] = [bound(SOCK_DGRAM) for _ in range(MANY)]
        tell(many[9])
        assert shown(many) == {9: POLLRDNORM}
        assert recv(many[9], bytearray(1), 1, 0) == 1


def test_many_are_known_again_after_the_last_cleanup(many: list[int]) -> None:
    assert WSACleanup() == 0
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    again = [bound(SOCK_DGRAM) for _ in range(MANY)]
    assert shown(again) == {}
    tell(again[7])
    assert shown(again) == {7: POLLRDNORM}


@pytest.mark.posix_only("Windows has no fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_child_and_its_parent_ask_about_many_without_disturbing_each_other(many: list[int]) -> None:
    def ask() -> None:
        assert shown(many) == {}
        tell(many[1])
        assert shown(many) == {1: POLLRDNORM}
        assert recv(many[1], bytearray(1), 1, 0) == 1
        for s in many:
            assert closesocket(s) == 0

    in_child(ask)
    assert shown(many) == {}
    tell(many[7])
    assert shown(many) == {7: POLLRDNORM}


# Hooks of fork run in the order of their registration: this one comes before any of compat's own.
CLOSING_CHILD = """
import os
os.register_at_fork(after_in_child=lambda: [closesocket(s) for s in many])
from test_poll_many import MAKEWORD, SOCK_DGRAM, WSADATA, WSAStartup, bound, closesocket, shown, tell
assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
many = [bound(SOCK_DGRAM) for _ in range(100)]
assert shown(many) == {}
child = os.fork()
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
tell(many[7])
print(shown(many))
"""


@pytest.mark.posix_only("Windows has no fork")
def test_what_a_child_closes_in_a_hook_of_its_own_stays_known_to_its_parent() -> None:
    here = Path(__file__).parent
    paths = [str(here), str(here.parent / "kits")]
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {paths}{CLOSING_CHILD}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == f"{ {7: int(POLLRDNORM)} }\n", done.stderr


@pytest.mark.posix_only("Windows has no fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_what_a_child_hears_on_a_socket_that_its_parent_has_closed_is_not_told_to_the_parent(many: list[int]) -> None:
    here, there = os.pipe(), os.pipe()
    child = os.fork() if sys.platform != "win32" else 0
    if child == 0:
        code = 1
        try:
            os.read(there[0], 1)
            tell(many[7])
            os.write(here[1], b"told")
            os.read(there[0], 1)
            code = 0
        finally:
            os._exit(code)
    closed = many.pop(7)
    assert closesocket(closed) == 0
    os.write(there[1], b"1")
    assert os.read(here[0], 4) == b"told"
    assert shown(many) == {}
    tell(many[8])
    assert shown(many) == {8: POLLRDNORM}
    os.write(there[1], b"2")
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    for end in (*here, *there):
        os.close(end)
