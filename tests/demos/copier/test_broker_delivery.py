"""The copier at a real broker, with a provider that the test drives: what is delivered twice, late or wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from broker_kit import START, ScriptedProvider
from copier_kit import holds, pass_time, subscribe, until
from mosquitto_kit import COPIER, PASSWORDS, PREFIX, PROVIDER, Mosquitto, RawClient, needs_mosquitto
from signal_kit import Script, Stage, alerts
from web_kit import network

from demos.provider.steps import Status

__all__ = ["network"]

pytestmark = [needs_mosquitto, pytest.mark.usefixtures("network")]


@pytest.fixture
def broker(tmp_path: Path) -> Mosquitto:
    return Mosquitto(tmp_path)


def copier(broker: Mosquitto, folder: Path, url: str = "", **inputs: object) -> Stage:
    secret = folder / "password"
    secret.write_text(PASSWORDS[COPIER], encoding="ascii")
    secret.chmod(0o600)
    return subscribe(url, folder, broker=broker.url(), login=COPIER, **inputs)


def serving(stage: Stage, *providers: ScriptedProvider) -> Callable[[Callable[[], bool]], Script]:
    """until(), while the providers' clocks go with the terminal's, and they answer questions."""

    def served() -> bool:
        for each in providers:
            each.now = max(each.now, START + int(stage.clock.time * 1000))
            each.serve()
        return False

    return lambda condition: until(stage, lambda: served() or condition())


def reached(stage: Stage) -> list[object]:
    """The positions that the account was given, one after the other."""
    return [fields["lots"] for kind, fields in stage.record.events if kind == "synced"]


def status(stage: Stage) -> Status:
    found: Status = stage.program.account.connection.follower.status
    return found


def logs(stage: Stage, text: str) -> Callable[[], bool]:
    return lambda: any(text in each for each in stage.texts)


def test_messages_that_are_delivered_twice_change_nothing(broker, tmp_path):
    provider = ScriptedProvider(broker, EURUSD="0.25")
    stage = copier(broker, tmp_path)
    go_on = serving(stage, provider)

    def script() -> Script:
        provider.start()
        yield from go_on(holds(stage, "0.25"))
        change = provider.trade(EURUSD="0.35")
        provider.publish([*change, *change, *reversed(change)])
        yield from go_on(holds(stage, "0.35"))
        provider.publish([*change, *provider.trade(EURUSD="0.45")])
        yield from go_on(holds(stage, "0.45"))

    assert stage.play(script()) == 0
    assert reached(stage) == ["0.25", "0.35", "0.45"]
    assert not alerts(stage)


def test_a_state_whose_parts_arrive_in_another_order_is_copied_as_a_whole(broker, tmp_path):
    provider = ScriptedProvider(broker, EURUSD="0.25")
    stage = copier(broker, tmp_path)
    go_on = serving(stage, provider)

    def script() -> Script:
        provider.start()
        yield from go_on(holds(stage, "0.25"))
        symbols = provider.trade(EURUSD="0.40", GBPUSD="-0.10")
        summary = symbols.pop()
        # The summary and one part first: nothing is copied before the other part has arrived.
        provider.publish([summary, symbols[0]])
        yield from go_on(lambda: status(stage) is Status.WAITING)
        yield from pass_time(2)
        assert holds(stage, "0.25")()
        provider.publish([symbols[1]])
        yield from go_on(holds(stage, "0.40"))
        assert holds(stage, "-0.10", "GBPUSD")()

    assert stage.play(script()) == 0


def test_an_older_state_that_arrives_late_is_not_copied(broker, tmp_path):
    provider = ScriptedProvider(broker, EURUSD="0.25")
    stage = copier(broker, tmp_path)
    go_on = serving(stage, provider)

    def script() -> Script:
        provider.start()
        yield from go_on(holds(stage, "0.25"))
        older, newer = provider.trade(EURUSD="0.30"), provider.trade(EURUSD="0.50")
        provider.publish([*newer])
        yield from go_on(holds(stage, "0.50"))
        provider.publish([*older, *provider.trade(EURUSD="0.55")])
        yield from go_on(holds(stage, "0.55"))

    assert stage.play(script()) == 0
    assert reached(stage) == ["0.25", "0.50", "0.55"]
    assert not alerts(stage)


def test_stored_messages_of_a_provider_that_does_not_answer_are_not_copied(broker, tmp_path):
    dead = ScriptedProvider(broker, EURUSD="0.25")
    dead.start()
    stage = copier(broker, tmp_path)

    def script() -> Script:
        yield from until(stage, lambda: not dead.raw.messages.empty())
        yield from pass_time(6)
        assert logs(stage, "no provider answers")()
        assert stage.position("EURUSD") == 0
        yield from serving(stage, dead)(holds(stage, "0.25"))

    assert stage.play(script()) == 0


def test_two_providers_that_both_answer_are_refused_until_the_operator_resumes(broker, tmp_path):
    first, second = ScriptedProvider(broker, "first", EURUSD="0.25"), ScriptedProvider(broker, "second", EURUSD="-1")
    stage = copier(broker, tmp_path)

    def script() -> Script:
        first.start()
        yield from serving(stage, first)(holds(stage, "0.25"))
        # It publishes without looking, as no provider of ours does.
        second.start()
        yield from serving(stage, first, second)(logs(stage, "two providers publish at one place"))
        yield from pass_time(5)
        assert holds(stage, "0.25")()

    assert stage.play(script()) == 0
    [alert] = [each for each in alerts(stage) if "two providers" in each]
    assert "'first'" in alert
    assert "'second'" in alert
    assert "copier resume" in alert
    again = copier(broker, tmp_path)
    assert again.play(pass_time(3)) == 0
    assert any("two providers" in each for each in alerts(again))


def test_states_of_another_run_are_never_mixed_with_those_of_the_followed_one(broker, tmp_path):
    first, other = ScriptedProvider(broker, "first", EURUSD="0.25"), ScriptedProvider(broker, "other", EURUSD="0.99")
    other.answers = False
    stage = copier(broker, tmp_path)
    go_on = serving(stage, first, other)

    def script() -> Script:
        first.start()
        yield from go_on(holds(stage, "0.25"))
        other.publish(other.trade(EURUSD="0.77")[:-1])
        other.publish(other.states.all(other.now)[1:])
        first.publish(first.trade(EURUSD="0.45"))
        yield from go_on(holds(stage, "0.45"))

    assert stage.play(script()) == 0
    assert reached(stage) == ["0.25", "0.45"]


def test_a_provider_whose_numbers_fall_stops_the_copier(broker, tmp_path):
    provider = ScriptedProvider(broker, EURUSD="0.25")
    stage = copier(broker, tmp_path)
    go_on = serving(stage, provider)

    def script() -> Script:
        provider.start()
        yield from go_on(holds(stage, "0.25"))
        older = provider.trade(EURUSD="0.30")
        provider.publish(provider.trade(EURUSD="0.50"))
        yield from go_on(holds(stage, "0.50"))
        # As a virtual machine that was set back would: a lower number, later in time.
        later = {**json.loads(older[-1].payload), "time": provider.now + 1}
        provider.publish([older[-1]._replace(payload=json.dumps(later).encode())])
        yield from go_on(logs(stage, "the sequence numbers fell"))

    assert stage.play(script()) == 0
    assert any("the sequence numbers fell" in each for each in alerts(stage))


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("status", b"{"),
        ("status", b'{"type":"hello"}'),
        ("summary", b'{"type":"summary","symbols":{"EURUSD":0}}'),
        ("state/EURUSD", b"\xff\xfe"),
        ("state/EURUSD", b"[" * 100_000),
        ("state/EURUSD", b"9" * 1_000_000),
        ("state/EURUSD", b'{"type":"symbol","positions":' + b"[{}" + b",{}" * 200_000 + b"]}"),
        ("state/EUR%2FUSD%", b"{}"),
        ("heartbeat", b'{"type":"heartbeat","stream":"x","seq":1e999,"time":NaN}'),
        ("state/GBPUSD", b""),
    ],
)
def test_malformed_and_huge_messages_are_ignored(broker, tmp_path, topic, payload):
    provider = ScriptedProvider(broker, EURUSD="0.25")
    stage = copier(broker, tmp_path)
    go_on = serving(stage, provider)

    def script() -> Script:
        provider.start()
        yield from go_on(holds(stage, "0.25"))
        provider.raw.publish(f"{PREFIX}/{topic}", payload)
        provider.publish(provider.trade(EURUSD="0.45"))
        yield from go_on(holds(stage, "0.45"))

    assert stage.play(script()) == 0


def test_a_message_that_is_larger_than_the_copier_accepts_is_not_delivered(broker, tmp_path):
    provider = ScriptedProvider(broker, EURUSD="0.25")
    stage = copier(broker, tmp_path)
    go_on = serving(stage, provider)

    def script() -> Script:
        provider.start()
        yield from go_on(holds(stage, "0.25"))
        provider.raw.publish(f"{PREFIX}/state/EURUSD", b"x" * 2_000_000)
        provider.publish(provider.trade(EURUSD="0.45"))
        yield from go_on(holds(stage, "0.45"))

    assert stage.play(script()) == 0
    assert not logs(stage, "is ignored")()


def test_a_flood_ends_the_connection_and_the_copier_comes_back(broker, tmp_path):
    provider = ScriptedProvider(broker, EURUSD="0.25")
    stage = copier(broker, tmp_path)
    go_on = serving(stage, provider)
    flooder = RawClient(broker, PROVIDER)

    def script() -> Script:
        provider.start()
        yield from go_on(holds(stage, "0.25"))
        for _ in range(60):
            flooder.publish(f"{PREFIX}/summary", b"x" * 900_000, retain=False)
        yield from go_on(logs(stage, f"-broker localhost:{broker.port}/{PREFIX}: the broker sends messages"))
        provider.publish(provider.trade(EURUSD="0.45"))
        yield from go_on(holds(stage, "0.45"))

    assert stage.play(script()) == 0


def test_a_silent_provider_is_stale_and_its_return_ends_that(broker, tmp_path):
    provider = ScriptedProvider(broker, EURUSD="0.25")
    stage = copier(broker, tmp_path)
    go_on = serving(stage, provider)

    def script() -> Script:
        provider.start()
        yield from go_on(holds(stage, "0.25"))
        # It answers, but sends neither states nor heartbeats.
        yield from pass_time(16)
        yield from go_on(logs(stage, "the server is silent"))
        provider.publish(provider.trade(EURUSD="0.45"))
        yield from go_on(holds(stage, "0.45"))

    assert stage.play(script()) == 0


def test_the_last_will_ends_trading_at_once_and_the_return_of_the_provider_resumes_it(broker, tmp_path):
    first = ScriptedProvider(broker, EURUSD="0.25")
    stage = copier(broker, tmp_path, stale="flatten")

    def script() -> Script:
        first.start()
        yield from serving(stage, first)(holds(stage, "0.25"))
        # A connection that ends without a packet: the broker publishes the will.
        first.raw.client.socket().shutdown(2)
        yield from serving(stage)(logs(stage, "the provider is gone, as its last will at the broker says"))
        assert status(stage) is Status.OFFLINE
        yield from pass_time(35)
        assert holds(stage, "0")()
        second = ScriptedProvider(broker, EURUSD="0.45")
        second.now = START + int(stage.clock.time * 1000)
        second.start()
        yield from serving(stage, second)(holds(stage, "0.45"))

    assert stage.play(script()) == 0
    assert any("nothing is opened or increased until it returns" in each for each in alerts(stage))


def test_a_memory_of_another_prefix_is_refused(broker, tmp_path):
    stage = copier(broker, tmp_path)
    assert stage.play(pass_time(0.1)) == 0
    other = copier(broker, tmp_path)
    other.chart.module.broker = broker.url("signals/other")
    assert other.play(iter(())) != 0
    assert any("use another file (--memory)" in each for each in alerts(other))


def test_a_url_and_a_broker_together_are_refused(broker, tmp_path):
    stage = copier(broker, tmp_path, url="ws://127.0.0.1:1")
    assert stage.play(iter(())) != 0
    assert any("--url and --broker are both given" in each for each in alerts(stage))
