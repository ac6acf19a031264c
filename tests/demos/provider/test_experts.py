"""An expert's turns: who is served, updated and checked, and when. The clients are our own, on loopback."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import cast

import h11
import pytest
from cleanup_kit import closed_after_test
from provider_kit import HEARTBEAT_MS, KEY, account, holding
from web_kit import certificate, milliseconds, network
from winsock_kit import LIMIT_SECONDS, connected_pair, readable, set_nonblocking

from demos.provider import experts
from demos.provider.connection import Connection, subscriber_row
from demos.provider.dashboard import Dashboard
from demos.provider.experts import Expert
from demos.provider.login_desk import LoginDesk
from demos.provider.logins import Credentials
from demos.provider.messages import Ack, FromServer, Heartbeat, Login, Snapshot, Update
from demos.provider.protocol import decode_from_server, encode
from demos.provider.publishing import Publisher
from demos.provider.rights import Grant, Rights, User
from demos.provider.session import Session
from demos.provider.shared import Shared
from demos.provider.topics import Topic, Topics
from demos.terminal.interfaces import Clock
from demos.terminal.runtime.clock import ManualClock, RealClock
from demos.wire.channel import Channel, Stream
from demos.wire.tls import TlsChannel, client_tls
from demos.wire.tls_contexts import CertificateFiles, pinning_context
from demos.wire.web_server import WebConnection, any_host
from demos.wire.websocket import NORMAL, WebSocket, text_frame
from demos.wire.websocket_opening import open_websocket
from winsock import send

__all__ = ["network"]

pytestmark = pytest.mark.usefixtures("network")


class GrantingDesk:
    """Grants every login at once."""

    def request(self, number: int, credentials: Credentials, host: str, answer: Callable[[Grant], None]) -> None:
        answer(Grant(User(1, credentials.login, "", 1, Rights(), False, 0.0), None))

    def take_seat(self, *arguments: object) -> None:
        pass

    def leave(self, number: int) -> None:
        pass


class Subscriber:
    """The client's side of a subscriber, and the messages that it has received."""

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self.messages: list[FromServer] = []

    def wait_for(self, kind: type[FromServer]) -> None:
        """Receive until there is a message of this kind."""
        while not any(isinstance(message, kind) for message in self.messages):
            assert readable(self.websocket.stream.socket)
            self.messages += map(decode_from_server, self.websocket.receive(milliseconds()))


class Bench:
    """An expert whose turns belong to the test, and its subscribers."""

    def __init__(self, clock: Clock, certificate: CertificateFiles | None = None) -> None:
        self.clock = clock
        self.certificate = certificate
        self.publisher = Publisher(account(), clock.utc_ms(), KEY, HEARTBEAT_MS)
        shared = Shared(
            server_name="provider",
            topics=Topics([Topic("", self.publisher.run, self.publisher)]),
            desk=cast(LoginDesk, GrantingDesk()),
            dashboard=Dashboard(tls=False),
            check_host=any_host,
            certificate=certificate,
            clock=clock,
            report=lambda line: None,
            event=lambda kind, fields: None,
            granted=lambda number: None,
            ended=lambda number: None,
            act=lambda *arguments: None,
        )
        self.expert = Expert(1, shared)
        assert not self.expert.open()
        closed_after_test(self)

    def close(self) -> None:
        self.expert.stop()
        self.expert.run()

    def connect(self) -> tuple[int, int]:
        """A connection of the expert: the client's socket, and the expert's."""
        client, server = connected_pair()
        for s in (client, server):
            set_nonblocking(s)
        self.expert.adopt(len(self.expert.clients.connections), server, "127.0.0.1", "127.0.0.1:1")
        self.turn()
        return client, server

    def subscribe(self) -> Subscriber:
        """A subscriber that has its snapshot."""
        client, server = self.connect()
        stream: Stream = Channel(client)
        if self.certificate is not None:
            pin = self.certificate.fingerprint
            stream = client_tls(Channel(client), pinning_context(), "localhost", pin, milliseconds())
        opening = open_websocket(stream, "127.0.0.1", "/ws", milliseconds())
        websocket = None
        while websocket is None:
            self.serve(server)
            assert readable(client)
            websocket = opening.receive(milliseconds())
        subscriber = Subscriber(websocket)
        websocket.send_text(encode(Login(1, "anna", token="t")), milliseconds())
        self.serve(server)
        # The desk's answer was posted.
        self.turn()
        subscriber.wait_for(Snapshot)
        return subscriber

    def serve(self, server: int) -> None:
        """A turn after this socket has become ready."""
        assert readable(server)
        self.turn()

    def turn(self) -> None:
        self.expert._events.wait(0)
        self.expert._run_turn()

    def check_all(self) -> list[Connection]:
        """A timer event; returns the connections that were due."""
        due = self.expert.clients.due()
        for connection in due:
            self.expert.clients.check(connection)
        return due


def test_a_quiet_subscriber_is_checked_when_its_heartbeat_is_due_and_an_active_one_at_each_timer_event():
    clock = ManualClock()
    bench = Bench(clock)
    subscriber = bench.subscribe()
    assert len(bench.check_all()) == 1
    assert bench.check_all() == []
    clock.time += HEARTBEAT_MS / 1000
    assert len(bench.check_all()) == 1
    assert bench.check_all() == []

    [connection] = bench.expert.clients.connections.values()
    [snapshot] = [message for message in subscriber.messages if isinstance(message, Snapshot)]
    subscriber.websocket.send_text(encode(Ack(snapshot.stream, snapshot.seq, {})), milliseconds())
    bench.serve(connection.socket)
    assert bench.check_all() == [connection]


def test_the_row_of_a_subscriber_says_since_when_a_state_waits_for_its_acknowledgement():
    clock = ManualClock()
    bench = Bench(clock)
    subscriber = bench.subscribe()
    [connection] = bench.expert.clients.connections.values()
    sent = clock.utc_ms()
    clock.time += 40
    row = subscriber_row(connection, 1)
    assert row is not None
    assert (row.lag_ms, row.lag_at(clock.utc_ms())) == (None, clock.utc_ms() - sent)

    [snapshot] = [message for message in subscriber.messages if isinstance(message, Snapshot)]
    subscriber.websocket.send_text(encode(Ack(snapshot.stream, snapshot.seq, {})), milliseconds())
    bench.serve(connection.socket)
    row = subscriber_row(connection, 1)
    assert row is not None
    assert row.lag_ms == row.lag_at(clock.utc_ms() + 60_000) == 40_000


def test_the_messages_to_subscribers_are_counted_with_their_bytes_and_those_from_subscribers_are_not():
    clock = ManualClock()
    bench = Bench(clock)
    subscriber = bench.subscribe()
    counters = bench.expert.clients.counters
    assert len(subscriber.messages) == counters.messages == 3
    [snapshot] = [message for message in subscriber.messages if isinstance(message, Snapshot)]
    [connection] = bench.expert.clients.connections.values()
    subscriber.websocket.send_text(encode(Ack(snapshot.stream, snapshot.seq, {})), milliseconds())
    bench.serve(connection.socket)
    assert counters.messages == 3

    before = counters.bytes
    clock.time += HEARTBEAT_MS / 1000
    bench.check_all()
    subscriber.wait_for(Heartbeat)
    assert counters.messages == 4
    assert counters.bytes - before == len(text_frame(encode(subscriber.messages[-1])))


def test_a_connection_without_a_login_is_checked_at_each_timer_event():
    bench = Bench(ManualClock())
    bench.connect()
    assert len(bench.check_all()) == len(bench.check_all()) == 1


def test_an_ended_connection_leaves_no_garbage_that_only_a_collection_frees(tmp_path):
    bench = Bench(RealClock(), CertificateFiles(certificate(tmp_path), tmp_path / "key.pem"))
    gc.collect()
    kinds = (Connection, Session, WebConnection, h11.Connection, TlsChannel)
    before = [each for each in gc.get_objects() if isinstance(each, kinds)]  # of other tests
    gc.disable()
    try:
        subscriber = bench.subscribe()
        [connection] = bench.expert.clients.connections.values()
        subscriber.websocket.close(NORMAL, "", milliseconds())
        while bench.expert.clients.connections:
            bench.serve(connection.socket)
            subscriber.websocket.receive(milliseconds())
        del connection, subscriber
        now = [type(each) for each in gc.get_objects() if isinstance(each, kinds) and each not in before]
        assert now == []
    finally:
        gc.enable()


def test_states_that_are_published_faster_than_they_can_be_sent_reach_every_subscriber(monkeypatch):
    monkeypatch.setattr(experts, "SLICE_S", 0)
    bench = Bench(ManualClock())
    subscribers = [bench.subscribe() for _ in range(3)]
    for number in range(3):
        # Each turn sends to one subscriber, and each is preceded by a new state.
        bench.publisher.observe(account(holding("EURUSD", f"0.{number + 1}")), bench.clock.utc_ms())
        bench.expert.publish()
        bench.turn()
    for subscriber in subscribers:
        subscriber.wait_for(Update)


def test_sockets_that_wait_for_their_turn_are_not_reported_again(monkeypatch):
    monkeypatch.setattr(experts, "SOCKETS_S", 0)
    bench = Bench(RealClock())
    pairs = [bench.connect() for _ in range(5)]
    for client, server in pairs:
        assert send(client, b"GET", 3, 0) == 3
        assert readable(server)
    served: list[int] = []
    all_served = threading.Event()
    serve = bench.expert.clients.serve

    def counted(connection: Connection, occurred: int) -> None:
        served.append(connection.socket)
        serve(connection, occurred)
        if len(set(served)) == len(pairs):
            all_served.set()

    monkeypatch.setattr(bench.expert.clients, "serve", counted)
    thread = threading.Thread(target=bench.expert.run)
    thread.start()
    assert all_served.wait(LIMIT_SECONDS)
    bench.expert.stop()
    thread.join(LIMIT_SECONDS)
    assert not thread.is_alive()
    assert len(served) == len(pairs)
