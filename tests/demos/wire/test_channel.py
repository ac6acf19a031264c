"""Channels: bounded input and output, time limits, and the two ways to end. The clock is a number of the test."""

from __future__ import annotations

from ctypes import sizeof

import pytest
from winsock_kit import (
    accept_from,
    listener,
    name_of,
    new,
    readable,
    receive_all,
    reset,
    set_nonblocking,
    set_option,
    writable,
)

from demos.wire.channel import LIMITS, Channel, Phase
from winsock import SD_SEND, SO_RCVBUF, SO_SNDBUF, closesocket, connect, recv, send, shutdown, sockaddr_in

pytestmark = pytest.mark.usefixtures("started")


@pytest.fixture
def ends(started: None) -> tuple[Channel, int]:
    """A channel and the blocking socket of its peer; small buffers of the system, so that they fill up."""
    server, peer = listener(), new()
    set_option(peer, SO_RCVBUF, 4096)
    assert connect(peer, name_of(server), sizeof(sockaddr_in)) == 0
    s = accept_from(server)
    set_option(s, SO_SNDBUF, 4096)
    set_nonblocking(s)
    return Channel(s, LIMITS._replace(received=1000)), peer


def fill(channel: Channel) -> int:
    """Send zeros until the system takes no more; the number of bytes."""
    size = 0
    while not channel.wants_write:
        channel.send(bytes(65536), 0)
        size += 65536
        assert size < 2**28
    return size


def read_until_finished(channel: Channel, peer: int, now: int = 0) -> bytes:
    """Everything that the peer receives up to the end, while the channel is flushed."""
    received = b""
    buf = bytearray(65536)
    while not received.endswith(b"END"):
        channel.flush(now)
        count = recv(peer, buf, len(buf), 0)
        assert count > 0
        received += buf[:count]
    return received


def test_one_receive_returns_at_most_its_limit(ends):
    channel, peer = ends
    assert channel.receive(0) == b""
    assert send(peer, bytes(2500), 2500, 0) == 2500
    received = []
    while sum(received) < 2500:
        assert readable(channel.socket)
        received.append(len(channel.receive(0)))
    assert max(received) <= 1000


def test_output_arrives_in_order_whatever_the_sizes_of_its_pieces(ends):
    channel, peer = ends
    size = fill(channel)
    pieces = [bytes([65 + index % 26]) * size for index, size in enumerate([1, 0, 5000, 3, 70_000, 4095, 4096, 1] * 3)]
    for piece in pieces:
        channel.send(piece, 0)
    channel.send(b"END", 0)
    assert read_until_finished(channel, peer) == bytes(size) + b"".join(pieces) + b"END"
    assert not channel.wants_write
    assert channel.unsent == 0


def test_output_above_its_limit_ends_the_channel(ends):
    channel, _ = ends
    fill(channel)
    channel.send(bytes(900_000), 0)
    assert channel.is_open
    channel.send(bytes(900_000), 0)
    assert channel.is_closed
    assert channel.reason == "the peer reads too slowly: more than 1048576 bytes are unsent"


def test_a_peer_that_stops_reading_ends_the_channel(ends):
    channel, _ = ends
    fill(channel)
    channel.check(29_999)
    assert channel.is_open
    channel.check(30_000)
    assert channel.is_closed
    assert channel.reason.startswith("the peer has read nothing for 30 s; ")


def test_a_peer_that_reads_a_little_now_and_then_ends_the_channel(ends):
    channel, peer = ends
    channel.limits = LIMITS._replace(unsent=2**28, stalled_ms=30_000, unsent_ms=60_000)
    size = fill(channel)
    channel.send(bytes(4 * size), 0)
    for now in (25_000, 50_000):
        receive_all(peer, size // 2)
        assert writable(channel.socket)
        channel.check(now)
        assert channel.is_open
    channel.check(59_999)
    assert channel.is_open
    channel.check(60_000)
    assert channel.is_closed
    assert channel.reason == "the peer reads too slowly: output was unsent for 60 s"


def test_time_without_output_does_not_count(ends):
    channel, peer = ends
    channel.send(b"one", 0)
    channel.check(10**9)
    channel.send(b"twoEND", 10**9)
    assert read_until_finished(channel, peer) == b"onetwoEND"
    assert channel.is_open


def test_finish_sends_everything_before_the_end(ends):
    channel, peer = ends
    size = fill(channel)
    channel.send(b"END", 0)
    channel.finish("", 0)
    assert (channel.is_open, channel.phase) == (False, Phase.FINISHING)
    channel.send(b"discarded", 0)
    assert read_until_finished(channel, peer) == bytes(size) + b"END"
    assert recv(peer, bytearray(1), 1, 0) == 0
    assert channel.phase is Phase.DRAINING
    closesocket(peer)
    assert readable(channel.socket)
    assert channel.receive(0) == b""
    assert channel.is_closed
    assert channel.reason == ""


def test_finish_discards_what_the_peer_still_sends_so_that_it_receives_everything(ends):
    channel, peer = ends
    channel.send(b"END", 0)
    assert send(peer, bytes(500), 500, 0) == 500
    channel.finish("a reason", 0)
    assert readable(channel.socket)
    assert channel.receive(0) == b""
    assert not channel.is_closed
    assert receive_all(peer, 100) == b"END"
    channel.check(1999)
    assert not channel.is_closed
    channel.check(2000)
    assert channel.is_closed
    assert channel.reason == "a reason"


def test_finish_after_the_peers_end_closes_at_once(ends):
    channel, peer = ends
    shutdown(peer, SD_SEND)
    assert readable(channel.socket)
    assert channel.receive(0) == b""
    assert (channel.ended, channel.is_open) == (True, True)
    channel.send(b"END", 0)
    channel.finish("", 0)
    assert channel.is_closed
    assert receive_all(peer, 100) == b"END"


def test_after_the_peers_end_the_socket_is_not_waited_for_although_it_stays_readable(ends):
    channel, peer = ends
    fill(channel)
    channel.finish("", 0)
    assert channel.wants_read
    shutdown(peer, SD_SEND)
    assert readable(channel.socket)
    assert channel.receive(0) == b""
    assert readable(channel.socket)
    assert (channel.wants_read, channel.wants_write) == (False, True)


def test_a_reset_ends_the_channel_with_its_error(ends):
    channel, peer = ends
    reset(peer)
    assert readable(channel.socket)
    assert channel.receive(0) == b""
    assert channel.is_closed
    assert channel.reason.startswith("Receive failed error: (#10054) WSAECONNRESET")


def test_the_first_reason_stays_and_later_calls_change_nothing(ends):
    channel, _ = ends
    channel.close("first")
    channel.close("second")
    channel.finish("third", 0)
    channel.send(b"data", 0)
    channel.flush(0)
    channel.check(10**9)
    assert channel.receive(0) == b""
    assert channel.reason == "first"
