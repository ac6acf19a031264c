"""The small MQTT broker that stands in for mosquitto: paho's packets, retained messages, wills and time limits."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
from ideas_kit import until
from signal_kit import Script, Stage, closed_port
from web_kit import network

pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")

import demos.simulation
from demos.registry import find_program
from demos.simulation.mqtt_attempt import InlineAttempt
from demos.simulation.mqtt_broker import Broker, Session, is_match
from demos.simulation.mqtt_packets import Connect, Decoder, Filter, Message, PacketError, Publish, Subscribe
from demos.wire.mqtt_link import use_attempts

__all__ = ["network"]

BROKER = Path(demos.simulation.__file__).with_name("broker_program.py")
PREFIX = "signals/test"


class BrokerStage(Stage):
    """A terminal with the broker, and a provider that publishes to it."""

    def __init__(self, folder: Path) -> None:
        port = closed_port()
        super().__init__(str(BROKER), timer_ms=10, Port=port, logins="anna=secret", store=str(folder / "retained"))
        password = folder / "password"
        password.write_text("secret", encoding="utf-8")
        password.chmod(0o600)
        given = {"broker": f"mqtt://127.0.0.1:{port}/{PREFIX}", "broker_login": "anna", "Port": -1, "plain_port": -1}
        given["broker_password_file"] = str(password)
        self.provider = self.terminal.attach(find_program("provider"), "EURUSD", inputs=given).module

    @property
    def broker(self) -> Broker:
        return self.chart.module.broker


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("is_inline", [False, True], ids=["thread", "inline"])
def test_a_provider_publishes_and_its_state_is_retained(tmp_path: Path, is_inline: bool) -> None:
    stage = None

    def script() -> Script:
        yield from until(stage, lambda: len(stage.broker.retained) >= 2)
        yield from until(stage, lambda: stage.record.of("broker"))
        assert [each["state"] for each in stage.record.of("broker")] == ["publishing"]
        topics = sorted(stage.broker.retained)
        assert topics == [f"{PREFIX}/status", f"{PREFIX}/summary"]
        assert b'"hello"' in stage.broker.retained[f"{PREFIX}/status"]

    with use_attempts(InlineAttempt) if is_inline else nullcontext():
        stage = BrokerStage(tmp_path)
        assert stage.play(script()) == 0, stage.texts
    # At its end the provider has its will published, which the file keeps.
    assert b'"gone"' in stage.broker.retained[f"{PREFIX}/status"]
    assert "status" in (tmp_path / "retained").read_text("utf-8")


class Client:
    """A client of a Broker without sockets: the bytes that it was sent, and why its connection was ended."""

    def __init__(self, broker: Broker, name: str, will: Message | None = None) -> None:
        self.broker, self.sent, self.ended = broker, b"", None
        self.session = Session(self.take, self.end, 0)
        self.do(Connect(name, 10, will, "anna", "secret", 1000))

    def take(self, data: bytes) -> None:
        self.sent += data

    def end(self, reason: str) -> None:
        self.ended = reason

    def do(self, packet: object, now: int = 0) -> bytes:
        """Send a packet; what the broker sends meanwhile."""
        self.sent = b""
        self.broker.received(self.session, packet, now)
        return self.sent


def make_broker() -> Broker:
    return Broker({"anna": "secret"}, {})


def test_a_retained_message_is_sent_at_each_subscription_that_wants_it() -> None:
    broker = make_broker()
    first, second = Client(broker, "first"), Client(broker, "second")
    assert first.do(Publish(Message("a/b", b"x", 1, True), 7)) == b"\x40\x03\x00\x07\x10"
    wanted = Subscribe(1, (Filter("a/+", 1, True, 0),))
    assert second.do(wanted) == b"\x90\x04\x00\x01\x00\x01" + b"\x33\x09\x00\x03a/b\x00\x01\x00x"
    assert b"a/b" in second.do(wanted)
    assert b"a/b" not in second.do(Subscribe(2, (Filter("a/b", 1, True, 2),)))
    assert second.do(Publish(Message("a/b", b"", 0, True), 0))
    assert broker.retained == {}


def test_a_client_may_exclude_what_it_publishes_itself() -> None:
    client = Client(make_broker(), "client")
    client.do(Subscribe(1, (Filter("a", 0, False, 0), Filter("b", 0, True, 0))))
    assert client.do(Publish(Message("a", b"x"), 0)) == b""
    assert client.do(Publish(Message("b", b"x"), 0)) == b"\x30\x05\x00\x01b\x00x"


def test_the_will_is_published_after_every_end_but_a_disconnect_without_it() -> None:
    will = Message("status", b"gone", 1, True)
    for end, is_published in ((b"\xe0\x00", False), (b"\xe0\x01\x04", True), (b"", True)):
        broker = make_broker()
        client = Client(broker, "client", will)
        for packet in Decoder().take(end):
            client.do(packet)
        broker.closed(client.session)
        assert ("status" in broker.retained) == is_published, end


def test_a_second_connection_of_a_client_takes_the_place_of_the_first() -> None:
    broker = make_broker()
    first = Client(broker, "client", Message("status", b"gone", 1, True))
    Client(broker, "client")
    assert first.ended
    assert broker.retained == {"status": b"gone"}
    broker.closed(first.session)
    assert broker.clients == ["client"]


def test_a_client_that_is_silent_for_one_and_a_half_keep_alive_times_is_ended() -> None:
    broker = make_broker()
    client = Client(broker, "client")
    broker.check(client.session, 14_999)
    assert client.ended is None
    broker.check(client.session, 15_000)
    assert client.ended


def test_a_message_that_is_larger_than_the_client_accepts_is_not_sent_to_it() -> None:
    client = Client(make_broker(), "client")
    client.do(Subscribe(1, (Filter("#", 0, True, 0),)))
    assert client.do(Publish(Message("a", bytes(2000)), 0)) == b""


def test_a_wrong_password_is_refused() -> None:
    client = Client(Broker({"anna": "another"}, {}), "client")
    assert client.sent == b"\x20\x03\x00\x86\x00"
    assert client.ended


def test_packets_arrive_in_any_pieces() -> None:
    data = b"\x30\x05\x00\x01b\x00x" * 3
    decoder = Decoder()
    found = [packet for byte in data for packet in decoder.take(bytes([byte]))]
    assert found == [Publish(Message("b", b"x"), 0)] * 3


@pytest.mark.parametrize(
    "data",
    [b"\x30\xff\xff\xff\xff\x01", b"\x30\xff\xff\xff\x7f", b"\x10\x02\x00\x04", b"\x34\x03\x00\x01b", b"\x00\x00"],
    ids=["length", "size", "cut off", "QoS 2", "type"],
)
def test_bytes_that_are_no_packet_are_refused(data: bytes) -> None:
    with pytest.raises(PacketError):
        Decoder().take(data)


def test_a_filter_selects_topics_by_level() -> None:
    assert is_match("a/+/c", "a/b/c")
    assert is_match("a/#", "a/b/c")
    assert is_match("#", "a")
    assert not is_match("a/+", "a/b/c")
    assert not is_match("a/b", "a")
