"""Streams and datagrams within one host, through the seam."""

from __future__ import annotations

import errno
import tracemalloc

import pytest
from simulated_hosts_kit import Host, Wire, sockaddr

from winsock import constants as c
from winsock.simulation.kernel.files import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDHUP


@pytest.fixture
def host() -> Host:
    return Host(Wire())


def pair(host: Host) -> tuple[int, int]:
    """A client and the socket that was accepted for it."""
    listener = host.listener("127.0.0.1", 0)
    client = host.connect("127.0.0.1", host.port_of(listener))
    return client, host.accept(listener)


class TestStream:
    def test_connect_to_an_own_listener_succeeds_before_it_returns(self, host: Host) -> None:
        listener = host.listener("127.0.0.1", 5000)
        client = host.socket()
        assert host.events(listener) == 0
        assert host.system.connect(client, sockaddr("127.0.0.1", 5000)) == 0
        assert host.events(client) == POLLOUT
        assert host.events(listener) == POLLIN

    def test_accept_gives_the_peer_and_the_local_address(self, host: Host) -> None:
        client, accepted = pair(host)
        assert host.system.getsockname(accepted)[1][:8] != host.system.getsockname(client)[1][:8]
        assert host.system.has_peer(accepted)
        assert host.system.has_peer(client)

    def test_accept_without_a_client_would_block(self, host: Host) -> None:
        assert host.accept(host.listener("127.0.0.1", 0)) == -errno.EAGAIN

    def test_bytes_arrive_in_order_before_send_returns(self, host: Host) -> None:
        client, accepted = pair(host)
        assert host.system.send(client, b"one", 0) == 3
        assert host.system.send(client, b"two", 0) == 3
        assert host.events(accepted) == POLLIN | POLLOUT
        assert host.system.bytes_available(accepted) == 6
        assert host.receive(accepted, 4, c.MSG_PEEK) == b"onet"
        assert host.receive(accepted, 4) == b"onet"
        assert host.receive(accepted) == b"wo"
        assert host.receive(accepted) == -errno.EAGAIN

    def test_a_receiver_that_does_not_read_stops_the_sender_and_loses_nothing(self, host: Host) -> None:
        client, accepted = pair(host)
        sent = bytearray()
        for at in range(100):
            chunk = bytes([at]) * 9000
            count = host.system.send(client, chunk, 0)
            if count < 0:
                break
            sent += chunk[:count]
        assert count == -errno.EAGAIN
        assert not host.events(client) & POLLOUT
        assert len(sent) == 2 * 65536  # both buffers
        received = b""
        while isinstance(data := host.receive(accepted, 5000), bytes):
            received += data
        assert received == sent
        assert host.events(client) & POLLOUT

    def test_the_end_of_the_stream_comes_after_the_data(self, host: Host) -> None:
        client, accepted = pair(host)
        host.system.send(client, b"last", 0)
        assert host.system.shutdown_send(client) == 0
        assert host.events(accepted) == POLLIN | POLLOUT | POLLRDHUP
        assert host.receive(accepted) == b"last"
        assert host.receive(accepted) == b""
        assert host.system.send(client, b"more", 0) == -errno.EPIPE
        assert host.system.send(accepted, b"answer", 0) == 6
        assert host.receive(client) == b"answer"

    def test_a_stream_that_both_sides_have_ended_hangs_up(self, host: Host) -> None:
        client, accepted = pair(host)
        host.system.shutdown_send(client)
        host.system.shutdown_send(accepted)
        assert host.events(accepted) == POLLIN | POLLOUT | POLLRDHUP | POLLHUP
        assert host.system.is_connection_gone(accepted)

    def test_connect_to_a_closed_port_is_refused_and_reported_once(self, host: Host) -> None:
        client = host.connect("127.0.0.1", 5000)
        assert host.events(client) & (POLLERR | POLLHUP) == POLLERR | POLLHUP
        assert host.system.take_error(client) == errno.ECONNREFUSED
        assert host.system.take_error(client) == 0

    def test_a_failed_socket_can_connect_again(self, host: Host) -> None:
        client = host.connect("127.0.0.1", 5000)
        listener = host.listener("127.0.0.1", 5000)
        assert host.system.disconnect(client) == 0
        assert host.system.connect(client, sockaddr("127.0.0.1", 5000)) == 0
        assert host.accept(listener) > 0

    def test_close_with_unread_data_resets_the_peer(self, host: Host) -> None:
        client, accepted = pair(host)
        host.system.send(client, b"unread", 0)
        host.close(accepted)
        assert host.receive(client) == -errno.ECONNRESET
        assert host.receive(client) == b""
        assert host.system.send(client, b"x", 0) == -errno.EPIPE

    def test_linger_of_zero_seconds_resets_the_peer(self, host: Host) -> None:
        client, accepted = pair(host)
        host.system.set_linger(client, True, 0)
        host.close(client)
        assert host.receive(accepted) == -errno.ECONNRESET

    def test_data_that_arrived_before_a_reset_is_received_first(self, host: Host) -> None:
        client, accepted = pair(host)
        host.system.send(client, b"kept", 0)
        host.system.set_linger(client, True, 0)
        host.close(client)
        assert host.receive(accepted) == b"kept"
        assert host.receive(accepted) == -errno.ECONNRESET

    def test_abort_resets_the_peer_and_leaves_no_error(self, host: Host) -> None:
        client, accepted = pair(host)
        host.system.abort(client)
        assert host.system.take_error(client) == 0
        assert host.receive(accepted) == -errno.ECONNRESET

    def test_data_to_a_closed_socket_resets_the_sender(self, host: Host) -> None:
        client, accepted = pair(host)
        host.close(accepted)
        assert host.receive(client) == b""
        assert host.system.send(client, b"x", 0) == 1
        assert host.system.send(client, b"x", 0) == -errno.EPIPE

    def test_a_fresh_stream_hangs_up_in_poll(self, host: Host) -> None:
        assert host.events(host.socket()) == POLLOUT | POLLHUP

    def test_a_socket_can_connect_to_itself(self, host: Host) -> None:
        fd = host.socket()
        host.system.bind(fd, sockaddr("127.0.0.1", 5000))
        assert host.system.connect(fd, sockaddr("127.0.0.1", 5000)) == 0
        host.system.send(fd, b"me", 0)
        assert host.receive(fd) == b"me"

    def test_a_closed_listener_resets_its_queue(self, host: Host) -> None:
        listener = host.listener("127.0.0.1", 5000)
        client = host.connect("127.0.0.1", 5000)
        host.close(listener)
        assert host.receive(client) == -errno.ECONNRESET


class TestSecondConnect:
    def test_it_reports_the_failure_of_the_first_once(self, host: Host) -> None:
        client = host.connect("127.0.0.1", 5000)
        again = host.system.connect
        assert again(client, sockaddr("127.0.0.1", 5000)) == -errno.ECONNREFUSED
        host.listener("127.0.0.1", 5000)
        assert again(client, sockaddr("127.0.0.1", 5000)) == 0

    def test_a_failure_that_was_taken_before_is_an_aborted_connection(self, host: Host) -> None:
        client = host.connect("127.0.0.1", 5000)
        assert host.system.take_error(client) == errno.ECONNREFUSED
        assert host.system.connect(client, sockaddr("127.0.0.1", 5000)) == -errno.ECONNABORTED

    def test_a_connect_under_way_is_already_begun(self, host: Host) -> None:
        host.listener("127.0.0.1", 5000, backlog=1)
        host.connect("127.0.0.1", 5000)
        waiting = host.connect("127.0.0.1", 5000)
        assert host.system.connect(waiting, sockaddr("127.0.0.1", 5000)) == -errno.EALREADY

    def test_a_connected_socket_is_connected(self, host: Host) -> None:
        client, _ = pair(host)
        assert host.system.connect(client, sockaddr("127.0.0.1", 5000)) == -errno.EISCONN

    def test_the_port_of_a_failed_connect_is_free(self, host: Host) -> None:
        client = host.connect("127.0.0.1", 5000)
        assert host.system.bind(client, sockaddr("127.0.0.1", 5001)) == 0

    def test_an_error_outlives_a_disconnect(self, host: Host) -> None:
        client = host.connect("127.0.0.1", 5000)
        host.system.disconnect(client)
        assert host.events(client) == POLLOUT | POLLHUP | POLLERR
        assert host.receive(client) == -errno.ECONNREFUSED
        assert host.receive(client) == -errno.ENOTCONN

    def test_a_listener_neither_receives_nor_ends(self, host: Host) -> None:
        listener = host.listener("127.0.0.1", 5000)
        assert host.receive(listener) == -errno.ENOTCONN
        assert host.receive(listener, 1, c.MSG_OOB) == -errno.ENOTCONN
        assert host.system.shutdown_send(listener) == 0
        assert host.system.is_listening(listener)


class TestQueue:
    def test_a_full_queue_leaves_the_client_connecting_until_there_is_room(self, host: Host) -> None:
        listener = host.listener("127.0.0.1", 5000, backlog=2)
        clients = [host.connect("127.0.0.1", 5000) for _ in range(3)]
        assert [host.events(fd) for fd in clients] == [POLLOUT, POLLOUT, 0]
        full = host.modules["listen_queues"].is_full
        assert full(sockaddr("127.0.0.1", 0), sockaddr("127.0.0.1", 5000)) is True
        host.accept(listener)
        assert full(sockaddr("127.0.0.1", 0), sockaddr("127.0.0.1", 5000)) is False
        host.wire.run(until=1_000_000_000)
        assert host.events(clients[2]) == POLLOUT

    def test_the_queue_of_another_host_is_unknown(self, host: Host) -> None:
        full = host.modules["listen_queues"].is_full
        assert full(sockaddr("10.0.0.1", 0), sockaddr("10.0.0.2", 5000)) is None

    def test_a_connect_that_nobody_answers_times_out_after_21_seconds(self, host: Host) -> None:
        host.listener("127.0.0.1", 5000, backlog=1)
        host.connect("127.0.0.1", 5000)
        client = host.connect("127.0.0.1", 5000)
        host.wire.run(until=20_999_999_999)
        assert host.events(client) == 0
        host.wire.run(until=21_000_000_000)
        assert host.system.take_error(client) == errno.ETIMEDOUT


class TestUrgent:
    def test_the_urgent_byte_is_received_apart(self, host: Host) -> None:
        client, accepted = pair(host)
        host.system.send(client, b"ab", 0)
        host.system.send(client, b"!", c.MSG_OOB)
        host.system.send(client, b"cd", 0)
        assert host.events(accepted) == POLLIN | POLLOUT | POLLPRI
        assert host.system.bytes_available(accepted) == 2
        assert host.receive(accepted, 1, c.MSG_OOB) == b"!"
        assert host.receive(accepted, 1, c.MSG_OOB) == -errno.EINVAL
        assert host.receive(accepted) == b"ab"
        assert host.receive(accepted) == b"cd"

    def test_inline_the_urgent_byte_has_its_place(self, host: Host) -> None:
        client, accepted = pair(host)
        host.system.set_option(accepted, c.SOL_SOCKET, c.SO_OOBINLINE, 1)
        host.system.send(client, b"ab!", c.MSG_OOB)
        assert host.receive(accepted) == b"ab"
        assert host.receive(accepted) == b"!"
        assert host.receive(accepted, 1, c.MSG_OOB) == -errno.EINVAL

    def test_without_an_urgent_byte_there_is_none(self, host: Host) -> None:
        client, _ = pair(host)
        assert host.receive(client, 1, c.MSG_OOB) == -errno.EINVAL


class TestDatagrams:
    def test_a_datagram_arrives_whole_with_its_sender(self, host: Host) -> None:
        receiver, sender = host.socket(c.SOCK_DGRAM), host.socket(c.SOCK_DGRAM)
        host.system.bind(receiver, sockaddr("127.0.0.1", 5000))
        assert host.system.sendto(sender, b"hello", 0, sockaddr("127.0.0.1", 5000)) == 5
        name = sockaddr("127.0.0.1", host.port_of(sender))
        assert host.system.bytes_available(receiver) == 5
        assert host.receive_from(receiver) == (b"hello", name)
        assert host.receive(receiver) == -errno.EAGAIN

    def test_the_full_size_is_reported_where_the_buffer_is_short(self, host: Host) -> None:
        fd = host.socket(c.SOCK_DGRAM)
        host.system.bind(fd, sockaddr("127.0.0.1", 5000))
        host.system.sendto(fd, b"hello", 0, sockaddr("127.0.0.1", 5000))
        buffer = bytearray(2)
        assert host.system.recv(fd, buffer, 0x20) == 5
        assert buffer == b"he"

    def test_a_closed_port_is_reported_to_a_later_call(self, host: Host) -> None:
        fd = host.socket(c.SOCK_DGRAM)
        assert host.system.sendto(fd, b"x", 0, sockaddr("127.0.0.1", 5000)) == 1
        assert host.events(fd) & POLLERR
        assert host.receive(fd) == -errno.ECONNREFUSED
        assert host.events(fd) & POLLERR  # the error queue
        host.system.clear_error_queue(fd)
        assert host.receive(fd) == -errno.EAGAIN

    def test_reports_of_a_closed_port_that_nobody_takes_need_no_more_memory(self, host: Host) -> None:
        fd = host.socket(c.SOCK_DGRAM)
        tracemalloc.start()
        try:
            for _ in range(20_000):
                host.system.sendto(fd, b"x", 0, sockaddr("127.0.0.1", 5000))
            assert tracemalloc.get_traced_memory()[0] < 20_000
        finally:
            tracemalloc.stop()

    def test_a_connected_socket_receives_from_its_peer_only(self, host: Host) -> None:
        one, two, three = (host.socket(c.SOCK_DGRAM) for _ in range(3))
        for port, fd in enumerate((one, two, three), 5000):
            host.system.bind(fd, sockaddr("127.0.0.1", port))
        host.system.connect(one, sockaddr("127.0.0.1", 5001))
        host.system.sendto(three, b"stranger", 0, sockaddr("127.0.0.1", 5000))
        host.system.sendto(two, b"peer", 0, sockaddr("127.0.0.1", 5000))
        assert host.receive(one) == b"peer"
        assert host.receive(one) == -errno.EAGAIN
        host.system.disconnect(one)
        host.system.clear_error_queue(three)
        host.system.sendto(three, b"now", 0, sockaddr("127.0.0.1", 5000))
        assert host.receive(one) == b"now"

    def test_a_datagram_above_the_limit_is_refused(self, host: Host) -> None:
        fd = host.socket(c.SOCK_DGRAM)
        assert host.system.sendto(fd, bytes(65508), 0, sockaddr("127.0.0.1", 5000)) == -errno.EMSGSIZE

    def test_a_send_that_fails_has_taken_a_port(self, host: Host) -> None:
        fd = host.socket(c.SOCK_DGRAM)
        assert host.system.send(fd, b"x", 0) == -errno.EDESTADDRREQ
        assert host.port_of(fd)
        host.system.disconnect(fd)
        assert not host.port_of(fd)

    def test_a_full_queue_drops_datagrams(self, host: Host) -> None:
        fd = host.socket(c.SOCK_DGRAM)
        host.system.bind(fd, sockaddr("127.0.0.1", 5000))
        for _ in range(100):
            assert host.system.sendto(fd, bytes(1000), 0, sockaddr("127.0.0.1", 5000)) == 1000
        received = 0
        while isinstance(host.receive(fd), bytes):
            received += 1
        assert 60 <= received < 100


class TestPorts:
    def test_two_streams_share_a_port_with_reuse_unless_one_listens(self, host: Host) -> None:
        one, two = host.socket(), host.socket()
        for fd in (one, two):
            host.system.set_option(fd, c.SOL_SOCKET, c.SO_REUSEADDR, 1)
            assert host.system.bind(fd, sockaddr("127.0.0.1", 5000)) == 0
        assert host.system.listen(one, 5) == 0
        assert host.system.listen(two, 5) == -errno.EADDRINUSE
        three = host.socket()
        host.system.set_option(three, c.SOL_SOCKET, c.SO_REUSEADDR, 1)
        assert host.system.bind(three, sockaddr("0.0.0.0", 5000)) == -errno.EADDRINUSE

    def test_listeners_that_share_a_port_leave_all_clients_to_the_first(self, host: Host) -> None:
        one, two = host.socket(), host.socket()
        for fd in (one, two):
            host.system.set_port_sharing(fd, True)
            assert host.system.bind(fd, sockaddr("127.0.0.1", 5000)) == 0
            assert host.system.listen(fd, 5) == 0
        host.connect("127.0.0.1", 5000)
        assert host.events(one) == POLLIN
        assert host.events(two) == 0

    def test_a_closed_port_is_free_again_with_reuse(self, host: Host) -> None:
        listener = host.listener("127.0.0.1", 5000)
        client = host.connect("127.0.0.1", 5000)
        accepted = host.accept(listener)
        for fd in (accepted, client, listener):
            host.close(fd)
        host.listener("127.0.0.1", 5000)

    def test_an_address_of_another_host_cannot_be_bound(self, host: Host) -> None:
        assert host.system.bind(host.socket(), sockaddr("10.0.0.9", 5000)) == -errno.EADDRNOTAVAIL

    def test_without_a_route_the_network_is_unreachable(self, host: Host) -> None:
        assert host.system.connect(host.socket(), sockaddr("10.0.0.9", 5000)) == -errno.ENETUNREACH


class TestFiles:
    def test_a_replaced_descriptor_frees_the_port_and_keeps_its_number(self, host: Host) -> None:
        fd, other = host.socket(c.SOCK_DGRAM), host.socket(c.SOCK_DGRAM)
        host.system.bind(fd, sockaddr("127.0.0.1", 5000))
        host.system.replace_descriptor(fd, other)
        third = host.socket(c.SOCK_DGRAM)
        assert third not in (fd, other)
        assert host.system.bind(third, sockaddr("127.0.0.1", 5000)) == 0

    def test_the_lowest_free_descriptor_is_next(self, host: Host) -> None:
        first, second = host.socket(), host.socket()
        host.close(first)
        assert host.socket() == first
        assert host.socket() == second + 1

    def test_the_end_of_a_process_closes_its_sockets(self, host: Host) -> None:
        client, accepted = pair(host)
        process = host.stack.open_files(host.wake)
        del process
        host.files.close_all()
        assert host.receive(client) == -errno.EBADF
        assert {info.owner for info in host.stack.sockets()} <= {""}
        assert accepted > 0


class TestPoll:
    def test_poll_waits_for_the_time_and_moves_the_clock(self, host: Host) -> None:
        client, _ = pair(host)
        assert host.waiting.poll({client: POLLIN}, 1500) == {}
        assert host.waiting.monotonic() == 1.5

    def test_a_negative_descriptor_is_ignored(self, host: Host) -> None:
        assert host.waiting.poll({-1: POLLIN}, 0) == {}

    def test_a_wake_up_ends_a_poll(self, host: Host) -> None:
        wakeup = host.waiting.Wakeup()
        wakeup.open()
        host.wire.call_at(500_000_000, wakeup.wake)
        assert host.waiting.poll({wakeup.read_end: POLLIN}, -1) == {wakeup.read_end: POLLIN}
        wakeup.drain()
        assert host.waiting.poll({wakeup.read_end: POLLIN}, 0) == {}
        wakeup.close()
        assert wakeup.read_end == -1

    def test_poll_returns_when_data_arrive(self, host: Host) -> None:
        client, accepted = pair(host)
        host.wire.call_at(100_000_000, lambda: host.system.send(client, b"x", 0))
        assert host.waiting.poll({accepted: POLLIN}, -1) == {accepted: POLLIN}
        assert host.wire.now == 100_000_000
