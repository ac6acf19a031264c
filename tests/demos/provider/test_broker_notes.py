"""notes/broker.md: its examples are messages, its topics and limits those of the code, and its rules work."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from demos.copier import broker_states
from demos.provider import broker_messages
from demos.provider.broker_messages import decode, encode

ROOT = Path(__file__).resolve().parents[3]
NOTE = (ROOT / "notes/broker.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```json\n(.*?)\n```$", NOTE, re.MULTILINE)
TOPICS = dict(re.findall(r"^\| `([a-zA-Z/]+)` \| (?:yes|no) \| (.*?) \|", NOTE, re.MULTILINE))


def topic_of(kind: str) -> str:
    [topic] = [topic for topic, types in TOPICS.items() if f"`{kind}`" in types]
    return topic.replace("SYMBOL", "EURUSD").replace("CLIENT", "copier-1")


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_message_of_its_topic_and_is_what_the_code_writes(example: str) -> None:
    raw = json.loads(example)
    message = decode("signals/anna", f"signals/anna/{topic_of(raw['type'])}", example.encode()).message
    assert json.loads(encode(message)) == raw


def test_there_is_an_example_of_every_message_and_a_row_for_every_topic() -> None:
    tables = broker_messages._TABLES
    kinds = {kind for table, _ in tables.values() for kind in table}
    assert {json.loads(example)["type"] for example in EXAMPLES} == kinds
    assert {re.sub("[A-Z]+", "", topic) for topic in TOPICS} == set(tables)


def test_the_limits_in_the_text_are_those_of_the_code() -> None:
    assert f"at most {broker_messages.MOST_STATE:,} bytes, every other message\n{broker_messages.MOST_OTHER:,}." in NOTE
    assert f"after {broker_states.ASK_MS // 1000} seconds, and only once a minute" in NOTE
    assert broker_states.GONE_MS == 60_000
    assert broker_states.SETTLE_MS == 500


def test_the_limits_of_the_link_and_the_feed_are_those_of_the_code() -> None:
    pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")
    from demos.provider import broker_feed
    from demos.wire import mqtt_link

    assert f"{mqtt_link.MOST_EVENTS:,} messages and {mqtt_link.MOST_BYTES >> 20} MiB" in NOTE
    assert f"at most once in {broker_feed.ANSWER_MS / 1000} seconds" in NOTE
    assert f"while {broker_feed.MOST_ANSWERS:,} answers wait" in NOTE
    assert "three of the other's intervals" in NOTE
    assert broker_feed.OTHER_HEARTBEATS == 3


def test_the_rules_for_mosquitto_are_those_with_which_the_tests_run() -> None:
    from demos.ideas.broker.mosquitto import access_rules

    [rules] = re.findall(r"```text\n(user provider\n.*?)```", NOTE, re.DOTALL)
    shown = [line for line in rules.splitlines() if line]
    assert shown == access_rules("signals/anna", "provider", ["copier1"])
