"""A peer on real loopback, as the server and as the client of a connection."""

from __future__ import annotations

import threading
from ctypes import sizeof

import pytest
from winsock_kit import (
    LIMIT_SECONDS,
    Running,
    accept_from,
    bound,
    error_of,
    listener,
    loopback,
    new,
    port_of,
    receive_all,
    reset,
    set_nonblocking,
    writable,
)

from winsock import (
    AF_INET6,
    MAKEWORD,
    SD_SEND,
    SOCKET_ERROR,
    WSADATA,
    WSAEADDRINUSE,
    WSAECONNABORTED,
    WSAECONNRESET,
    WSAEWOULDBLOCK,
    WSACleanup,
    WSAStartup,
    closesocket,
    connect,
    listen,
    recv,
    send,
    shutdown,
)
from winsock.testing import Peer, RunningPeer

pytestmark = pytest.mark.usefixtures("started")


def connected(peer: RunningPeer) -> int:
    """A client of the peer."""
    s = new()
    assert connect(s, peer.sockaddr, sizeof(peer.sockaddr)) == 0, error_of(SOCKET_ERROR)
    return s


def send_all(s: int, data: bytes) -> None:
    assert send(s, data, len(data), 0) == len(data), error_of(SOCKET_ERROR)


def is_reset(s: int) -> bool:
    """Whether the connection ends with a reset."""
    while (count := recv(s, bytearray(4096), 4096, 0)) > 0:
        pass
    return count == SOCKET_ERROR and error_of(count) in (WSAECONNRESET, WSAECONNABORTED)


def test_a_server_sends_stalls_and_resets() -> None:
    script = Peer().accept().send(b"<<EURUSD|0.").wait(0.05).send(b"25>>\0").stall(0.05).reset()
    with script.start() as peer:
        s = connected(peer)
        assert receive_all(s, 16) == b"<<EURUSD|0.25>>\0"
        assert is_reset(s)
    assert peer.sent == b"<<EURUSD|0.25>>\0"
    assert peer.received == b""


def test_the_pause_between_two_sends_has_at_least_its_length() -> None:
    with Peer().accept().send(b"a").wait(0.05).send(b"b").start() as peer:
        assert receive_all(connected(peer), 3) == b"ab"
    first, second = (entry.time for entry in peer.conversation.entries if entry.data)
    # Both are differences of floats.
    assert round(second - first, 6) >= 0.05


def test_a_server_receives_what_it_expects() -> None:
    with Peer().accept().expect(b"GET ").receive(2).expect(b"x").send(b"200").start() as peer:
        s = connected(peer)
        for part in (b"G", b"ET ", b"12x"):
            send_all(s, part)
        assert receive_all(s, 4) == b"200"
    assert peer.received == b"GET 12x"


def test_pieces_of_a_split_message_arrive_one_after_the_other() -> None:
    with Peer().accept().expect(b"go").send(b"abc", b"de", split=2, pause=0.05).start() as peer:
        s = connected(peer)
        send_all(s, b"go")
        assert receive_all(s, 6) == b"abcde"
    assert [entry.data for entry in peer.conversation.entries if entry.direction == "sent"] == [b"ab", b"cd", b"e"]


def test_coalesced_messages_go_in_one_call() -> None:
    with Peer().accept().send(b"one\0", b"two\0").start() as peer:
        assert receive_all(connected(peer), 9) == b"one\0two\0"
    assert [entry.data for entry in peer.conversation.entries if entry.direction == "sent"] == [b"one\0two\0"]


def test_a_half_closed_peer_receives_until_the_end() -> None:
    with Peer().accept().send(b"bye").half_close().expect(b"late").expect_end().start() as peer:
        s = connected(peer)
        assert receive_all(s, 4) == b"bye"
        send_all(s, b"late")
        assert shutdown(s, SD_SEND) == 0


def test_the_end_of_the_script_closes_the_connection_in_an_orderly_way() -> None:
    with Peer().accept().send(b"x").wait(0.05).start() as peer:
        s = connected(peer)
        send_all(s, b"unread by the script")
        assert receive_all(s, 2) == b"x"


def test_what_arrives_during_a_wait_is_kept_for_later_expectations() -> None:
    with Peer().accept().send(b"go").wait(0.1).expect(b"early").start() as peer:
        s = connected(peer)
        assert receive_all(s, 2) == b"go"
        send_all(s, b"early")
        assert receive_all(s, 1) == b""


def test_a_peer_expects_a_reset() -> None:
    with Peer().accept().send(b"x").expect_reset().start() as peer:
        s = connected(peer)
        send_all(s, b"ignored")
        assert receive_all(s, 1) == b"x"
        reset(s)


def test_a_reset_while_the_peer_sends_is_the_one_that_it_expects() -> None:
    with Peer(send_buffer=4096).accept().send(bytes(20_000_000)).expect_reset().start() as peer:
        s = connected(peer)
        assert receive_all(s, 1000) == bytes(1000)
        reset(s)


def test_a_reset_may_discard_the_data_before_it() -> None:
    with Peer().accept().send(b"x").expect(b"bye").expect_reset().start() as peer:
        s = connected(peer)
        assert receive_all(s, 1) == b"x"
        send_all(s, b"bye")
        reset(s)


def test_a_peer_repeats_what_it_sends_until_the_reset_that_it_expects() -> None:
    with Peer().accept().send(b"x").wait(0.01).repeat(100_000, last=2).expect_reset().start() as peer:
        s = connected(peer)
        assert receive_all(s, 2) == b"xx"
        reset(s)


def test_a_stalling_peer_lets_the_other_sides_buffers_fill() -> None:
    with Peer(receive_buffer=4096).accept().stall(600).start() as peer:
        s = connected(peer)
        set_nonblocking(s)
        while writable(s, 0):
            count = send(s, bytes(65_536), 65_536, 0)
            assert count > 0 or error_of(count) == WSAEWOULDBLOCK
        peer.stop()
    assert peer.received == b""


def test_a_slow_reader_takes_no_more_than_its_rate() -> None:
    with Peer(receive_buffer=4096).accept().read_slowly(20_000, count=2_000).start() as peer:
        s = connected(peer)
        send_all(s, bytes(2_000))
        assert receive_all(s, 1) == b""
    arrivals = [(entry.time, len(entry.data)) for entry in peer.conversation.entries if entry.data]
    assert sum(length for _, length in arrivals) == 2_000
    # The reading began after the connection.
    start = peer.conversation.entries[0].time
    total = 0
    for moment, length in arrivals:
        total += length
        assert total <= (moment - start) * 20_000 + 1


def test_a_slow_reader_reads_until_the_end_of_the_stream() -> None:
    with Peer().accept().read_slowly(1_000_000).send(b"done").start() as peer:
        s = connected(peer)
        send_all(s, b"x" * 1_000)
        assert shutdown(s, SD_SEND) == 0
        assert receive_all(s, 5) == b"done"
    assert peer.received == b"x" * 1_000


def test_steps_are_repeated_with_a_new_connection_each_time() -> None:
    with Peer().accept().expect(b"ping").send(b"pong").close().repeat(3).start() as peer:
        for _ in range(3):
            s = connected(peer)
            send_all(s, b"ping")
            assert receive_all(s, 5) == b"pong"
            closesocket(s)


def test_a_script_runs_several_times_and_at_the_same_time() -> None:
    script = Peer().accept().send(b"x")
    with script.start() as first, script.start() as second:
        assert first.port != second.port
        assert receive_all(connected(second), 2) == b"x"
        assert receive_all(connected(first), 2) == b"x"


def test_a_client_connects_sends_and_expects() -> None:
    server = listener()
    with Peer().connect(port_of(server)).send(b"GET /").expect(b"200").expect_end().start():
        s = accept_from(server)
        assert receive_all(s, 5) == b"GET /"
        send_all(s, b"200")
        closesocket(s)


def test_a_client_tries_again_until_the_server_listens() -> None:
    server = bound()
    with Peer(limit=LIMIT_SECONDS).connect(("127.0.0.1", port_of(server))).send(b"x").start():
        # The peer has been refused, or connects only now; both are right.
        assert listen(server, 5) == 0
        assert receive_all(accept_from(server), 2) == b"x"


def test_a_peer_serves_ipv6() -> None:
    with Peer(address="::1").accept().send(b"six").start() as peer:
        assert peer.address == ("::1", peer.port)
        s = new(family=AF_INET6)
        assert connect(s, peer.sockaddr, sizeof(peer.sockaddr)) == 0
        assert receive_all(s, 4) == b"six"


def test_a_peer_serves_the_port_that_it_is_given() -> None:
    free = bound()
    port = port_of(free)
    closesocket(free)
    with Peer(port=port).accept().start() as peer:
        assert peer.address == ("127.0.0.1", port)
        closesocket(connected(peer))


def test_a_port_in_use_is_reported_when_the_peer_is_started() -> None:
    port = port_of(listener())
    with pytest.raises(AssertionError, match=rf"cannot use the address 127\.0\.0\.1:{port}: .*#{WSAEADDRINUSE:d}\)"):
        Peer(port=port).accept().start()


def test_stop_ends_every_wait() -> None:
    scripts = [
        Peer().accept(),
        Peer().wait(600).accept(),
        Peer(limit=600).connect(port_of(bound())),
        Peer(limit=600).datagrams().expect(b"x"),
    ]
    for script in scripts:
        with script.start() as peer:
            peer.stop()
        assert peer.conversation.entries[-1].event == "the peer was stopped"


def test_a_finished_peer_leaves_no_thread_no_socket_and_no_start() -> None:
    threads = threading.active_count()
    with Peer().accept().send(b"x").start() as peer:
        s = connected(peer)
        assert receive_all(s, 2) == b"x"
        closesocket(s)
    assert threading.active_count() == threads
    assert connect(new(), loopback(peer.port), 16) == SOCKET_ERROR
    # The fixture's start is the only one.
    assert WSACleanup() == 0
    assert WSACleanup() == SOCKET_ERROR
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0


def test_a_client_has_no_address_of_its_own() -> None:
    server = listener()
    with (
        Peer().connect(port_of(server)).start() as peer,
        pytest.raises(ValueError, match="a peer that connects has no address of its own"),
    ):
        _ = peer.port


def test_a_program_in_another_thread_meets_the_peer() -> None:
    with Peer().accept().expect(b"hello\0").send(b"world\0").start() as peer:

        def program() -> bytes:
            s = connected(peer)
            send_all(s, b"hello\0")
            return receive_all(s, 7)

        assert Running(program).result() == b"world\0"
