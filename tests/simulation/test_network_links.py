"""A link delays, loses, repeats and reorders packets as its settings say."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import pytest

from winsock.simulation.errors import SimulationError
from winsock.simulation.links import Direction, LinkSettings, Nat, checked_settings
from winsock.simulation.units import SECOND

MILLISECOND = SECOND // 1000


class FakePacket(NamedTuple):
    protocol: str = "tcp"
    source: str = "a:1"
    destination: str = "b:2"
    size: int = 1000
    opens_flow: bool = False


def direction(**settings: float | None) -> Direction:
    return Direction(Random(1), Nat(), checked_settings(LinkSettings(), settings))


def test_a_packet_arrives_after_the_latency() -> None:
    assert direction(latency=0.02).send(FakePacket(), 5).arrivals == (5 + 20 * MILLISECOND,)


def test_jitter_delays_packets_differently_but_by_at_most_its_value() -> None:
    line = direction(latency=0.02, jitter=0.005)
    times = [line.send(FakePacket(source=f"a:{port}"), 0).arrivals[0] for port in range(200)]
    assert all(20 * MILLISECOND <= time <= 25 * MILLISECOND for time in times)
    assert len(set(times)) > 100


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_jitter_does_not_reorder_the_packets_of_one_flow(protocol: str) -> None:
    line = direction(latency=0.01, jitter=0.5)
    times = [line.send(FakePacket(protocol), number * MILLISECOND).arrivals[0] for number in range(200)]
    assert times == sorted(times)


def test_bandwidth_sends_one_packet_after_the_other() -> None:
    line = direction(latency=0, bandwidth=10_000)
    assert [line.send(FakePacket(), 0).arrivals for _ in range(3)] == [(SECOND // 10 * number,) for number in (1, 2, 3)]
    assert line.send(FakePacket(), SECOND).arrivals == (SECOND + SECOND // 10,)


def test_a_full_queue_drops_the_packets_at_its_end() -> None:
    line = direction(latency=0, bandwidth=1000, queue=2000)
    dropped = [line.send(FakePacket(), 0).dropped for _ in range(4)]
    assert dropped == ["", "", "queue full", "queue full"]
    assert line.send(FakePacket(), SECOND).dropped == ""


def test_a_packet_larger_than_the_queue_passes_an_idle_link() -> None:
    assert direction(bandwidth=1000, queue=100).send(FakePacket(size=60_000), 0).arrivals


def test_loss_drops_about_its_share_of_the_packets() -> None:
    line = direction(loss=0.25)
    lost = sum(line.send(FakePacket(), number).dropped == "loss" for number in range(4000))
    assert 900 < lost < 1100


def test_reordered_datagrams_arrive_after_later_ones() -> None:
    line = direction(latency=0.01, reorder=0.3)
    times = [line.send(FakePacket("udp"), number * 10_000).arrivals[0] for number in range(200)]
    assert times != sorted(times)


def test_a_duplicated_datagram_arrives_twice() -> None:
    first, second = direction(duplicate=1.0).send(FakePacket("udp"), 0).arrivals
    assert first < second


def test_packets_of_a_stream_are_neither_reordered_nor_duplicated() -> None:
    line = direction(latency=0.01, jitter=0.01, reorder=1.0, duplicate=1.0)
    passages = [line.send(FakePacket("tcp"), number * 10_000).arrivals for number in range(200)]
    assert all(len(arrivals) == 1 for arrivals in passages)
    assert passages == sorted(passages)


def test_a_blocked_direction_drops_every_packet() -> None:
    assert direction(blocked=True).send(FakePacket(), 0).dropped == "partition"


def test_a_direction_remembers_only_the_flows_that_have_packets_on_the_way() -> None:
    line = direction(latency=0.01)
    packets = [FakePacket(source=f"a:{port}") for port in range(50)]
    arrivals = [line.send(packet, 0).arrivals[0] for packet in packets]
    assert line.flows_on_the_way == 50
    for packet, arrival in zip(packets, arrivals, strict=True):
        line.arrived(packet, arrival)
    assert line.flows_on_the_way == 0


def test_changed_settings_hold_for_the_packets_sent_afterwards() -> None:
    line = direction(latency=0.01)
    line.apply(LinkSettings(latency=0.5), 0)
    assert line.send(FakePacket(), 0).arrivals == (SECOND // 2,)


class NatLink:
    def __init__(self, **settings: float | None) -> None:
        self.nat = Nat()
        self.there = Direction(Random(1), self.nat, checked_settings(LinkSettings(), settings))
        self.back = Direction(Random(2), self.nat, self.there.settings)

    def send(self, seconds: float, protocol: str = "tcp", opens_flow: bool = False) -> str:
        packet = FakePacket(protocol, opens_flow=opens_flow)
        return self.there.send(packet, round(seconds * SECOND)).dropped

    def reply(self, seconds: float, protocol: str = "tcp") -> str:
        return self.back.send(FakePacket(protocol, "b:2", "a:1"), round(seconds * SECOND)).dropped


def test_a_nat_drops_both_directions_of_a_connection_that_was_idle_too_long() -> None:
    link = NatLink(nat_timeout=30)
    assert link.send(0, opens_flow=True) == link.reply(20) == link.send(49) == ""
    assert link.send(80) == link.reply(81) == "forgotten by the NAT"


def test_a_new_connection_opens_a_forgotten_flow_again() -> None:
    link = NatLink(nat_timeout=30)
    link.send(0, opens_flow=True)
    assert link.send(31) == "forgotten by the NAT"
    assert link.send(32, opens_flow=True) == link.reply(33) == ""


def test_only_the_opener_of_a_flow_of_datagrams_opens_it_again() -> None:
    link = NatLink(nat_timeout=30)
    link.send(0, "udp")
    assert link.reply(31, "udp") == "forgotten by the NAT"
    assert link.send(32, "udp") == link.reply(33, "udp") == ""


def test_a_flow_stays_forgotten_when_the_nat_forgets_no_more() -> None:
    link = NatLink(nat_timeout=30)
    link.send(0, opens_flow=True)
    for line in (link.there, link.back):
        line.apply(LinkSettings(), 40 * SECOND)
    assert link.send(41) == link.reply(42) == "forgotten by the NAT"


def test_a_nat_forgets_a_connection_that_was_idle_since_before_the_nat_began() -> None:
    link = NatLink()
    link.send(0, opens_flow=True)
    for line in (link.there, link.back):
        line.apply(LinkSettings(nat_timeout=30), 10 * SECOND)
    assert link.send(41) == "forgotten by the NAT"


def test_a_nat_in_one_direction_of_a_link_forgets_the_flows_of_both() -> None:
    link = NatLink(nat_timeout=30)
    link.back.apply(LinkSettings(), 0)
    link.send(0, opens_flow=True)
    assert link.reply(31) == link.send(32) == "forgotten by the NAT"


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_nat_that_many_short_flows_pass_remembers_those_of_the_last_hour(protocol: str) -> None:
    link = NatLink(nat_timeout=30)
    for second in range(20_000):
        link.there.send(FakePacket(protocol, f"a:{second}", opens_flow=True), second * SECOND)
    assert link.nat.flows_known < 3 * 3600
    old = FakePacket(protocol, "b:2", f"a:{20_000 - 3600}")
    assert link.back.send(old, 20_000 * SECOND).dropped == "forgotten by the NAT"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": 1.5}, "invalid loss: 1.5; give a probability from 0 to 1"),
        ({"latency": -1}, "invalid latency: -1; give a time of at least 0 seconds"),
        ({"bandwidth": 0}, "invalid bandwidth: 0; give a number above 0"),
        ({"delay": 1}, "unknown setting of a link: 'delay'; the settings are latency, "),
    ],
)
def test_an_invalid_setting_is_reported_with_its_value(settings: dict[str, float], message: str) -> None:
    with pytest.raises(SimulationError) as caught:
        checked_settings(LinkSettings(), settings)
    assert str(caught.value).startswith(message)
