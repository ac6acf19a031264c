"""Streams between hosts: loss, time-outs, resets, windows. 10 ms one way unless a test says otherwise."""

from __future__ import annotations

import errno

import pytest
from simulated_hosts_kit import MILLISECOND, SECOND, Host, Wire, sockaddr

from winsock import constants as c
from winsock.simulation.kernel.files import POLLHUP, POLLIN, POLLOUT, POLLRDHUP
from winsock.simulation.kernel.packets import ACK, FIN, RST, SYN, Address, Packet


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def server(wire: Wire) -> Host:
    return Host(wire, "10.0.0.1")


@pytest.fixture
def client(wire: Wire) -> Host:
    return Host(wire, "10.0.0.2")


def connected(server: Host, client: Host) -> tuple[int, int]:
    """The server's and the client's end of a connection."""
    listener = server.listener("10.0.0.1", 80)
    fd = client.connect("10.0.0.1", 80)
    server.wire.run(server.wire.now + SECOND)
    return server.accept(listener), fd


def receive_all(host: Host, fd: int) -> bytes:
    received = b""
    while isinstance(data := host.receive(fd), bytes) and data:
        received += data
    return received


def send_all(sender: Host, fd: int, receiver: Host, to: int, data: bytes) -> bytes:
    """Sends everything while the receiver reads: what has arrived after the last event."""
    received, rest = b"", memoryview(data)
    while rest or sender.wire.pending():
        count = sender.system.send(fd, rest, 0) if rest else 0
        assert count >= 0 or count == -errno.EAGAIN
        rest = rest[max(count, 0) :]
        sender.wire.run(sender.wire.now + 5 * MILLISECOND)
        received += receive_all(receiver, to)
        assert sender.wire.now < 3600 * SECOND
    return received


class TestOpening:
    def test_a_connect_takes_one_round_trip(self, server: Host, client: Host) -> None:
        server.listener("10.0.0.1", 80)
        fd = client.socket()
        assert client.system.connect(fd, sockaddr("10.0.0.1", 80)) == -errno.EINPROGRESS
        assert client.waiting.poll({fd: POLLOUT}, -1) == {fd: POLLOUT}
        assert client.wire.now == 20 * MILLISECOND

    def test_a_lost_syn_is_repeated_after_a_second(self, server: Host, client: Host) -> None:
        server.listener("10.0.0.1", 80)
        client.wire.drop = lambda packet: client.wire.now == 0
        fd = client.connect("10.0.0.1", 80)
        client.waiting.poll({fd: POLLOUT}, -1)
        assert client.wire.now == SECOND + 20 * MILLISECOND

    def test_an_option_that_is_set_meanwhile_does_not_stop_the_repetition(self, server: Host, client: Host) -> None:
        server.listener("10.0.0.1", 80)
        client.wire.drop = lambda packet: client.wire.now == 0
        fd = client.connect("10.0.0.1", 80)
        client.system.set_option(fd, c.IPPROTO_TCP, c.TCP_NODELAY, 1)
        assert client.waiting.poll({fd: POLLOUT}, 30_000) == {fd: POLLOUT}

    def test_an_absent_host_is_given_up_after_21_seconds(self, client: Host) -> None:
        fd = client.connect("10.0.0.9", 80)
        client.waiting.poll({fd: POLLOUT}, -1)
        assert client.wire.now == 21 * SECOND
        assert client.system.take_error(fd) == errno.ETIMEDOUT
        assert [packet.flags for packet in client.wire.sent] == [SYN] * 5

    def test_a_closed_port_is_refused_after_one_round_trip(self, server: Host, client: Host) -> None:
        fd = client.connect("10.0.0.1", 80)
        client.waiting.poll({fd: POLLOUT}, -1)
        assert client.wire.now == 20 * MILLISECOND
        assert client.system.take_error(fd) == errno.ECONNREFUSED

    def test_both_ends_may_connect_to_each_other(self, server: Host, client: Host) -> None:
        one, two = server.socket(), client.socket()
        server.system.bind(one, sockaddr("10.0.0.1", 1000))
        client.system.bind(two, sockaddr("10.0.0.2", 2000))
        server.system.connect(one, sockaddr("10.0.0.2", 2000))
        client.system.connect(two, sockaddr("10.0.0.1", 1000))
        server.wire.run(SECOND)
        server.system.send(one, b"hello", 0)
        server.wire.run(2 * SECOND)
        assert client.receive(two) == b"hello"

    def test_the_handshake_of_a_lost_third_packet_completes(self, server: Host, client: Host) -> None:
        listener = server.listener("10.0.0.1", 80)
        client.wire.drop = lambda packet: packet.flags == ACK and client.wire.now < SECOND
        client.connect("10.0.0.1", 80)
        client.wire.run(5 * SECOND)
        assert server.events(listener) == POLLIN


class TestTransfer:
    @pytest.mark.parametrize("lost", [0.0, 0.02, 0.2])
    def test_loss_delays_bytes_and_never_loses_them(self, server: Host, client: Host, lost: float) -> None:
        accepted, fd = connected(server, client)
        data = server.wire.random.randbytes(400_000)
        client.wire.drop = lambda packet: client.wire.random.random() < lost
        assert send_all(client, fd, server, accepted, data) == data

    def test_a_lost_packet_is_repeated_after_the_round_trip_time_but_200_ms(self, server: Host, client: Host) -> None:
        accepted, fd = connected(server, client)
        start = client.wire.now
        client.wire.drop = lambda packet: client.wire.now == start
        client.system.send(fd, b"x", 0)
        server.waiting.poll({accepted: POLLIN}, -1)
        assert client.wire.now == start + 210 * MILLISECOND

    def test_an_acknowledgement_ends_the_doubling_of_the_time_out(self, server: Host, client: Host) -> None:
        accepted, fd = connected(server, client)
        start = client.wire.now
        client.wire.drop = lambda packet: client.wire.now < start + 6 * SECOND
        client.system.send(fd, b"x", 0)
        client.wire.run(start + 20 * SECOND)
        assert server.receive(accepted) == b"x"
        again = client.wire.now
        client.wire.drop = lambda packet: client.wire.now == again
        client.system.send(fd, b"y", 0)
        server.waiting.poll({accepted: POLLIN}, -1)
        assert client.wire.now == again + 210 * MILLISECOND

    def test_a_window_that_opens_ends_the_doubling_of_the_time_out(self, server: Host, client: Host) -> None:
        accepted, fd = connected(server, client)
        while client.system.send(fd, bytes(10000), 0) > 0:
            client.wire.run(client.wire.now + SECOND)
        client.wire.run(client.wire.now + 100 * SECOND)
        client.wire.drop = lambda packet: bool(packet.payload)
        assert len(receive_all(server, accepted)) == 65536
        client.wire.run(client.wire.now + 10 * MILLISECOND)
        start = client.wire.now  # the window has opened, and the next packet is lost
        client.wire.drop = lambda packet: False
        server.waiting.poll({accepted: POLLIN}, -1)
        assert client.wire.now == start + 210 * MILLISECOND

    def test_later_packets_that_arrive_make_the_lost_one_come_sooner(self, server: Host, client: Host) -> None:
        accepted, fd = connected(server, client)
        client.system.set_option(fd, c.IPPROTO_TCP, c.TCP_NODELAY, 1)
        start = client.wire.now
        client.wire.drop = lambda packet: packet.payload == b"0" and client.wire.now == start
        for byte in b"01234":
            client.system.send(fd, bytes([byte]), 0)
        server.waiting.poll({accepted: POLLIN}, -1)
        assert client.wire.now == start + 30 * MILLISECOND
        client.wire.run(start + SECOND)
        assert server.receive(accepted) == b"01234"

    def test_small_sends_wait_for_the_acknowledgement_unless_no_delay_is_set(self, server: Host, client: Host) -> None:
        accepted, fd = connected(server, client)
        del client.wire.sent[:]
        for byte in b"abc":
            client.system.send(fd, bytes([byte]), 0)
        assert [packet.payload for packet in client.wire.sent] == [b"a"]
        client.wire.run(client.wire.now + 20 * MILLISECOND)
        assert [packet.payload for packet in client.wire.sent if packet.payload] == [b"a", b"bc"]
        client.system.set_option(fd, c.IPPROTO_TCP, c.TCP_NODELAY, 1)
        client.system.send(fd, b"d", 0)
        assert client.wire.sent[-1].payload == b"d"
        assert server.receive(accepted, 1) == b"a"

    def test_a_closed_window_opens_again_although_the_update_is_lost(self, server: Host, client: Host) -> None:
        accepted, fd = connected(server, client)
        while client.system.send(fd, bytes(10000), 0) > 0:
            client.wire.run(client.wire.now + SECOND)
        client.wire.run(client.wire.now + 10 * SECOND)
        client.wire.drop = lambda packet: packet.source.port == 80
        assert len(receive_all(server, accepted)) == 65536
        client.wire.run(client.wire.now + 10 * MILLISECOND)
        client.wire.drop = lambda packet: False
        server.waiting.poll({accepted: POLLIN}, -1)
        assert receive_all(server, accepted)

    def test_a_closed_window_is_asked_for_ever_while_the_peer_answers(self, server: Host, client: Host) -> None:
        accepted, fd = connected(server, client)
        while client.system.send(fd, bytes(10000), 0) > 0:
            client.wire.run(client.wire.now + SECOND)
        client.wire.run(client.wire.now + 3600 * SECOND)
        assert not client.events(fd) & POLLHUP
        assert len(receive_all(server, accepted)) == 65536

    def test_data_that_nobody_acknowledges_time_out_after_20_seconds(self, server: Host, client: Host) -> None:
        _, fd = connected(server, client)
        start = client.wire.now
        client.wire.drop = lambda packet: True
        client.system.send(fd, b"x", 0)
        client.wire.run(start + 20 * SECOND - 1)
        assert client.receive(fd) == -errno.EAGAIN
        client.wire.run(start + 20 * SECOND)
        assert client.receive(fd) == -errno.ETIMEDOUT

    def test_the_limit_of_time_can_be_set(self, server: Host, client: Host) -> None:
        _, fd = connected(server, client)
        start = client.wire.now
        client.stack.tcp.user_timeout = 3 * SECOND
        client.wire.drop = lambda packet: True
        client.system.send(fd, b"x", 0)
        client.wire.run(start + 3 * SECOND)
        assert client.receive(fd) == -errno.ETIMEDOUT

    def test_a_partition_that_heals_in_time_delays_the_data(self, server: Host, client: Host) -> None:
        accepted, fd = connected(server, client)
        start = client.wire.now
        client.wire.drop = lambda packet: client.wire.now < start + 10 * SECOND
        client.system.send(fd, b"late", 0)
        client.wire.run(start + 30 * SECOND)
        assert server.receive(accepted) == b"late"


class TestEnding:
    def test_close_sends_the_data_and_then_the_end(self, server: Host, client: Host) -> None:
        accepted, fd = connected(server, client)
        client.system.send(fd, bytes(50000), 0)
        client.close(fd)
        received = b""
        while data := server.receive(accepted):
            if isinstance(data, bytes):
                received += data
            server.wire.run(server.wire.now + 5 * MILLISECOND)
        assert received == bytes(50000)
        assert server.events(accepted) & (POLLRDHUP | POLLIN) == POLLRDHUP | POLLIN

    def test_closed_connections_leave_nothing_behind(self, server: Host, client: Host) -> None:
        for _ in range(50):
            listener = server.listener("10.0.0.1", 80)
            fd = client.connect("10.0.0.1", 80)
            server.wire.run(server.wire.now + SECOND)
            accepted = server.accept(listener)
            client.close(fd)
            server.wire.run(server.wire.now + SECOND)
            server.close(accepted)
            server.close(listener)
        server.wire.run(server.wire.now + 61 * SECOND)
        assert client.stack.sockets() == server.stack.sockets() == []
        assert server.wire.pending() == 0

    def test_one_end_may_close_without_the_other(self, server: Host, client: Host) -> None:
        accepted, fd = connected(server, client)
        client.system.shutdown_send(fd)
        server.wire.run(server.wire.now + SECOND)
        assert server.receive(accepted) == b""
        server.system.send(accepted, b"still", 0)
        server.wire.run(server.wire.now + SECOND)
        assert client.receive(fd) == b"still"

    def test_both_ends_may_close_at_once(self, server: Host, client: Host) -> None:
        accepted, fd = connected(server, client)
        client.close(fd)
        server.close(accepted)
        server.wire.run(server.wire.now + 61 * SECOND)
        assert client.stack.sockets() == []
        assert [info.state for info in server.stack.sockets()] == ["LISTEN"]

    def test_a_lost_end_is_repeated(self, server: Host, client: Host) -> None:
        accepted, fd = connected(server, client)
        start = client.wire.now
        client.wire.drop = lambda packet: client.wire.now == start
        client.close(fd)
        client.wire.run(start + SECOND)
        assert server.receive(accepted) == b""

    def test_data_for_a_closed_socket_reset_the_connection(self, server: Host, client: Host) -> None:
        accepted, fd = connected(server, client)
        client.close(fd)
        server.wire.run(server.wire.now + SECOND)
        server.system.send(accepted, b"x", 0)
        server.wire.run(server.wire.now + SECOND)
        assert server.system.send(accepted, b"x", 0) == -errno.EPIPE

    def test_linger_waits_for_the_acknowledgement(self, server: Host, client: Host) -> None:
        _, fd = connected(server, client)
        start = client.wire.now
        client.system.set_linger(fd, True, 5)
        client.system.send(fd, b"x", 0)
        client.close(fd)
        assert client.wire.now == start + 20 * MILLISECOND

    def test_linger_waits_no_longer_than_its_time(self, server: Host, client: Host) -> None:
        _, fd = connected(server, client)
        start = client.wire.now
        client.wire.drop = lambda packet: True
        client.system.set_linger(fd, True, 5)
        client.system.send(fd, b"x", 0)
        client.close(fd)
        assert client.wire.now == start + 5 * SECOND


class TestFaults:
    def test_a_host_that_has_restarted_resets_old_connections(self, wire: Wire, server: Host, client: Host) -> None:
        _, fd = connected(server, client)
        server.stack.crash()
        Host(wire, "10.0.0.1")
        client.system.send(fd, b"x", 0)
        wire.run(wire.now + SECOND)
        assert client.receive(fd) == -errno.ECONNRESET

    def test_a_crashed_host_is_silent(self, wire: Wire, server: Host, client: Host) -> None:
        accepted, fd = connected(server, client)
        server.stack.crash()
        assert server.system.send(accepted, b"x", 0) == -errno.EPIPE
        client.system.send(fd, b"x", 0)
        wire.run(wire.now + 30 * SECOND)
        assert client.receive(fd) == -errno.ETIMEDOUT

    def test_a_reset_ends_both_sides(self, server: Host, client: Host) -> None:
        accepted, fd = connected(server, client)
        local, peer = Address(b"\x0a\0\0\1", 80), Address(b"\x0a\0\0\2", client.port_of(fd))
        assert server.stack.reset(local, peer)
        assert client.stack.reset(peer, local)
        assert not server.stack.reset(local, peer)
        assert server.receive(accepted) == client.receive(fd) == -errno.ECONNRESET

    def test_a_restarted_client_gets_a_new_connection_with_the_old_port(
        self, wire: Wire, server: Host, client: Host
    ) -> None:
        listener = server.listener("10.0.0.1", 80)

        def connect(host: Host) -> int:
            fd = host.socket()
            host.system.bind(fd, sockaddr("10.0.0.2", 5000))
            host.system.connect(fd, sockaddr("10.0.0.1", 80))
            return fd

        connect(client)
        wire.run(SECOND)
        old = server.accept(listener)
        client.stack.crash()
        again = Host(wire, "10.0.0.2")
        fd = connect(again)
        wire.run(10 * SECOND)
        assert server.receive(old) == -errno.ECONNRESET
        assert server.accept(listener) > 0
        assert again.events(fd) == POLLOUT

    def test_keepalive_finds_a_peer_that_has_gone(self, server: Host, client: Host) -> None:
        _, fd = connected(server, client)
        for level, option, value in (
            (c.SOL_SOCKET, c.SO_KEEPALIVE, 1),
            (c.IPPROTO_TCP, c.TCP_KEEPALIVE, 30),
            (c.IPPROTO_TCP, c.TCP_KEEPINTVL, 2),
            (c.IPPROTO_TCP, c.TCP_KEEPCNT, 3),
        ):
            assert client.system.set_option(fd, level, option, value) == 0
        client.wire.run(client.wire.now + 600 * SECOND)
        assert client.receive(fd) == -errno.EAGAIN  # the peer answers
        client.wire.drop = lambda packet: True
        client.wire.run(client.wire.now + 40 * SECOND)
        assert client.receive(fd) == -errno.ETIMEDOUT

    def test_without_keepalive_a_dead_line_is_never_found(self, server: Host, client: Host) -> None:
        _, fd = connected(server, client)
        client.wire.drop = lambda packet: True
        client.wire.run(client.wire.now + 86400 * SECOND)
        assert client.receive(fd) == -errno.EAGAIN


class TestDatagrams:
    def test_a_datagram_crosses_the_wire(self, server: Host, client: Host) -> None:
        receiver, sender = server.socket(c.SOCK_DGRAM), client.socket(c.SOCK_DGRAM)
        server.system.bind(receiver, sockaddr("0.0.0.0", 53))
        client.system.sendto(sender, b"question", 0, sockaddr("10.0.0.1", 53))
        assert server.receive(receiver) == -errno.EAGAIN
        server.wire.run()
        data, name = server.receive_from(receiver)
        assert data == b"question"
        assert name[4:8] == bytes((10, 0, 0, 2))

    def test_a_closed_port_of_another_host_is_reported(self, server: Host, client: Host) -> None:
        fd = client.socket(c.SOCK_DGRAM)
        client.system.sendto(fd, b"x", 0, sockaddr("10.0.0.1", 53))
        client.wire.run()
        assert client.receive(fd) == -errno.ECONNREFUSED


def test_a_packet_describes_itself() -> None:
    packet = Packet("tcp", Address(b"\x0a\0\0\1", 80), Address(bytes(15) + b"\1", 81), FIN | ACK | RST, 1, 2, 3, b"abc")
    assert str(packet) == "tcp 10.0.0.1:80 > [::1]:81 ACK|FIN|RST seq=1 ack=2 window=3 3 bytes"
    assert packet.size == 63
