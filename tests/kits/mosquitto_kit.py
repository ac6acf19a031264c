"""A real mosquitto as a child process, for the tests of everything that uses an MQTT broker.

Each broker listens on a port of its own on loopback. It has a configuration file with a password file, access rules,
persistence, and TLS if the test gives a certificate. A broker that was stopped or killed can be started again on the
same port with what it has saved. Only its own process is ever signalled. Where mosquitto is not installed, the mark
``needs_mosquitto`` skips the test.
"""

from __future__ import annotations

import queue
import socket
import ssl
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cleanup_kit import closed_after_test
from web_kit import wait_until
from winsock_kit import LIMIT_SECONDS

from demos.ideas.broker.mosquitto import (
    Certificate,
    access_rules,
    missing_problem,
    start_broker,
    write_access,
    write_configuration,
)

if TYPE_CHECKING:
    from paho.mqtt.client import Client as PahoClient
    from paho.mqtt.client import MQTTMessage

PROVIDER, COPIER = "provider", "copier"
PASSWORDS = {PROVIDER: "password of the provider", COPIER: "password of the copier"}
PREFIX = "signals/test"

RULES = access_rules(PREFIX, PROVIDER, [COPIER])

_MOST_STARTS = 5


needs_mosquitto = pytest.mark.skipif(bool(missing_problem()), reason=missing_problem() or "mosquitto is installed")


class Mosquitto:
    """A running broker. ``stop`` ends it in order, ``kill`` does not; ``start`` starts it again on the same port."""

    def __init__(
        self,
        folder: Path,
        *,
        passwords: Mapping[str, str] = PASSWORDS,
        rules: Sequence[str] = RULES,
        certificate: Path | None = None,
        key: Path | None = None,
        settings: Sequence[str] = (),
    ) -> None:
        """``folder`` is for the broker's files; ``settings`` are further lines of its configuration.

        With ``certificate`` the listener uses TLS; the key is ``key``, or key.pem in the certificate's folder.
        """
        self.folder = folder / "mosquitto"
        self.folder.mkdir()
        self.certificate = certificate
        self.log_path = self.folder / "mosquitto.log"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._tls = Certificate(certificate, key or certificate.with_name("key.pem")) if certificate else None
        self._settings = ("log_type all", *settings)
        write_access(self.folder, passwords, rules)
        closed_after_test(self)
        self._start_on_free_port()

    @property
    def pid(self) -> int:
        """The process of the running broker."""
        assert self.process is not None
        return self.process.pid

    def url(self, prefix: str = PREFIX) -> str:
        """The URL of a prefix on this broker."""
        return f"mqtt{'s' if self.certificate else ''}://localhost:{self.port}/{prefix}"

    def start(self) -> None:
        """Start it again, after ``stop`` or ``kill``, on the same port."""
        assert self.process is None, "the broker is running"
        assert self._start(), self.log()

    def stop(self) -> None:
        """End it in order: it disconnects its clients and saves its state."""
        process = self.process
        assert process is not None

        def ended() -> bool:
            # A signal that arrives just before mosquitto's loop begins is lost.
            process.terminate()
            return process.poll() is not None

        wait_until(ended)
        self._wait()

    def kill(self) -> None:
        """Kill it: what it has not saved is lost."""
        assert self.process is not None
        self.process.kill()
        self._wait()

    def close(self) -> None:
        """Kill it, if it is running."""
        if self.process is not None:
            self.kill()

    def log(self) -> str:
        """The broker's log so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    def _start_on_free_port(self) -> None:
        # Between the choice of a port and mosquitto's bind, another process may take the port.
        for _ in range(_MOST_STARTS):
            self.port = _free_port()
            write_configuration(self.folder, self.port, self._tls, self._settings)
            if self._start():
                return
        raise AssertionError(f"mosquitto has not started: {self.log()}")

    def _start(self) -> bool:
        """Whether it accepts connections; False if its process has ended before."""
        process = start_broker(self.folder)
        self.process = process
        wait_until(lambda: process.poll() is not None or _accepts(self.port))
        if process.poll() is not None:
            self.process = None
            return False
        return True

    def _wait(self) -> None:
        assert self.process is not None
        self.process.wait(LIMIT_SECONDS)
        self.process = None


class RawClient:
    """A client of the package `paho-mqtt`, which is not ours; it keeps the messages in the order of their arrival."""

    def __init__(
        self,
        broker: Mosquitto,
        login: str = COPIER,
        password: str | None = None,
        *,
        client_id: str = "",
        will: tuple[str, bytes] | None = None,
        topics: Sequence[str] = (),
    ) -> None:
        """Connect and subscribe to the topics. ``will`` is the topic and payload of a retained last will.

        Errors: AssertionError with the broker's reason when it refuses the login or a subscription.
        """
        mqtt = pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")
        self.messages: queue.SimpleQueue[MQTTMessage] = queue.SimpleQueue()
        self._connected: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._subscribed: queue.SimpleQueue[Any] = queue.SimpleQueue()
        client: PahoClient = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv5)
        self.client = client
        client.username_pw_set(login, PASSWORDS.get(login, "") if password is None else password)
        if broker.certificate:
            client.tls_set_context(ssl.create_default_context(cafile=str(broker.certificate)))
        if will:
            client.will_set(*will, qos=1, retain=True)
        client.on_connect = lambda _client, _data, _flags, reason, _properties: self._connected.put(reason)
        client.on_subscribe = lambda _client, _data, _mid, reasons, _properties: self._subscribed.put(reasons)
        client.on_message = lambda _client, _data, message: self.messages.put(message)
        client.connect("localhost" if broker.certificate else "127.0.0.1", broker.port, keepalive=60)
        client.loop_start()
        closed_after_test(self)
        reason = self._connected.get(timeout=LIMIT_SECONDS)
        assert not reason.is_failure, str(reason)
        if topics:
            self.subscribe(*topics)

    def close(self) -> None:
        """Leave in order: the broker discards the last will."""
        self.client.disconnect()
        self.client.loop_stop()
        # Its wake-up sockets would stay open until it is collected, which may be during another test.
        self.client._reset_sockets()

    def subscribe(self, *topics: str, qos: int = 1) -> None:
        """Subscribe to topics."""
        self.client.subscribe([(topic, qos) for topic in topics])
        reasons = self._subscribed.get(timeout=LIMIT_SECONDS)
        assert not any(reason.is_failure for reason in reasons), [str(reason) for reason in reasons]

    def publish(self, topic: str, payload: bytes | str, *, qos: int = 1, retain: bool = True) -> None:
        """Publish a message, and wait until it was sent and, with QoS 1, acknowledged."""
        self.client.publish(topic, payload, qos, retain).wait_for_publish(LIMIT_SECONDS)

    def receive(self) -> MQTTMessage:
        """The next message."""
        return self.messages.get(timeout=LIMIT_SECONDS)

    def receive_payload(self, topic: str, payload: bytes) -> MQTTMessage:
        """Receive until this message has arrived."""
        end = time.monotonic() + LIMIT_SECONDS
        while True:
            message = self.receive()
            if (message.topic, message.payload) == (topic, payload):
                return message
            assert time.monotonic() < end


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
