"""A peer over UDP."""

from __future__ import annotations

from ctypes import sizeof

import pytest
from winsock_kit import bound, error_of, loopback, port_of, set_nonblocking

from winsock import SOCK_DGRAM, SOCKET_ERROR, WSAEWOULDBLOCK, closesocket, recv, sendto
from winsock.testing import Peer

pytestmark = pytest.mark.usefixtures("started")


def received(s: int) -> bytes:
    buffer = bytearray(65_535)
    count = recv(s, buffer, len(buffer), 0)
    assert count != SOCKET_ERROR, error_of(count)
    return bytes(buffer[:count])


def send_to(s: int, peer_port: int, data: bytes) -> None:
    to = loopback(peer_port)
    assert sendto(s, data, len(data), 0, to, sizeof(to)) == len(data), error_of(SOCKET_ERROR)


def test_a_peer_answers_the_sender_of_the_last_datagram() -> None:
    first, second = bound(SOCK_DGRAM), bound(SOCK_DGRAM)
    script = Peer().datagrams().expect(b"one").send(b"1").expect(b"two").send(b"2")
    with script.start() as peer:
        send_to(first, peer.port, b"one")
        assert received(first) == b"1"
        send_to(second, peer.port, b"two")
        assert received(second) == b"2"


def test_a_peer_sends_to_its_address_without_having_received() -> None:
    s = bound(SOCK_DGRAM)
    with Peer().datagrams(("127.0.0.1", port_of(s))).send(b"tick").start():
        assert received(s) == b"tick"


def test_each_piece_is_a_datagram_of_its_own() -> None:
    s = bound(SOCK_DGRAM)
    with Peer().datagrams(port_of(s)).send(b"a", b"bcd", split=2).garbage(5, seed=1).start() as peer:
        assert [received(s), received(s)] == [b"ab", b"cd"]
        assert len(received(s)) == 5
    assert len(peer.sent) == 9


def test_receive_takes_a_number_of_datagrams() -> None:
    s = bound(SOCK_DGRAM)
    with Peer().datagrams().receive(2).send(b"thanks").start() as peer:
        send_to(s, peer.port, b"one")
        send_to(s, peer.port, b"two")
        assert received(s) == b"thanks"


def test_an_empty_datagram_counts() -> None:
    s = bound(SOCK_DGRAM)
    with Peer().datagrams().receive(1).send(b"x").start() as peer:
        send_to(s, peer.port, b"")
        assert received(s) == b"x"


def test_a_datagram_is_compared_as_a_whole() -> None:
    s = bound(SOCK_DGRAM)
    with pytest.raises(AssertionError, match=r"expect.*the datagram is b'tick and more'"):  # noqa: SIM117 - the order matters
        with Peer().datagrams().expect(b"tick").start() as peer:
            send_to(s, peer.port, b"tick and more")


def test_a_closed_port_does_not_end_the_script() -> None:
    gone = bound(SOCK_DGRAM)
    port = port_of(gone)
    closesocket(gone)
    s = bound(SOCK_DGRAM)
    with Peer().datagrams(port).send(b"x").wait(0.05).send(b"y").expect(b"z").start() as peer:
        send_to(s, peer.port, b"z")
    assert peer.sent == b"xy"


def test_the_peers_port_is_free_after_the_script() -> None:
    with Peer().datagrams().wait(0.01).start() as peer:
        pass
    closesocket(bound(SOCK_DGRAM, loopback(peer.port)))


def test_nothing_is_sent_before_the_first_datagram_has_arrived() -> None:
    s = bound(SOCK_DGRAM)
    with Peer().datagrams().expect(b"go").send(b"x").start() as peer:
        set_nonblocking(s)
        assert error_of(recv(s, bytearray(1), 1, 0)) == WSAEWOULDBLOCK
        send_to(s, peer.port, b"go")


@pytest.mark.parametrize("script", [Peer(), Peer(address="::1")], ids=repr)
def test_a_peer_sends_to_an_ipv6_address(script: Peer) -> None:
    receiver = Peer(address="::1").datagrams().expect(b"tick").start()
    with receiver, script.datagrams(receiver.address).send(b"tick").start() as sender:
        assert sender.address[0] == "::1"


def test_a_peer_sends_to_an_address_of_its_family() -> None:
    s = bound(SOCK_DGRAM)
    with Peer(address="127.0.0.1").datagrams(("localhost", port_of(s))).send(b"tick").start():
        assert received(s) == b"tick"


def test_a_destination_of_another_family_is_reported_when_the_peer_is_started() -> None:
    with pytest.raises(
        AssertionError, match=r"\[::1\]:9 is not of the family of the peer's address 127\.0\.0\.1: give"
    ):
        Peer(address="127.0.0.1").datagrams(("::1", 9)).send(b"tick").start()
