"""The provider's feed to a real broker: what is published when, answers, other providers, and its inputs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from cleanup_kit import closed_after_test
from mosquitto_kit import PASSWORDS, PREFIX, PROVIDER, RULES, Mosquitto, RawClient, needs_mosquitto
from signal_kit import Script, Stage, buy
from web_kit import network
from winsock_kit import LIMIT_SECONDS

from demos.provider.broker_messages import AskProvider, encode
from demos.provider.messages import Hello
from demos.provider.shared import PAUSE_SETTING, PAUSED_VALUE
from demos.provider.state_file import StateFile
from demos.terminal.paper.account import PaperAccount

pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")

from demos.provider import broker_feed
from demos.wire.mqtt_link import MqttLink

__all__ = ["network"]

pytestmark = [needs_mosquitto, pytest.mark.usefixtures("network")]

NONCE = "a" * 32


class Unreadable(PaperAccount):
    """A paper account that can be unreadable for a time."""

    readable = True

    @property
    def connected(self) -> bool:
        return self.readable


class Scene:
    """A provider with a feed on a stage, and a client that receives what is published."""

    def __init__(self, folder: Path, *settings: str, rules: Sequence[str] = RULES) -> None:
        self.broker = Mosquitto(folder, settings=settings, rules=rules)
        secret = folder / "password"
        secret.write_text(PASSWORDS[PROVIDER], encoding="ascii")
        secret.chmod(0o600)
        self.account = closed_after_test(Unreadable())
        self.account.readable = True
        inputs = {"broker": self.broker.url(), "broker_login": PROVIDER, "broker_password_file": str(secret)}
        self.stage = Stage("provider", account=self.account, Port=-1, **inputs)
        self.raw = RawClient(self.broker, PROVIDER, client_id="observer", topics=[f"{PREFIX}/#"])
        self.received: list[tuple[str, dict[str, Any]]] = []

    def take(self) -> None:
        with suppress(Empty):
            while True:
                message = self.raw.messages.get_nowait()
                self.received.append((message.topic.removeprefix(f"{PREFIX}/"), json.loads(message.payload or "{}")))

    def until(self, condition: Callable[[], bool]) -> Script:
        """Let the terminal's time pass until the condition is true; the broker needs some of the real time."""
        end, pause = time.monotonic() + LIMIT_SECONDS, threading.Event()
        while True:
            self.take()
            if condition():
                return
            assert time.monotonic() < end, (self.received[-10:], self.stage.texts[-10:])
            pause.wait(0.01)
            yield

    def count(self, topic: str, **fields: object) -> int:
        """How many messages with these fields were published at a topic."""
        return sum(each == topic and fields.items() <= raw.items() for each, raw in self.received)

    def has(self, topic: str, **fields: object) -> Callable[[], bool]:
        return lambda: self.count(topic, **fields) > 0

    def publish(self, topic: str, payload: bytes, *, retain: bool = True) -> None:
        self.raw.publish(f"{PREFIX}/{topic}", payload, retain=retain)

    def play(self, script: Callable[[], Script]) -> int:
        return self.stage.play(script())

    @property
    def run(self) -> str:
        found: str = self.stage.program.feeds[0].states.run
        return found


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def hello(time: int, run: str = "f" * 32) -> bytes:
    return encode(Hello(1, "the other one", run, 20_000, time))


def test_a_trade_is_published_as_the_symbol_and_the_summary_and_the_end_as_gone(scene: Scene):
    def script() -> Script:
        yield from scene.until(scene.has("summary", seq=1))
        buy(scene.stage, "0.10")
        yield from scene.until(scene.has("summary", symbols={"EURUSD": 2}))

    assert scene.play(script) == 0
    topics = [topic for topic, _ in scene.received]
    assert topics.index("state/EURUSD") < len(topics) - 1 - topics[::-1].index("summary")
    message = scene.raw.receive()
    while message.topic != f"{PREFIX}/status":
        message = scene.raw.receive()
    assert json.loads(message.payload)["type"] == "gone"


def test_a_question_is_answered_and_repeated_questions_of_one_client_only_once_in_a_while(scene: Scene):
    ask = encode(AskProvider(1, NONCE))

    def script() -> Script:
        yield from scene.until(scene.has("summary", seq=1))
        for _ in range(50):
            scene.publish("ask/copier-1", ask, retain=False)
        scene.publish("ask/copier-2", ask, retain=False)
        yield from scene.until(scene.has("answer/copier-2", nonce=NONCE))

    assert scene.play(script) == 0
    assert 1 <= scene.count("answer/copier-1") < 25


def test_nothing_is_sent_and_answered_while_the_account_cannot_be_read(scene: Scene):
    def script() -> Script:
        yield from scene.until(scene.has("heartbeat"))
        scene.account.readable = False
        yield
        yield
        scene.take()
        before = len(scene.received)
        scene.publish("ask/copier-1", encode(AskProvider(1, NONCE)), retain=False)
        yield from scene.until(scene.has("ask/copier-1"))
        for _ in range(20):
            yield
        scene.take()
        assert [topic for topic, _ in scene.received[before:]] == ["ask/copier-1"]
        scene.account.readable = True
        count = scene.count("heartbeat")
        yield from scene.until(lambda: scene.count("heartbeat") > count)

    assert scene.play(script) == 0


def test_a_paused_provider_publishes_and_answers_nothing(tmp_path: Path):
    path = tmp_path / "provider.sqlite"
    state = StateFile(path)
    state.set_setting(PAUSE_SETTING, PAUSED_VALUE)
    scene = Scene(tmp_path)
    module = scene.stage.chart.module
    module.Port, module.state = 0, str(path)
    topics = ("status", "summary", "heartbeat", "answer/copier-1")

    def script() -> Script:
        yield from scene.until(lambda: scene.stage.program.feeds[0]._looks_until is not None)
        buy(scene.stage, "0.10")
        for _ in range(20):
            yield
        scene.publish("ask/copier-1", encode(AskProvider(1, NONCE)), retain=False)
        yield from scene.until(scene.has("ask/copier-1"))
        for _ in range(20):
            yield
        scene.take()
        assert not any(scene.count(topic) for topic in topics)

    assert scene.play(script) == 0
    state.close()
    assert not any("publishing at" in each for each in scene.stage.texts)


def test_a_provider_that_sees_the_hello_of_one_that_started_earlier_ends(scene: Scene):
    def script() -> Script:
        yield from scene.until(scene.has("summary", seq=1))
        scene.publish("status", hello(1))
        yield from scene.until(lambda: False)

    assert scene.play(script) == 4
    assert any("another provider ('the other one', run ffff" in each for each in scene.stage.errors())
    # Its last will would replace the status of the one that stays.
    scene.take()
    assert scene.count("status", type="gone") == 0


def test_a_provider_that_started_earlier_publishes_everything_again(scene: Scene):
    def script() -> Script:
        yield from scene.until(scene.has("summary", seq=1))
        scene.publish("status", hello(2**52))
        yield from scene.until(lambda: scene.count("status", stream=scene.run) == 2)
        yield from scene.until(lambda: scene.count("summary", seq=1) == 2)

    assert scene.play(script) == 0


def test_a_late_last_will_is_replaced(scene: Scene):
    def script() -> Script:
        yield from scene.until(scene.has("summary", seq=1))
        scene.publish("status", scene.stage.program.feeds[0].states.will().payload)
        yield from scene.until(lambda: scene.count("status", type="hello") == 2)

    assert scene.play(script) == 0


def test_a_status_that_was_deleted_is_published_again(scene: Scene):
    def script() -> Script:
        yield from scene.until(scene.has("summary", seq=1))
        scene.publish("status", b"")
        yield from scene.until(lambda: scene.count("status", type="hello") == 2)

    assert scene.play(script) == 0


def test_stored_messages_of_earlier_runs_are_deleted_also_more_than_the_broker_sends_at_once(tmp_path: Path):
    scene = Scene(tmp_path, "max_queued_messages 20")
    for number in range(100):
        scene.publish(f"state/OLD{number}", b"{}")
    scene.publish("state/EURUSD", b"{}")

    def script() -> Script:
        buy(scene.stage, "0.10")
        yield from scene.until(scene.has("summary", symbols={"EURUSD": 2}))
        yield from scene.until(lambda: stored(scene) == {"state/EURUSD"})

    assert scene.play(script) == 0


def test_stored_questions_do_not_keep_the_stored_messages_of_earlier_runs_from_being_deleted(tmp_path: Path):
    scene = Scene(tmp_path, "max_queued_messages 20")
    for number in range(100):
        scene.publish(f"ask/copier-{number}", encode(AskProvider(1, NONCE)))
        scene.publish(f"state/OLD{number}", b"{}")
    scene.publish("ask/copier-last", encode(AskProvider(1, NONCE)), retain=False)

    def script() -> Script:
        yield from scene.until(scene.has("summary", seq=1))
        yield from scene.until(lambda: not stored(scene))
        assert not any(topic.startswith("answer/") for topic, _ in scene.received)

    assert scene.play(script) == 0


def test_a_deleted_question_has_nothing_published_again(scene: Scene):
    ask = encode(AskProvider(1, NONCE))

    def script() -> Script:
        yield from scene.until(scene.has("summary", seq=1))
        scene.publish("ask/copier-1", b"")
        scene.publish("ask/copier-2", ask, retain=False)
        yield from scene.until(scene.has("answer/copier-2"))
        yield from scene.until(scene.has("heartbeat"))
        assert scene.count("status") == scene.count("summary") == 1

    assert scene.play(script) == 0


def stored(scene: Scene) -> set[str]:
    """The topics of symbols with a stored message, as a new subscriber gets them."""
    reader = RawClient(scene.broker, PROVIDER, topics=[f"{PREFIX}/state/+"])
    found: set[str] = set()
    with suppress(Empty):
        while True:
            message = reader.messages.get(timeout=0.2)
            if message.payload:
                found.add(message.topic.removeprefix(f"{PREFIX}/"))
    reader.close()
    return found


def test_a_state_that_another_client_has_deleted_is_published_again(scene: Scene):
    def script() -> Script:
        buy(scene.stage, "0.10")
        yield from scene.until(scene.has("summary", symbols={"EURUSD": 2}))
        scene.publish("state/EURUSD", b"")
        yield from scene.until(lambda: scene.count("state/EURUSD", seq=2) == 2)

    assert scene.play(script) == 0


def test_a_flood_of_malformed_questions_adds_few_lines_to_the_log(scene: Scene):
    def script() -> Script:
        yield from scene.until(scene.has("summary", seq=1))
        for number in range(100):
            scene.publish("ask/evil", json.dumps({"type": "ask", "version": 1, "nonce": f"{number}"}).encode())
        scene.publish("ask/copier-1", encode(AskProvider(1, NONCE)), retain=False)
        yield from scene.until(scene.has("answer/copier-1", nonce=NONCE))

    assert scene.play(script) == 0
    # The terminal's time passes faster than the broker's messages.
    lines = [each for each in scene.stage.texts if "a message is ignored" in each]
    assert 1 <= len(lines) <= 10


def test_a_provider_without_the_right_to_read_reports_that_its_hello_does_not_come_back(tmp_path: Path):
    scene = Scene(tmp_path, rules=[f"user {PROVIDER}", f"topic write {PREFIX}/#"])

    def script() -> Script:
        yield from scene.until(lambda: any("the own hello does not come back" in each for each in scene.stage.texts))

    assert scene.play(script) == 0


def test_a_provider_that_hears_another_one_does_not_start(scene: Scene, monkeypatch: pytest.MonkeyPatch):
    # The terminal's seconds pass faster than the broker's messages.
    monkeypatch.setattr(broker_feed, "LOOK_MS", 3_600_000)
    monkeypatch.setattr(broker_feed, "LONGEST_LOOK_MS", 3_600_000)
    scene.publish("status", hello(1))
    beat = {"type": "heartbeat", "stream": f"{'f' * 32}-{'0' * 16}", "seq": 1, "time": 1}

    def lives() -> bool:
        scene.publish("heartbeat", json.dumps(beat).encode(), retain=False)
        return False

    def script() -> Script:
        yield from scene.until(lives)

    assert scene.play(script) == 4
    scene.take()
    assert scene.count("summary") == 0


@pytest.mark.parametrize("obeys", [True, False])
def test_a_stored_heartbeat_of_another_run_keeps_no_provider_from_starting(
    obeys: bool, scene: Scene, monkeypatch: pytest.MonkeyPatch
):
    # Long enough for the stored messages to arrive.
    monkeypatch.setattr(broker_feed, "LOOK_MS", 200_000)
    subscribe = MqttLink.subscribe
    if not obeys:
        # As a broker that sends stored messages although they are not requested.
        monkeypatch.setattr(
            MqttLink, "subscribe", lambda link, filters, *, own=True, new=(): subscribe(link, filters, own=own)
        )
    beat = {"type": "heartbeat", "stream": f"{'f' * 32}-{'0' * 16}", "seq": 1, "time": 1}
    scene.publish("heartbeat", json.dumps(beat).encode())
    scene.publish("ask/copier-1", encode(AskProvider(1, NONCE)))

    def script() -> Script:
        yield from scene.until(scene.has("summary", seq=1))

    assert scene.play(script) == 0


@pytest.mark.parametrize("payload", [b"", b"{", b"x" * 500_000, b'{"type":"ask","version":2}'])
def test_a_malformed_question_or_status_changes_nothing(scene: Scene, payload: bytes):
    def script() -> Script:
        yield from scene.until(scene.has("summary", seq=1))
        scene.raw.messages = type(scene.raw.messages)()
        for topic in ("ask/copier-1", "status", "heartbeat"):
            scene.publish(topic, payload, retain=False)
        scene.raw.client.unsubscribe(f"{PREFIX}/#")
        scene.raw.messages = type(scene.raw.messages)()
        scene.raw.subscribe(f"{PREFIX}/summary", f"{PREFIX}/state/+")
        buy(scene.stage, "0.10")
        yield from scene.until(scene.has("summary", symbols={"EURUSD": 2}))

    assert scene.play(script) == 0


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({"broker_login": "x"}, "--broker is missing"),
        ({"broker": "mqtt://127.0.0.1/p", "broker_ca": "x"}, "use mqtts://"),
        ({"broker": "mqtt://127.0.0.1/p", "broker_login": "x"}, "needs a password, and none is given"),
        ({"broker": "mqtt://127.0.0.1/p", "broker_password_file": "x"}, "needs a login"),
        ({"broker": "mqtts://127.0.0.1/p", "broker_ca": "missing.pem"}, "missing.pem"),
    ],
)
def test_inputs_that_cannot_be_used_end_the_start_with_the_reason(inputs: dict[str, object], problem: str):
    stage = Stage("provider", Port=-1, **inputs)
    assert stage.play(iter(())) == 2
    assert any(problem in each for each in stage.errors()), stage.errors()
