"""notes/sentiment.md and notes/ideas.md are correct: examples are messages, and the numbers are those of the code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from demos.ideas import link
from demos.ideas.hub import HubSettings
from demos.ideas.messages import MessageError
from demos.ideas.sentiment import client, protocol, server
from demos.ideas.sentiment.protocol import CLIENT, SERVER
from demos.ideas.sentiment.published_volumes import MOST_OF_ONE, MOST_REMEMBERED
from demos.ideas.sentiment.room import Rules
from demos.ideas.sentiment.totals import FEWEST, MEMORY_MS
from demos.wire.web_server import LIMITS as WEB_LIMITS
from demos.wire.websocket import SERVER_LIMITS

ROOT = Path(__file__).resolve().parents[4]
NOTES = {name: (ROOT / "notes" / f"{name}.md").read_text(encoding="utf-8") for name in ("ideas", "sentiment")}
EXAMPLES = [example for note in NOTES.values() for example in re.findall(r"^```json\n(.*?)\n```$", note, re.M | re.S)]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_message_and_is_what_the_code_writes(example):
    found = []
    for codec in (CLIENT, SERVER):
        try:
            found.append(json.loads(codec.encode(codec.decode(example))))
        except MessageError:
            continue
    assert json.loads(example) in found


def test_there_is_an_example_of_every_message():
    kinds = [json.loads(example)["type"] for example in EXAMPLES]
    assert sorted(kinds) == ["error", "hello", "hello", "totals", "volumes"]


def test_the_example_of_the_rules_has_the_defaults_of_the_server():
    rules = SERVER.decode(next(each for each in EXAMPLES if "silence_ms" in each))
    defaults = Rules()
    assert isinstance(rules, protocol.ServerHello)
    assert (rules.interval_ms, rules.silence_ms) == (defaults.interval_ms, defaults.silence_ms)
    assert (rules.most_lots, rules.least_clients) == (defaults.most_lots, defaults.least_clients)
    assert (server.interval * 1000, server.silence * 1000) == (defaults.interval_ms, defaults.silence_ms)
    assert (server.most_lots, server.least_clients) == (float(defaults.most_lots), FEWEST)


def test_the_numbers_of_the_sentiment_page_are_those_of_the_code():
    note = NOTES["sentiment"]
    for number in (
        f"{protocol.MOST_PLACES} after it",
        f"at most {protocol.MOST_SYMBOLS} symbols",
        f"At most {protocol.MOST_TOTALS}",
        f"{MOST_REMEMBERED:,} volumes, and {MOST_OF_ONE:,} of one participant",
        f"within {MEMORY_MS // 3_600_000} hours of one another",
        f"forgotten {MEMORY_MS // 3_600_000} hours after",
        f"({client.LEAST_LOST_MS // 1000} s at least)",
    ):
        assert number in note.replace("\n", " "), number
    assert (client.LEAST_MS, client.REPEATS, client.LOST_INTERVALS) == (200, 4, 3)


def test_the_limits_of_the_transport_are_those_of_the_code():
    note, settings = NOTES["ideas"], HubSettings("", 0)
    assert f"complete in | {WEB_LIMITS.head_ms // 1000} s" in note
    assert f"has arrived in | {settings.first_message_ms // 1000} s" in note
    assert f"ping after | {SERVER_LIMITS.ping_ms // 1000} s" in note
    assert f"is ended after | {SERVER_LIMITS.silence_ms // 1000} s" in note
    assert f"{SERVER_LIMITS.message:,} and {SERVER_LIMITS.fragments}" in note
    assert f"{SERVER_LIMITS.frames_per_second} a second, {SERVER_LIMITS.burst};" in note
    assert (
        f"({settings.most_clients}), `--per-address` ({settings.most_per_address}; sentiment {server.per_address})"
        in note
    )
    assert (link.FIRST_WAIT_MS, link.LONGEST_WAIT_MS, link.PROVEN_MS) == (1000, 32_000, 5000)
