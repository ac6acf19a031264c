"""The link to a broker: verification, the login, events in their order, and peers that are no broker."""

from __future__ import annotations

import hashlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cleanup_kit import closed_after_test
from mosquitto_kit import COPIER, PASSWORDS, PREFIX, PROVIDER, Mosquitto, RawClient, needs_mosquitto
from signal_kit import ready
from web_kit import certificate, network
from winsock_kit import LIMIT_SECONDS

pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")

from demos.wire.mqtt_link import (
    MOST_BYTES,
    MOST_EVENTS,
    Acknowledged,
    Ended,
    MqttEvent,
    MqttLink,
    MqttLogin,
    MqttSettings,
    Opened,
    Received,
    Subscribed,
)
from demos.wire.mqtt_url import MqttEndpoint
from demos.wire.tls_contexts import fingerprint_text, pinning_context, verifying_context

__all__ = ["network"]

pytestmark = pytest.mark.usefixtures("network")

LOGIN = MqttLogin(PROVIDER, PASSWORDS[PROVIDER])


class Opening:
    """A link, and its events so far."""

    def __init__(
        self,
        port: int,
        *,
        host: str = "127.0.0.1",
        ca: Path | None = None,
        pin: bytes | None = None,
        droppable: str = "",
    ) -> None:
        context = pinning_context() if pin else verifying_context(str(ca)) if ca else None
        endpoint = MqttEndpoint(host, port, context is not None, PREFIX)
        self.link = MqttLink(MqttSettings(endpoint, context, pin, "a-client", droppable))
        self.events: list[MqttEvent] = []
        closed_after_test(self.link)

    def begin(self, login: MqttLogin = LOGIN) -> Opening:
        assert self.link.begin(login) == ""
        return self

    def wait(self, condition: Callable[[], bool]) -> None:
        """Take events as the terminal does, until the condition is true."""
        while not condition():
            assert ready(self.link.socket, LIMIT_SECONDS), self.events
            self.events += self.link.take()

    def wait_for(self, kind: type[MqttEvent]) -> MqttEvent:
        self.wait(lambda: any(isinstance(each, kind) for each in self.events))
        return next(each for each in self.events if isinstance(each, kind))

    def end(self) -> Ended:
        event = self.wait_for(Ended)
        assert isinstance(event, Ended)
        assert self.link.is_idle
        return event


def pin_of(path: Path) -> bytes:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(path.read_text("ascii"))).digest()


@pytest.fixture
def broker(tmp_path: Path) -> Mosquitto:
    return Mosquitto(tmp_path)


@pytest.fixture
def tls_broker(tmp_path: Path) -> Mosquitto:
    return Mosquitto(tmp_path, certificate=certificate(tmp_path))


@needs_mosquitto
def test_a_message_goes_out_and_comes_back(broker):
    opening = Opening(broker.port).begin()
    opening.wait_for(Opened)
    assert opening.link.is_open
    number = opening.link.subscribe([f"{PREFIX}/#"])
    assert opening.wait_for(Subscribed) == Subscribed(number, ("",))
    sent = opening.link.publish(f"{PREFIX}/status", b"x", retain=True)
    assert opening.wait_for(Received) == Received(f"{PREFIX}/status", b"x", False)
    assert opening.wait_for(Acknowledged) == Acknowledged(sent, "")


@needs_mosquitto
def test_stored_messages_are_marked_and_sent_again_with_each_subscription(broker):
    RawClient(broker, PROVIDER).publish(f"{PREFIX}/status", b"stored")
    opening = Opening(broker.port).begin()
    opening.wait_for(Opened)
    stored = Received(f"{PREFIX}/status", b"stored", True)
    for times in (1, 2):
        opening.link.subscribe([f"{PREFIX}/status"])
        opening.wait(lambda times=times: opening.events.count(stored) == times)


@needs_mosquitto
def test_a_subscription_to_new_messages_gets_no_stored_ones(broker):
    raw = RawClient(broker, PROVIDER)
    raw.publish(f"{PREFIX}/heartbeat", b"stored")
    raw.publish(f"{PREFIX}/status", b"stored")
    opening = Opening(broker.port).begin()
    opening.wait_for(Opened)
    heartbeat, status = f"{PREFIX}/heartbeat", f"{PREFIX}/status"
    opening.link.subscribe([heartbeat, status], new=[heartbeat])
    assert opening.wait_for(Received) == Received(status, b"stored", True)
    raw.publish(heartbeat, b"new", retain=False)
    opening.wait(lambda: Received(heartbeat, b"new", False) in opening.events)
    assert Received(heartbeat, b"stored", True) not in opening.events


@needs_mosquitto
def test_a_publication_without_the_right_is_refused_with_the_reason(broker):
    opening = Opening(broker.port).begin(MqttLogin(COPIER, PASSWORDS[COPIER]))
    opening.wait_for(Opened)
    sent = opening.link.publish(f"{PREFIX}/status", b"x")
    assert opening.wait_for(Acknowledged) == Acknowledged(sent, "Not authorized")


@needs_mosquitto
def test_a_wrong_password_is_a_refusal(broker):
    ended = Opening(broker.port).begin(MqttLogin(PROVIDER, "wrong")).end()
    assert ended.refused
    assert "refuses the login" in ended.reason


@needs_mosquitto
def test_the_will_is_published_when_asked_for_and_when_the_broker_loses_the_connection(broker):
    other = RawClient(broker, PROVIDER, topics=[f"{PREFIX}/will"])
    will = LOGIN._replace(will=(f"{PREFIX}/will", b"gone"))
    asked = Opening(broker.port).begin(will)
    asked.wait_for(Opened)
    asked.link.end(with_will=True)
    assert other.receive().payload == b"gone"
    silent = Opening(broker.port).begin(will)
    silent.wait_for(Opened)
    silent.link.end()
    other.publish(f"{PREFIX}/will", b"the next message")
    assert other.receive().payload == b"the next message"


@needs_mosquitto
def test_a_broker_is_verified_by_its_ca_and_its_name(tls_broker):
    opening = Opening(tls_broker.port, host="localhost", ca=tls_broker.certificate).begin()
    opening.wait_for(Opened)


@needs_mosquitto
def test_a_broker_with_another_ca_gets_no_login(tls_broker, tmp_path):
    (tmp_path / "other").mkdir()
    other = certificate(tmp_path / "other")
    ended = Opening(tls_broker.port, host="localhost", ca=other).begin().end()
    assert "the server's certificate is self-signed; pin its SHA-256 fingerprint" in ended.reason
    assert not ended.refused
    assert PROVIDER not in tls_broker.log()


@needs_mosquitto
def test_a_broker_with_a_certificate_for_another_name_gets_no_login(tmp_path):
    broker = Mosquitto(tmp_path, certificate=certificate(tmp_path, hosts=("broker.example",)))
    ended = Opening(broker.port, host="localhost", ca=broker.certificate).begin().end()
    assert "the server's certificate does not name the host 'localhost'" in ended.reason
    assert PROVIDER not in broker.log()


@needs_mosquitto
def test_a_connection_without_tls_to_a_port_with_tls_is_reported_with_the_scheme_to_use(tls_broker):
    ended = Opening(tls_broker.port, host="127.0.0.1").begin().end()
    assert "before the broker has answered the login" in ended.reason
    assert "use mqtts://" in ended.reason


@needs_mosquitto
def test_a_connection_with_tls_to_a_port_without_it_is_reported_as_that(broker, tmp_path):
    (tmp_path / "other").mkdir()
    ended = Opening(broker.port, host="localhost", ca=certificate(tmp_path / "other")).begin().end()
    assert "use the broker's port for TLS" in ended.reason


@needs_mosquitto
def test_a_lost_connection_has_no_hint_at_its_port(broker):
    opening = Opening(broker.port).begin()
    opening.wait_for(Opened)
    broker.kill()
    assert opening.end().reason == "the connection is lost"


@needs_mosquitto
def test_a_pinned_broker_needs_no_ca(tls_broker):
    opening = Opening(tls_broker.port, host="localhost", pin=pin_of(tls_broker.certificate)).begin()
    opening.wait_for(Opened)


@needs_mosquitto
def test_a_broker_with_another_certificate_than_the_pinned_one_gets_no_login(tls_broker):
    ended = Opening(tls_broker.port, host="localhost", pin=b"x" * 32).begin().end()
    assert "the broker's certificate is not the pinned one" in ended.reason
    assert fingerprint_text(pin_of(tls_broker.certificate)) in ended.reason
    assert PROVIDER not in tls_broker.log()


@needs_mosquitto
def test_messages_that_nobody_takes_end_the_connection_at_a_limit(broker):
    opening = Opening(broker.port).begin()
    opening.wait_for(Opened)
    opening.link.subscribe([f"{PREFIX}/#"])
    opening.wait_for(Subscribed)
    flooder = RawClient(broker, PROVIDER)
    size = 1_000_000
    for _ in range(MOST_BYTES // size + 3):
        flooder.publish(f"{PREFIX}/x", b"x" * size, retain=False)
    assert "faster than they can be read" in opening.end().reason
    opening.begin()
    opening.events.clear()
    opening.wait_for(Opened)


@needs_mosquitto
def test_a_flood_of_messages_that_may_be_dropped_leaves_the_connection_open(broker):
    opening = Opening(broker.port, droppable=f"{PREFIX}/ask/").begin()
    opening.wait_for(Opened)
    opening.link.subscribe([f"{PREFIX}/#"])
    opening.wait_for(Subscribed)
    flooder = RawClient(broker, PROVIDER)
    for _ in range(MOST_EVENTS + 100):
        flooder.client.publish(f"{PREFIX}/ask/x", b"x", 0)
    flooder.publish(f"{PREFIX}/status", b"x")
    opening.wait(lambda: any(isinstance(each, Received) and each.topic.endswith("status") for each in opening.events))
    assert opening.link.is_open


def test_an_address_of_another_computer_needs_tls():
    link = Opening(1, host="192.0.2.1").link
    assert "use mqtts://" in link.begin(LOGIN)
    assert link.is_idle


def test_a_refused_connect_is_an_end_with_its_reason():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ended = Opening(port).begin().end()
    assert ended.reason
    assert not ended.refused


@pytest.fixture
def peer() -> Iterator[Callable[[bytes], int]]:
    """Starts a server that sends these bytes to its only client, and then waits for its end; returns its port."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        threads = []

        def serve(data: bytes) -> None:
            client, _ = server.accept()
            with client:
                client.recv(65536)
                try:
                    client.sendall(data)
                    while client.recv(65536):
                        pass
                except OSError:
                    # The link has closed the connection.
                    return

        def start(data: bytes) -> int:
            threads.append(threading.Thread(target=serve, args=(data,)))
            threads[-1].start()
            port: int = server.getsockname()[1]
            return port

        yield start
        for thread in threads:
            thread.join(LIMIT_SECONDS)


# A CONNACK of MQTT 5 without properties: accepted.
CONNACK = b"\x20\x03\x00\x00\x00"


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x20\x02\x00",
        b"\x20\xff\xff\xff\xff\xff",
        b"\x20\x00",
        CONNACK + b"\x00\x00",
        CONNACK + b"\x30\x02\xff\xff",
        CONNACK + b"\x32\x05\x00\x01x\x00\x01",
        CONNACK + b"\x30\x06\x00\x01x\x05\xff\xff",
        CONNACK + b"\x30\x04\x00\x01\xff\x00",
        CONNACK + b"\xf0\x01\x00",
        CONNACK + b"\x90\x01\x00",
        CONNACK + b"\xe0\x02\x8e\x00",
    ],
)
def test_a_peer_that_does_not_speak_mqtt_ends_the_connection_and_nothing_else(peer, data):
    opening = Opening(peer(data)).begin()
    if not data.startswith((CONNACK + b"\x30\x04", CONNACK + b"\x32", b"\x20\x02")):
        assert opening.end().reason
    opening.link.end()
    assert opening.link.is_idle
