"""A peer as a process of a simulated host: the same scripts, in simulated time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext

import pytest
import simulation_kit as kit

import winsock
from winsock.simulation.errors import SimulationError
from winsock.simulation.network import Network
from winsock.testing import Peer, RunningPeer


@pytest.fixture
def net() -> Iterator[Network]:
    with Network(seed=7) as net:
        net.host("server")
        net.host("client")
        yield net


def sent_times(peer: RunningPeer) -> list[float]:
    return [entry.time for entry in peer.conversation.entries if entry.direction == "sent"]


def read_all(ip: str, port: int) -> list[tuple[float, bytes | int]]:
    """What a client receives and when, and the error at the end."""
    kit.start()
    s = kit.connected(ip, port)
    seen: list[tuple[float, bytes | int]] = []
    try:
        while data := kit.receive(s):
            seen.append((kit.now(), data))
    except OSError as error:
        seen.append((kit.now(), error.errno or 0))
    winsock.closesocket(s)
    return seen


def test_a_server_sends_waits_stalls_and_resets_in_simulated_time(net: Network) -> None:
    script = Peer(net.hosts["server"]).accept().send(b"<<EURUSD|0.").wait(0.2).send(b"25>>\0").stall(600).reset()
    with script.start() as peer:
        process = net.hosts["client"].start(read_all, *peer.address)
    net.run()
    first, second, end = process.result()
    assert first[1] == b"<<EURUSD|0."
    assert second == (pytest.approx(first[0] + 0.2, abs=1e-6), b"25>>\0")
    assert end == (pytest.approx(first[0] + 600.2, abs=1e-6), winsock.WSAECONNRESET)


def test_a_server_listens_when_start_returns(net: Network) -> None:
    peer = Peer(net.hosts["server"], port=8081).accept().start()
    assert peer.address == ("10.0.0.1", 8081)
    assert "10.0.0.1:8081" in net.netstat("server")
    assert "LISTEN" in net.netstat("server")
    peer.stop()
    assert "8081" not in net.netstat("server")


def test_two_peers_talk_to_each_other(net: Network) -> None:
    server = Peer(net.hosts["server"]).accept().expect(b"GET /").send(b"200").half_close().expect_end().start()
    client = Peer(net.hosts["client"]).connect(("server", server.port)).send(b"GET /").expect(b"200").expect_end()
    with server, client.start():
        pass
    assert server.received == b"GET /"


def test_a_client_tries_again_until_the_server_listens(net: Network) -> None:
    client = Peer(net.hosts["client"]).connect(("server", 8081)).send(b"x").start()
    net.run(3)
    with Peer(net.hosts["server"], port=8081).accept().expect(b"x").start(), client:
        pass


def test_an_attempt_to_connect_that_nobody_answers_is_reported_by_its_step(net: Network) -> None:
    net.partition("client", "server")
    script = Peer(net.hosts["client"], limit=2).connect(("server", 80)).send(b"x")
    with pytest.raises(AssertionError) as caught:
        script.start().finish()
    text = str(caught.value)
    assert text.startswith("step 1, connect(('server', 80)): connect to server:80 failed: (#10060) WSAETIMEDOUT")
    assert "connected: " not in text
    assert net.now == pytest.approx(2, abs=0.1)


def test_a_peer_sends_datagrams(net: Network) -> None:
    server = Peer(net.hosts["server"], port=9000).datagrams().expect(b"ping").send(b"pong").repeat(3, last=2)
    client = Peer(net.hosts["client"]).datagrams(("server", 9000)).send(b"ping").expect(b"pong").wait(1)
    with server.start(), client.repeat(3, last=3).start() as peer:
        pass
    assert sent_times(peer) == pytest.approx([0, 1.002, 2.004], abs=1e-6)


@pytest.mark.parametrize("destination", ["10.0.0.1", "fd00::1", "server"])
def test_datagrams_have_an_address_of_the_family_of_their_destination(net: Network, destination: str) -> None:
    own = {} if destination == "server" else {"address": destination}
    server = Peer(net.hosts["server"], port=9000, **own).datagrams().expect(b"ping")
    with server.start(), Peer(net.hosts["client"]).datagrams((destination, 9000)).send(b"ping").start():
        pass


def test_a_slow_reader_reads_at_its_rate_in_simulated_time(net: Network) -> None:
    script = Peer(net.hosts["server"], receive_buffer=4096, limit=60).accept().read_slowly(1_000, count=50_000)
    with script.start() as server:
        Peer(net.hosts["client"], limit=60).connect(server.address).send(bytes(50_000)).start()
    assert net.now == pytest.approx(50, abs=1)
    assert len(server.received) == 50_000


def test_a_failed_step_is_raised_in_the_test_with_simulated_times(net: Network) -> None:
    peer = Peer(net.hosts["server"], port=8081).accept().expect(b"GET ").start()
    client = Peer(net.hosts["client"]).connect(peer.address).send(b"GE").stall(100).start()
    with pytest.raises(AssertionError) as caught:
        peer.finish()
    text = str(caught.value)
    assert text.startswith("step 2, expect(b'GET '): 2 of 4 bytes have arrived within the limit of 10 s (10.003 s")
    assert "0.003 s  the peer received 2 bytes\n             000000  47 45 " in text
    client.stop()


def test_the_reason_of_a_failed_connect_is_that_of_the_last_attempt_that_has_ended(net: Network) -> None:
    # The time limit ends an attempt that has no answer yet. The server has refused all attempts before.
    net.link("client", "server", latency=0.04)
    with pytest.raises(AssertionError) as caught:
        Peer(net.hosts["client"], limit=2).connect(("server", 80)).start().finish()
    assert "failed: (#10061) WSAECONNREFUSED" in str(caught.value).splitlines()[0]
    assert "within the limit of 2 s (2." in str(caught.value).splitlines()[0]


def test_nobody_who_connects_is_reported_at_the_time_limit(net: Network) -> None:
    with pytest.raises(
        AssertionError, match=r"nobody connected to 10\.0\.0\.1:8081 within the limit of 60 s \(60\.000 s after"
    ):
        Peer(net.hosts["server"], port=8081, limit=60).accept().start().finish()


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda peer: peer.expect(b"GET "), "expect(b'GET '): 2 of 4 bytes have arrived"),
        (lambda peer: peer.receive(5), "receive(5): 2 of 5 bytes have arrived"),
        (lambda peer: peer.receive(2).expect_end(), "expect_end(): the other side has not ended its stream"),
        (lambda peer: peer.expect_reset(), "expect_reset(): the other side has not reset the connection"),
        (lambda peer: peer.read_slowly(100, count=5), "read_slowly(100, count=5): 2 bytes have arrived, then nothing"),
        (lambda peer: peer.send(bytes(10_000_000)), "the other side takes no more data: "),
        (lambda peer: peer.close().accept(), "accept(): nobody connected to 10.0.0.1:"),
    ],
)
def test_each_wait_for_the_other_side_ends_at_the_time_limit(
    net: Network, step: Callable[[Peer], Peer], message: str
) -> None:
    server = step(Peer(net.hosts["server"], limit=30).accept()).start()
    client = Peer(net.hosts["client"]).connect(server.address).send(b"GE").stall(100).start()
    with pytest.raises(AssertionError) as caught:
        server.finish()
    assert message in str(caught.value).splitlines()[0]
    assert net.now == pytest.approx(30, abs=0.1)
    client.stop()


def test_a_port_in_use_is_reported_when_the_peer_is_started(net: Network) -> None:
    script = Peer(net.hosts["server"], port=8081).accept()
    first = script.start()
    with pytest.raises(AssertionError, match=r"cannot use the address 10\.0\.0\.1:8081"):
        script.start()
    first.stop()


@pytest.mark.parametrize("attached", [True, False])
def test_a_peer_of_this_machine_is_refused_while_a_network_is_open(net: Network, attached: bool) -> None:
    message = r"a simulated network is open, so a peer needs a host of it: Peer\(host\), not Peer\(\)\.accept\(\)"
    with net.hosts["client"].attached() if attached else nullcontext(), pytest.raises(ValueError, match=message):
        Peer().accept().start()


def test_a_peer_on_a_frozen_host_is_refused(net: Network) -> None:
    net.freeze("server")
    with pytest.raises(SimulationError, match="the peer on host server does not run: is the host frozen"):
        Peer(net.hosts["server"]).accept().start()


def test_a_peer_ends_with_the_crash_of_its_host(net: Network) -> None:
    peer = Peer(net.hosts["server"], limit=60).accept().start()
    net.at(1).crash("server")
    peer.finish()
    assert net.now == pytest.approx(1)


@pytest.mark.parametrize("last", [lambda peer: peer.expect(b"x"), lambda peer: peer.expect_end().repeat(1, last=1)])
def test_a_peer_that_is_killed_before_it_expects_something_is_reported_once(
    net: Network, last: Callable[[Peer], Peer]
) -> None:
    script = last(Peer(net.hosts["server"]).accept().wait(20))
    peer = script.start()
    client = Peer(net.hosts["client"]).connect(peer.address).wait(60).start()
    net.at(3).crash("server")
    with pytest.raises(AssertionError, match=r"^step 2, wait\(20\): the peer was killed in step 2 of 3 \(3\.000 s"):
        peer.finish()
    peer.finish()
    client.stop()


def test_a_peer_that_is_killed_while_it_only_waits_is_not_reported(net: Network) -> None:
    peer = Peer(net.hosts["server"]).accept().expect(b"x").wait(20).send(b"y").start()
    client = Peer(net.hosts["client"]).connect(peer.address).send(b"x").wait(60).start()
    net.at(3).crash("server")
    peer.finish()
    client.stop()


def test_a_peer_that_is_stopped_before_it_expects_something_is_not_reported(net: Network) -> None:
    peer = Peer(net.hosts["server"]).accept().expect(b"x").start()
    peer.stop()
    peer.finish()


def test_a_reset_is_expected_within_the_time_limit_although_data_arrives(net: Network) -> None:
    server = Peer(net.hosts["server"], limit=2).accept().expect_reset().start()
    script = Peer(net.hosts["client"]).connect(server.address).send(b"x").wait(0.1).repeat(100, last=2)
    client = script.start()
    with pytest.raises(
        AssertionError, match=r"the other side has not reset the connection within the limit of 2 s \(2\.\d+ s"
    ):
        server.finish()
    client.stop()


def test_an_error_in_the_block_stops_the_peer(net: Network) -> None:
    with pytest.raises(KeyError):  # noqa: SIM117 - the order matters
        with Peer(net.hosts["server"], limit=600).accept().start():
            raise KeyError
    assert net.now < 1
    assert "LISTEN" not in net.netstat("server")


def test_a_partition_delays_what_the_peer_sends(net: Network) -> None:
    script = Peer(net.hosts["server"]).accept().send(b"a").wait(2).send(b"b").wait(60)
    with script.start() as peer:
        process = net.hosts["client"].start(read_all, *peer.address)
        net.at(1).partition("server", "client")
        net.at(9).heal("server", "client")
    net.run()
    times = [moment for moment, data in process.result() if data]
    assert times[0] < 1
    assert times[1] > 9


def test_the_same_seed_gives_the_same_conversation() -> None:
    def conversation() -> str:
        with Network(seed=3, jitter=0.01) as net:
            server = Peer(net.host("server"), port=8081).accept().garbage(100, seed=5).expect(b"x").start()
            client = Peer(net.host("client")).connect(("server", 8081)).receive(100).send(b"x").start()
            with server, client:
                pass
            return str(server.conversation)

    assert conversation() == conversation()
