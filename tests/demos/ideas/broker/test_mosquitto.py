"""The broker of the tests: a real mosquitto, observed by a client that is not ours."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from mosquitto_kit import COPIER, PREFIX, PROVIDER, Mosquitto, RawClient, needs_mosquitto
from web_kit import certificate, wait_until

pytestmark = needs_mosquitto
TOPIC = f"{PREFIX}/state/EURUSD"


def test_a_late_subscriber_receives_the_retained_message(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    RawClient(broker, PROVIDER).publish(TOPIC, b"newest")
    message = RawClient(broker, topics=[f"{PREFIX}/#"]).receive()
    assert (message.topic, message.payload, message.retain) == (TOPIC, b"newest", True)


def test_a_wrong_password_is_refused(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    with pytest.raises(AssertionError, match="Not authorized"):
        RawClient(broker, COPIER, "wrong")


def test_a_login_without_the_right_cannot_publish(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    subscriber = RawClient(broker, topics=[f"{PREFIX}/#"])
    subscriber.publish(TOPIC, b"forged")
    RawClient(broker, PROVIDER).publish(TOPIC, b"real")
    assert subscriber.receive().payload == b"real"


def test_a_subscriber_asks_under_its_own_client_identifier_only(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    provider = RawClient(broker, PROVIDER, topics=[f"{PREFIX}/ask/+"])
    first = RawClient(broker, client_id="copier-1", topics=[f"{PREFIX}/answer/+"])
    first.publish(f"{PREFIX}/ask/copier-2", b"forged", retain=False)
    first.publish(f"{PREFIX}/ask/copier-1", b"own", retain=False)
    assert provider.receive().payload == b"own"
    provider.publish(f"{PREFIX}/answer/copier-2", b"another one's", retain=False)
    provider.publish(f"{PREFIX}/answer/copier-1", b"own", retain=False)
    assert first.receive().payload == b"own"


def test_the_broker_speaks_tls_with_the_given_certificate(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path, certificate=certificate(tmp_path))
    assert broker.url().startswith("mqtts://")
    RawClient(broker, PROVIDER).publish(TOPIC, b"secret")
    assert RawClient(broker, topics=[TOPIC]).receive().payload == b"secret"


def test_a_stopped_broker_keeps_its_port_and_its_retained_messages(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    RawClient(broker, PROVIDER).publish(TOPIC, b"saved")
    port = broker.port
    broker.stop()
    broker.start()
    assert broker.port == port
    assert RawClient(broker, topics=[TOPIC]).receive().payload == b"saved"


def test_a_killed_broker_starts_again_and_its_clients_reconnect(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    subscriber = RawClient(broker, topics=[TOPIC])
    publisher = RawClient(broker, PROVIDER)
    connected = publisher.client.is_connected
    broker.kill()
    wait_until(lambda: not connected() and not subscriber.client.is_connected())
    broker.start()
    wait_until(lambda: connected() and subscriber.client.is_connected())
    subscriber.subscribe(TOPIC)
    publisher.publish(TOPIC, b"afterwards")
    subscriber.receive_payload(TOPIC, b"afterwards")


def test_the_last_will_is_published_when_a_client_is_lost(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    publisher = RawClient(broker, PROVIDER, will=(f"{PREFIX}/status", b"stale"))
    subscriber = RawClient(broker, topics=[f"{PREFIX}/status"])
    lost = publisher.client.socket()
    assert lost is not None
    lost.shutdown(2)
    assert subscriber.receive().payload == b"stale"


def test_no_process_of_the_broker_is_left_after_stop_or_kill(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    first = broker.pid
    broker.stop()
    broker.start()
    second = broker.pid
    broker.kill()
    for pid in (first, second):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
