"""The link against a server of the package websockets: it verifies, sends and receives, and connects again."""

from __future__ import annotations

import pytest
from copier_kit import Peer, WebsocketsProvider, tls_context
from ideas_kit import link_stage, pass_time, until
from signal_kit import Script, Stage, closed_port
from web_kit import network

__all__ = ["network"]

pytestmark = pytest.mark.usefixtures("network")


async def greet(peer: Peer) -> None:
    """Answer the first message, and receive until the end."""
    text = await peer.connection.recv()
    await peer.connection.send(f"welcome, {text}")
    while True:
        await peer.connection.recv()


def test_messages_are_sent_and_received_and_the_connection_stays_open():
    server = WebsocketsProvider(greet)
    stage = link_stage(server.port)

    def script() -> Script:
        yield from until(stage, lambda: stage.program.received)
        yield from pass_time(6)
        assert stage.program.link.is_open

    assert stage.play(script()) == 0
    assert stage.program.received == ["welcome, hello 1"]
    assert stage.program.link.generation == server.connections == 1
    assert len(stage.record.of("connected")) == 1


def test_a_lost_connection_is_opened_again_and_each_one_has_its_own_generation():
    async def greet_and_leave(peer: Peer) -> None:
        await peer.connection.send(f"welcome, {await peer.connection.recv()}")

    server = WebsocketsProvider(greet_and_leave)
    stage = link_stage(server.port)

    def script() -> Script:
        yield from until(stage, lambda: len(stage.program.received) == 3)

    assert stage.play(script()) == 0
    assert stage.program.received == ["welcome, hello 1", "welcome, hello 2", "welcome, hello 3"]


def test_a_server_that_cannot_be_reached_is_reported_once_and_tried_after_growing_pauses():
    stage = link_stage(closed_port())
    assert stage.play(pass_time(70)) == 0
    [line] = stage.errors()
    assert "WSAECONNREFUSED" in line
    assert line.endswith("Next attempt in 1 s, then after growing pauses.")
    assert stage.program.link.generation == 0


def test_a_program_can_end_the_connection_and_gets_no_further_message_of_it():
    async def behave(peer: Peer) -> None:
        await peer.connection.recv()
        await peer.connection.send("end")
        await peer.connection.send("not for the program")
        await peer.connection.recv()

    server = WebsocketsProvider(behave)
    stage = link_stage(server.port)

    def script() -> Script:
        yield from until(stage, lambda: server.connections == 3)

    assert stage.play(script()) == 0
    assert set(stage.program.received) == {"end"}
    assert [text for text in stage.errors() if "the server sends the end" in text] != []
    assert len(stage.errors()) == 1


@pytest.mark.parametrize("data", [b"binary", "x" * (4 * 1024 * 1024 + 1)])
def test_a_server_that_breaks_a_rule_is_left_and_tried_again(data):
    async def behave(peer: Peer) -> None:
        await peer.connection.recv()
        await peer.connection.send(data)
        await peer.connection.recv()

    server = WebsocketsProvider(behave)
    stage = link_stage(server.port)

    def script() -> Script:
        yield from until(stage, lambda: server.connections == 2)

    assert stage.play(script()) == 0
    assert stage.program.received == []
    assert "WebSocket error" in stage.errors()[0]


def test_a_server_with_a_pinned_or_verified_certificate_is_accepted(tmp_path):
    server = WebsocketsProvider(greet, context=tls_context(tmp_path))
    stage = link_stage(0, url=f"wss://localhost:{server.port}", ca=str(tmp_path / "cert.pem"))

    def script() -> Script:
        yield from until(stage, lambda: stage.program.received)

    assert stage.play(script()) == 0


@pytest.mark.parametrize("inputs", [{}, {"pin": "ab" * 32}])
def test_a_server_with_another_certificate_gets_no_message(tmp_path, inputs):
    server = WebsocketsProvider(greet, context=tls_context(tmp_path))
    stage = link_stage(0, url=f"wss://localhost:{server.port}", **inputs)

    def script() -> Script:
        yield from until(stage, lambda: stage.errors())

    assert stage.play(script()) == 0
    assert "the server's certificate" in stage.errors()[0]
    assert server.connections == 0


def test_inputs_that_contradict_each_other_end_the_program():
    def errors(**inputs: object) -> Stage:
        stage = link_stage(1, **inputs)
        assert stage.play(pass_time(1)) == 2
        return stage

    assert "use wss://" in errors(ca="ca.pem").errors()[0]
    assert "either --ca or --pin" in errors(url="wss://localhost:1", ca="ca.pem", pin="ab" * 32).errors()[0]
    assert "ca.pem" in errors(url="wss://localhost:1", ca="missing/ca.pem").errors()[0]
