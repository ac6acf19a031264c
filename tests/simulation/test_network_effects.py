"""What each fault does to programs, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from simulation_kit import (
    connected,
    datagram_sink,
    datagram_source,
    echo_server,
    error_of,
    listener,
    now,
    receive,
    send_all,
    sink_server,
    sleep,
    start,
)

import winsock
from winsock.simulation.errors import SimulationError
from winsock.simulation.fault_methods import ActiveFault
from winsock.simulation.hosts import Host
from winsock.simulation.network import Network

Seen = list[tuple[float, bytes]]


def source(ip: str, count: int, period: float) -> str:
    """Sends one byte in each period; returns how that ended."""
    start()
    s = connected(ip)
    for number in range(count):
        if error := error_of(lambda number=number: send_all(s, bytes([number]))):  # type: ignore[misc]
            return winsock.WSAError(error).name
        sleep(period)
    winsock.closesocket(s)
    return "sent"


def data_of(seen: Seen) -> bytes:
    return b"".join(data for _, data in seen)


def gaps(seen: Seen) -> list[tuple[float, float]]:
    """The times without data that are longer than 1.5 s: begin and end."""
    times = [time for time, _ in seen]
    return [(before, after) for before, after in pairwise(times) if after - before > 1.5]


class Pair:
    """A server that keeps what it receives, and a client that sends a byte each second."""

    def __init__(self, net: Network, count: int = 60, restart: bool = False) -> None:
        self.seen: Seen = []
        self.server, self.client = net.host("server"), net.host("client")
        self.sink = self.server.start(sink_server, self.seen, restart=restart, may_fail=True)
        self.source = self.client.start(source, "10.0.0.1", count, 1)


def test_a_partition_delays_a_stream_and_loses_nothing() -> None:
    with Network() as net:
        pair = Pair(net)
        net.at(10.5).partition(pair.server, pair.client)
        net.at(15.5).heal(pair.server, pair.client)
        net.run(100)
        assert pair.source.result() == "sent"
        assert data_of(pair.seen) == bytes(range(60))
        ((begin, end),) = gaps(pair.seen)
        assert begin < 10.5 < 15.5 < end


def test_a_fault_with_a_duration_ends_after_it() -> None:
    with Network() as net:
        pair = Pair(net)
        net.at(10.5).partition(pair.server, pair.client, duration=5)
        net.run(100)
        ((begin, end),) = gaps(pair.seen)
        assert begin < 10.5 < 15.5 < end


def test_a_one_way_partition_lets_the_other_direction_pass() -> None:
    with Network() as net:
        seen: tuple[Seen, Seen] = ([], [])
        hosts = [net.host("a"), net.host("b")]
        for host, mine, other in zip(hosts, seen, ("10.0.0.2", "10.0.0.1"), strict=True):
            host.start(datagram_sink, mine)
            host.start(datagram_source, other, 20, 1)
        net.at(9.5).partition_one_way("a", "b", duration=5)
        net.run(30)
        assert [data for _, data in seen[0]] == [b"%d" % number for number in range(20)]
        assert [data for _, data in seen[1]] == [b"%d" % number for number in range(20) if not 10 <= number < 15]


def test_a_partition_from_every_other_host() -> None:
    with Network() as net:
        seen: Seen = []
        net.host("a").start(datagram_sink, seen)
        for name in ("b", "c"):
            net.host(name).start(datagram_source, "10.0.0.1", 20, 1)
        with net.partition("a", "*"):
            net.run(10.5)
            assert seen == []
        net.run(20)
        assert len(seen) == 18


@pytest.mark.parametrize("kind", ["partition", "vanish", "freeze"])
def test_overlapping_faults_end_with_the_last_one(kind: str) -> None:
    with Network() as net:
        seen: Seen = []
        net.host("a").start(datagram_sink, seen)
        net.host("b").start(datagram_source, "10.0.0.1", 30, 1)
        targets = ("a", "b") if kind == "partition" else ("b",)
        getattr(net.at(4.5), kind)(*targets, duration=10)
        getattr(net.at(9.5), kind)(*targets, duration=10)
        net.run(60)
        ((begin, end),) = gaps(seen)
        assert 4 < begin < 5
        assert 19.5 <= end < 21


@pytest.mark.parametrize(("kind", "undo"), [("partition", "heal"), ("vanish", "appear"), ("freeze", "thaw")])
def test_every_fault_that_lasts_is_ended_by_its_counterpart(kind: str, undo: str) -> None:
    with Network() as net:
        seen: Seen = []
        net.host("a").start(datagram_sink, seen)
        net.host("b").start(datagram_source, "10.0.0.1", 30, 1)
        targets = ("a", "b") if kind == "partition" else ("b",)
        getattr(net.at(4.5), kind)(*targets)
        getattr(net.at(6.5), kind)(*targets, duration=100)
        getattr(net.at(9.5), undo)(*targets)
        net.run(60)
        ((begin, end),) = gaps(seen)
        assert 4 < begin < 5
        assert 9.5 <= end < 11


def test_a_vanished_host_hears_nothing_and_its_peer_gets_no_answer() -> None:
    with Network() as net:
        pair = Pair(net)
        net.at(10.5).vanish(pair.server)
        net.run(100)
        assert pair.source.result() in ("WSAETIMEDOUT", "WSAECONNABORTED", "WSAECONNRESET", "WSAENETRESET")
        assert data_of(pair.seen) == bytes(range(11))
        assert "ESTABLISHED" in net.netstat(pair.server)


def test_a_crashed_host_says_nothing_and_resets_old_connections_after_its_restart() -> None:
    with Network() as net:
        pair = Pair(net)
        net.at(10.5).crash(pair.server)
        net.run(11)
        assert pair.server.processes == []
        assert net.netstat(pair.server).count("\n") == 1
        assert "ESTABLISHED" in net.netstat(pair.client)
        net.restart(pair.server)
        net.run(5)
        assert pair.source.result() == "WSAECONNRESET"


def test_a_restarted_host_starts_its_programs_again_and_keeps_its_disk() -> None:
    with Network() as net:
        host = net.host("a")
        started: list[tuple[str, float, list[str]]] = []

        def program(name: str) -> None:
            started.append((name, now(), sorted(path.name for path in host.disk.iterdir())))
            sleep(100)

        (host.disk / "memory").write_text("kept")
        host.start(program, "first", name="first", restart=True)
        host.start(program, "second", name="second")
        net.at(5).crash(host, duration=2)
        net.run(10)
        assert sorted(started[:2]) == [("first", 0, ["memory"]), ("second", 0, ["memory"])]
        assert started[2:] == [("first", 7, ["memory"])]


def test_the_clean_up_of_a_crashed_program_reaches_nobody() -> None:
    def program() -> None:
        start()
        s = connected("10.0.0.1")
        try:
            sleep(100)
        finally:
            send_all(s, b"good bye")

    with Network() as net:
        seen: Seen = []
        net.host("server").start(sink_server, seen)
        net.host("client").start(program)
        net.at(5).crash("client", duration=1)
        net.run(20)
        assert seen == []


def test_the_kernel_closes_the_sockets_of_a_killed_process() -> None:
    with Network() as net:
        pair = Pair(net)
        net.at(10.5).kill("client/source")
        net.run(12)
        assert pair.sink.result() is None
        assert data_of(pair.seen) == bytes(range(11))


def test_a_killed_process_starts_again_after_the_duration() -> None:
    with Network() as net:
        times: list[float] = []

        def program() -> None:
            times.append(now())
            sleep(100)

        net.host("a").start(program)
        net.at(5).kill("a/program", duration=3)
        net.run(20)
        assert times == [0, 8]


def test_a_frozen_process_does_nothing_while_its_kernel_continues() -> None:
    with Network() as net:
        pair = Pair(net)
        net.at(10.5).freeze(pair.server, duration=20)
        net.run(30)
        assert len(data_of(pair.seen)) == 11
        assert "ESTABLISHED" in net.netstat(pair.server)
        net.run(0.6)
        assert len(data_of(pair.seen)) > 25
        net.run(60)
        assert pair.source.result() == "sent"


def test_only_the_named_process_of_a_host_is_frozen() -> None:
    with Network() as net:
        ticks: dict[str, list[float]] = {"one": [], "two": []}

        def program(name: str) -> None:
            for _ in range(10):
                sleep(1)
                ticks[name].append(now())

        host = net.host("a")
        for name in ticks:
            host.start(program, name, name=name)
        net.at(2.5).freeze("a/one", duration=5)
        net.run(7)
        assert (len(ticks["one"]), len(ticks["two"])) == (2, 7)


def test_a_reset_ends_the_connections_of_two_hosts_on_both_sides() -> None:
    with Network() as net:
        pair = Pair(net)
        net.at(10.5).reset(pair.server, pair.client)
        net.run(20)
        assert pair.source.result() == "WSAECONNRESET"
        with pytest.raises(OSError, match="10054"):
            pair.sink.result()


def test_a_reset_leaves_the_connections_of_other_hosts_alone() -> None:
    with Network() as net:
        pair = Pair(net)
        net.host("other")
        net.at(10.5).reset(pair.server, "other")
        net.run(100)
        assert pair.source.result() == "sent"


def test_a_nat_timeout_ends_idle_connections_without_a_sign() -> None:
    def program(pause: float) -> list[float]:
        start()
        s = connected("10.0.0.1", seconds=40)
        send_all(s, b"first")
        assert receive(s) == b"first"
        sleep(pause)
        send_all(s, b"second")
        return [len(receive(s))]

    with Network() as net:
        net.host("server").start(echo_server, 8080)
        net.host("other").start(echo_server, 8080)
        client = net.host("client")
        net.nat_timeout("server", client, 30, duration=1000)
        short = client.start(program, 20, name="short")
        net.run(100)
        assert short.result() == [6]
        long = client.start(program, 31, name="long", may_fail=True)
        net.run(200)
        with pytest.raises(OSError, match=r"10060|10053|10054"):
            long.result()


def test_a_clock_jump_changes_utc_but_not_the_monotonic_clock() -> None:
    with Network() as net:
        host = net.host("a")
        with host.attached() as process:
            before = process.utc_ns()
            net.at(5).clock_jump(host, -3600)
            net.run(10)
            assert process.utc_ns() - before == -3590 * 1_000_000_000
            assert process.monotonic() == 10


def test_rules_are_nested_and_the_innermost_one_decides() -> None:
    def round_trip(net: Network, client: Host) -> float:
        with client.attached():
            start()
            before = net.now
            winsock.closesocket(connected("10.0.0.1"))
            return round(net.now - before, 6)

    with Network(latency=0.1) as net:
        net.host("server").start(echo_server)
        client = net.host("client")
        with net.rule("server", client, latency=1):
            assert round_trip(net, client) == 2
            with net.rule("server", latency=0.5):
                assert round_trip(net, client) == 1
                with net.rule_one_way(client, "server", latency=0.25):
                    assert round_trip(net, client) == 0.75
            assert round_trip(net, client) == 2
        assert round_trip(net, client) == 0.2


def test_the_end_of_a_fault_is_in_the_trace_however_it_ends() -> None:
    with Network() as net:
        trace = net.trace()
        for name in "ab":
            net.host(name)
        with net.rule("a", "b", loss=0.5):
            net.run(1)
        net.vanish("a").end()
        net.at(2).partition("a", "b", duration=1)
        net.run(5)
    assert trace.lines()[1::2] == [
        "1.000000000 network: end of fault at 0 rule a b loss=0.5",
        "1.000000000 network: end of fault at 1 vanish a",
        "3.000000000 network: end of fault at 2 partition a b for 1",
    ]


def test_a_rule_that_loses_half_of_the_datagrams() -> None:
    with Network(seed=1) as net:
        seen: Seen = []
        net.host("a").start(datagram_sink, seen)
        net.host("b").start(datagram_source, "10.0.0.1", 300, 0.1)
        net.run(10)
        assert len(seen) == 100
        with net.rule("a", "b", loss=0.5):
            net.run(10)
        assert 130 < len(seen) < 170
        assert net.counters["dropped: loss"] == 200 - len(seen)


def test_duplicated_and_reordered_datagrams_arrive_so() -> None:
    with Network(seed=1, duplicate=0.3, reorder=0.3, latency=0.2) as net:
        seen: Seen = []
        net.host("a").start(datagram_sink, seen)
        net.host("b").start(datagram_source, "10.0.0.1", 200, 0.05)
        net.run(30)
        numbers = [int(data) for _, data in seen]
        assert set(numbers) == set(range(200))
        assert numbers != sorted(numbers)
        assert len(numbers) == 200 + net.counters["duplicated"] > 230


def test_bandwidth_limits_a_stream_and_the_sender_waits() -> None:
    def sender() -> float:
        start()
        send_all(connected("10.0.0.1"), bytes(1_000_000))
        return now()

    with Network(bandwidth=100_000, latency=0.01) as net:
        seen: Seen = []
        net.host("server").start(sink_server, seen)
        process = net.host("client").start(sender)
        net.run(60)
        assert len(data_of(seen)) == 1_000_000
        assert 10 < seen[-1][0] < 20
        assert 8 < process.result() < 20


def test_loss_on_a_stream_is_delay_and_never_missing_bytes() -> None:
    def sender(data: bytes) -> None:
        start()
        s = connected("10.0.0.1")
        send_all(s, data)
        winsock.closesocket(s)

    data = b"".join(number.to_bytes(4, "big") for number in range(50_000))
    with Network(seed=5, loss=0.1, jitter=0.02) as net:
        seen: Seen = []
        net.host("server").start(sink_server, seen)
        net.host("client").start(sender, data)
        net.run()
        assert data_of(seen) == data
        assert net.counters["dropped: loss"] > 0


def test_a_script_adds_all_of_its_faults_or_none() -> None:
    with Network() as net:
        pair = Pair(net)
        with pytest.raises(SimulationError, match=r"at 5 crash nobody: unknown host: 'nobody'; the hosts are ser"):
            net.add_faults("at 1 crash server\nat 5 crash nobody\n")
        net.run(0.001)
        with pytest.raises(SimulationError, match="at 0 crash server: the time has passed"):
            net.add_faults("at 1 crash server\nat 0 crash server\n")
        net.add_faults("at 10.5 partition server client for 5\nat 20 clock_jump client 60\n")
        net.run(100)
        assert pair.source.result() == "sent"
        assert net.counters["fault: crash"] == 0
        assert (net.counters["fault: partition"], net.counters["fault: clock_jump"]) == (1, 1)


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (lambda net: net.crash("b"), "at 5 crash b: unknown host: 'b'; the hosts are a"),
        (lambda net: net.at(9).kill("a/other"), "at 9 kill a/other: no process 'other' was started on host a"),
        (lambda net: net.at(2).crash("a"), "at 2 crash a: the time has passed: it is 5 s"),
        (lambda net: net.partition("a", "a"), "partition takes two different hosts: 'a' is given twice"),
        (lambda net: net.rule("a", loss=2), "invalid loss: 2; give a probability from 0 to 1"),
    ],
)
def test_a_fault_that_cannot_happen_is_refused_when_it_is_added(
    add: Callable[[Network], ActiveFault], message: str
) -> None:
    with Network() as net:
        net.host("a")
        net.run(5)
        with pytest.raises(SimulationError) as caught:
            add(net)
        assert str(caught.value) == message


def test_a_planned_fault_that_is_ended_before_its_time_does_not_happen() -> None:
    with Network() as net:
        host = net.host("a")
        net.at(5).crash(host).end()
        net.run(10)
        assert host.up


def test_no_process_starts_on_a_host_that_is_switched_off() -> None:
    with Network() as net:
        host = net.host("a")
        net.crash(host)
        with pytest.raises(SimulationError, match="host a is switched off: no process can start"):
            host.start(sleep, 1)


def test_netstat_shows_listeners_connections_and_their_processes() -> None:
    def idle() -> None:
        start()
        listener(9000)
        sleep(1000)

    with Network() as net:
        pair = Pair(net)
        pair.server.start(idle)
        net.run(5)
        lines = [line.split() for line in net.netstat(pair.server).splitlines()[1:]]
        assert [line[-2:] for line in lines if line[3] == "0.0.0.0:9000"] == [["LISTEN", "idle"]]
        (connection,) = [line for line in lines if line[3] == "10.0.0.1:8080"]
        assert connection[-2:] == ["ESTABLISHED", "sink_server"]


@pytest.mark.parametrize("limit", [5.0, 20.0])
def test_a_connection_whose_data_is_not_acknowledged_fails_after_the_networks_limit(limit: float) -> None:
    def silent_source(ip: str) -> tuple[str, float]:
        start()
        s = connected(ip)
        sleep(1)
        send_all(s, b"x")
        error = error_of(lambda: receive(s, 1))
        return winsock.WSAError(error).name, now()

    with Network(tcp_user_timeout=limit) as net:
        server, client = net.host("server"), net.host("client")
        server.start(sink_server, [])
        process = client.start(silent_source, "10.0.0.1")
        net.at(0.5).vanish(server)
        net.run(60)
        error, time = process.result()
    assert error == "WSAETIMEDOUT"
    assert round(time - limit, 2) == 1.0


def test_what_a_kernel_does_about_lost_packets_is_in_the_trace() -> None:
    with Network() as net:
        server, client = net.host("server"), net.host("client")
        trace = net.trace()
        server.start(sink_server, [])
        client.start(source, "10.0.0.1", 3, 1.0)
        net.at(1.5).vanish(server, duration=1)
        net.run(20)
    assert "client: connection is established: tcp 10.0.0.2:49152 > 10.0.0.1:8080" in trace.text()
    assert "client: data are repeated after a time-out: tcp 10.0.0.2:49152 > 10.0.0.1:8080" in trace.text()


@pytest.mark.parametrize("limit", [0, -1, float("inf"), float("nan")])
def test_a_limit_that_is_no_time_is_refused(limit: float) -> None:
    with pytest.raises(SimulationError, match="invalid tcp_user_timeout"):
        Network(tcp_user_timeout=limit)
