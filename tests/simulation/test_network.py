"""A network has hosts with addresses, names, processes, clocks and disks, and runs them in simulated time."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from datetime import datetime, timezone

import pytest
from simulation_kit import (
    PORT,
    connected,
    datagram_sink,
    datagram_source,
    echo_server,
    error_of,
    now,
    receive,
    send_all,
    sleep,
    start,
)

import winsock
from winsock.simulation.dispatch import running_process
from winsock.simulation.errors import NothingCanHappen, SimulationError
from winsock.simulation.network import Network


def echo_client(ip: str, messages: int = 3) -> list[float]:
    """The times at which the answers to some messages arrive."""
    start()
    s = connected(ip)
    times = []
    for number in range(messages):
        send_all(s, b"%d" % number)
        assert receive(s) == b"%d" % number
        times.append(now())
    winsock.closesocket(s)
    return times


def test_two_processes_talk_and_the_latency_decides_when() -> None:
    with Network(seed=7) as net:
        server, client = net.host("server"), net.host("client", "10.0.0.7")
        net.link(server, client, latency=0.02)
        server.start(echo_server)
        process = client.start(echo_client, "10.0.0.1")
        net.run(10)
        # One round trip for the connection, then one for each message.
        assert process.result() == pytest.approx([0.08, 0.12, 0.16])
        assert net.now == 10


def test_run_without_a_time_ends_with_the_last_process() -> None:
    with Network() as net:
        host = net.host("a")
        host.start(sleep, 5)
        host.start(sleep, 60)
        net.run()
        assert net.now == 60


def test_run_with_a_time_ends_at_it_although_processes_wait() -> None:
    with Network() as net:
        net.host("a").start(sleep, 5)
        net.run(2)
        assert net.now == 2
        net.run(0.5)
        assert net.now == 2.5


def receive_with_timeout(ip: str, seconds: float | None) -> tuple[int | None, float]:
    start()
    s = connected(ip, seconds=seconds)
    return error_of(lambda: receive(s)), now()


def test_a_host_that_is_blocked_for_60_seconds_does_not_delay_the_time_out_of_another() -> None:
    with Network(latency=0) as net:
        net.host("server").start(echo_server)
        net.host("idle").start(echo_server)
        patient = net.host("patient").start(receive_with_timeout, "10.0.0.1", 60)
        hasty = net.host("hasty").start(receive_with_timeout, "10.0.0.2", 1)
        net.run(100)
        assert hasty.result() == (winsock.WSAETIMEDOUT, pytest.approx(1, abs=0.001))
        assert patient.result() == (winsock.WSAETIMEDOUT, pytest.approx(60, abs=0.001))


def test_if_nothing_can_happen_the_error_names_who_waits_for_what() -> None:
    with Network() as net:
        net.host("a").start(echo_server, name="server")
        net.host("b").start(receive_with_timeout, "10.0.0.1", None, name="client")
        with pytest.raises(NothingCanHappen) as caught:
            net.run()
        text = str(caught.value)
        assert "server on host a waits in recv" in text
        assert "client on host b waits in recv" in text
        assert f"10.0.0.1:{PORT}" in text


def test_an_exception_of_a_process_is_raised_by_run() -> None:
    def program() -> None:
        sleep(3)
        raise ValueError("broken")

    with Network() as net:
        net.host("a").start(program)
        with pytest.raises(ValueError, match="broken") as caught:
            net.run(10)
        assert net.now == 3
        if sys.version_info >= (3, 11):
            assert "in process program on host a at 3" in caught.value.__notes__[0]


def test_an_exception_of_a_process_that_may_fail_is_raised_only_by_result() -> None:
    def program() -> None:
        raise ValueError("broken")

    with Network() as net:
        process = net.host("a").start(program, may_fail=True)
        net.run(10)
        with pytest.raises(ValueError, match="broken"):
            process.result()


def test_an_exception_in_the_clean_up_of_a_process_is_raised_at_the_end() -> None:
    def program() -> None:
        try:
            sleep(100)
        finally:
            raise ValueError("broken")

    def simulate() -> None:
        with Network() as net:
            net.host("a").start(program)
            net.run(1)

    with pytest.raises(ValueError, match="broken"):
        simulate()


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_run_refuses_a_time_that_cannot_pass(seconds: float) -> None:
    with Network() as net, pytest.raises(SimulationError, match="invalid time"):
        net.run(seconds)


def test_run_with_no_time_gives_each_process_its_turn() -> None:
    with Network() as net:
        process = net.host("a").start(now)
        net.run(0)
        assert process.result() == 0


def test_a_test_makes_calls_as_an_attached_process() -> None:
    with Network() as net:
        server, client = net.host("server"), net.host("client")
        server.start(echo_server)
        with client.attached() as process:
            start()
            s = connected("10.0.0.1")
            send_all(s, b"hello")
            assert receive(s) == b"hello"
            assert process.target == "client/main"
            assert "10.0.0.2" in net.netstat(client)
        assert "ESTABLISHED" not in net.netstat(client)


def test_a_call_outside_of_every_process_is_an_error() -> None:
    with Network() as net:
        net.host("a")
        with pytest.raises(SimulationError, match=r"no simulated process runs here: .* host.attached"):
            winsock.socket(winsock.AF_INET, winsock.SOCK_STREAM, 0)


def test_a_network_that_is_not_open_has_no_hosts() -> None:
    with pytest.raises(SimulationError, match=r"the network is not open: use `with Network\(\) as net:`"):
        Network().host("a")


def test_the_calls_of_winsock_are_the_real_ones_again_after_the_network() -> None:
    before = winsock.calls, winsock.socket
    with Network():
        assert winsock.socket is not before[1]
    assert (winsock.calls, winsock.socket) == before


def test_two_networks_do_not_know_each_other() -> None:
    with Network() as outer:
        outer.host("server").start(echo_server)
        client = outer.host("client")
        with Network() as inner:
            inner.host("other")
            with inner.host("client").attached():
                start()
                assert error_of(lambda: connected("10.0.0.1")) == winsock.WSAECONNREFUSED
        with client.attached():
            start()
            assert error_of(lambda: connected("10.0.0.1")) is None


def lookup(name: str) -> tuple[str, str]:
    """The own name, and the IPv4 address of a name."""
    start()
    own = bytearray(100)
    assert winsock.gethostname(own, len(own)) == 0
    found = winsock.gethostbyname(name)
    assert found is not None
    return bytes(own).rstrip(b"\0").decode(), winsock.inet_ntoa(winsock.in_addr.from_buffer_copy(found.h_addr[:4]))


def test_hosts_get_addresses_in_their_order_and_find_each_other_by_name() -> None:
    with Network() as net:
        process = net.host("a").start(lookup, "Given")
        net.host("given", "192.168.1.5/24")
        other = net.host("b").start(lookup, "a")
        net.run()
        assert process.result() == ("a", "192.168.1.5")
        assert other.result() == ("b", "10.0.0.1")


@pytest.mark.parametrize("name", ["GIVEN", "given."])
def test_a_look_up_gives_the_name_that_the_host_has(name: str) -> None:
    def program() -> bytes:
        start()
        found = winsock.gethostbyname(name)
        assert found is not None
        return bytes(found.h_name)

    with Network() as net:
        net.host("Given", "192.168.1.5/24")
        process = net.host("a").start(program)
        net.run()
        assert process.result() == b"Given"


def test_a_given_address_is_not_given_to_another_host() -> None:
    with Network() as net:
        net.host("given", "10.0.0.1")
        assert net.host("free").interfaces[0].address == bytes([10, 0, 0, 2])
        with pytest.raises(SimulationError, match=r"host given has the address 10\.0\.0\.1"):
            net.host("other", "10.0.0.1")


def test_300_hosts_have_different_addresses() -> None:
    with Network() as net:
        hosts = [net.host(f"host{number}") for number in range(300)]
        assert len({one.address for host in hosts for one in host.interfaces}) == 600


@pytest.mark.parametrize(
    ("name", "addresses", "message"),
    [
        ("", (), "invalid host name: ''"),
        ("a b", (), "invalid host name: 'a b'"),
        ("10.0.0.1", (), r"invalid host name: '10\.0\.0\.1'"),
        ("LocalHost", (), "invalid host name: 'LocalHost'; it has a meaning of its own"),
        ("SERVER", (), "host server exists: give 'SERVER' another name"),
        ("b", ("10.0.0",), r"invalid address: '10\.0\.0'"),
    ],
)
def test_an_invalid_host_is_refused(name: str, addresses: tuple[str, ...], message: str) -> None:
    with Network() as net:
        net.host("server")
        with pytest.raises(SimulationError, match=message):
            net.host(name, *addresses)


def test_a_link_to_an_unknown_host_is_refused() -> None:
    with Network() as net:
        net.host("a")
        with pytest.raises(SimulationError, match="unknown host: 'b'; the hosts are a"):
            net.link("a", "b", latency=1)


def test_processes_of_one_program_have_different_names() -> None:
    with Network() as net:
        host = net.host("a")
        assert [host.start(sleep, 1).name for _ in range(3)] == ["sleep", "sleep-2", "sleep-3"]
        with pytest.raises(SimulationError, match="a process 'sleep' runs on host a: give another name"):
            host.start(sleep, 1, name="sleep")


def test_a_clock_starts_at_the_given_time_and_goes_on_with_the_simulation() -> None:
    with Network(start=datetime(2030, 1, 1, tzinfo=timezone.utc)) as net:
        host = net.host("a")
        net.run(1.5)
        with host.attached() as process:
            assert process.utc_ns() == round(datetime(2030, 1, 1, 0, 0, 1, 500_000, timezone.utc).timestamp() * 1e9)
            assert process.monotonic() == 1.5


def test_each_host_has_a_disk_of_its_own_that_the_end_removes() -> None:
    with Network() as net:
        first, second = net.host("a").disk, net.host("b").disk
        (first / "file").write_text("content")
        assert list(second.iterdir()) == []
    assert not first.exists()
    assert not second.exists()


def test_the_settings_of_every_link_can_be_given_to_the_network() -> None:
    with Network(latency=0.5) as net:
        net.host("a").start(echo_server)
        process = net.host("b").start(echo_client, "10.0.0.1", 1)
        net.run(10)
        assert process.result() == [2.0]


def test_a_link_can_be_set_in_one_direction() -> None:
    with Network(latency=0) as net:
        net.host("a").start(echo_server)
        process = net.host("b").start(echo_client, "10.0.0.1", 1)
        net.link("a", "b", latency=0.5, one_way=True)
        net.run(10)
        assert process.result() == [1.0]


def draw(count: int, into: list[float]) -> None:
    for _ in range(count):
        into.append(running_process().random.random())
        sleep(1)


def numbers(draws: int) -> tuple[list[float], list[float], object]:
    with Network(seed=3) as net:
        one: list[float] = []
        other: list[float] = []
        net.host("a").start(draw, draws, one)
        net.host("b").start(draw, 5, other)
        net.run()
        return one, other, net.random_faults(5, 0, 100)


def test_a_program_that_draws_more_numbers_changes_neither_those_of_others_nor_the_faults() -> None:
    few, many = numbers(2), numbers(5)
    assert few[0] == many[0][:2]
    assert few[1:] == many[1:]
    assert many[0] != many[1]


def arrivals(extra: bool) -> list[str]:
    with Network(seed=3, loss=0.2, jitter=0.01) as net:
        seen: list[str] = []
        net.observe(lambda time, host, text: seen.append(f"{time} {host} {text}"))
        net.host("server").start(echo_server)
        net.host("client").start(echo_client, "10.0.0.1", 20)
        if extra:
            net.host("other").start(echo_client, "10.0.0.4", 20)
            net.host("more").start(echo_server)
        net.run(60)
        return [line for line in seen if "10.0.0.2:" in line]


def test_the_traffic_of_other_hosts_does_not_change_what_a_link_does() -> None:
    assert arrivals(extra=False) == arrivals(extra=True)


def test_the_same_seed_gives_the_same_packets_and_another_seed_others() -> None:
    def packets(seed: int) -> list[str]:
        with Network(seed=seed, loss=0.2, jitter=0.01) as net:
            seen: list[str] = []
            net.observe(lambda time, host, text: seen.append(f"{time} {host} {text}"))
            net.host("server").start(echo_server)
            net.host("client").start(echo_client, "10.0.0.1", 20)
            net.run(60)
            return seen

    assert packets(1) == packets(1) != packets(2)


def test_a_hundred_hosts_send_to_each_other() -> None:
    with Network(seed=1, jitter=0.01) as net:
        hosts = [net.host(f"host{number}") for number in range(100)]
        seen: list[list[tuple[float, bytes]]] = [[] for _ in hosts]
        for number, host in enumerate(hosts):
            host.start(datagram_sink, seen[number])
            host.start(datagram_source, f"10.0.0.{(number + 1) % 100 + 1}", 3, 1.0)
        net.run(10)
        assert [[data for _, data in one] for one in seen] == [[b"0", b"1", b"2"]] * 100


def reconnect(ip: str, count: int) -> None:
    start()
    for number in range(count):
        s = connected(ip)
        send_all(s, b"%d" % number)
        receive(s)
        winsock.closesocket(s)
        sleep(1)


def test_memory_does_not_grow_with_the_connections_that_were_closed() -> None:
    with Network(jitter=0.01) as net:
        net.host("server").start(echo_server)
        net.host("client").start(reconnect, "10.0.0.1", 1000)
        tracemalloc.start()
        try:
            sizes = []
            for _ in range(4):
                net.run(200)
                gc.collect()
                sizes.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
        # 200 connections more; in the first period the first connections in TIME_WAIT are added.
        assert max(sizes[2:]) - sizes[1] < 20_000, sizes
