"""The copier follows a provider's whole account, against an independent server."""

from __future__ import annotations

import pytest
from cleanup_kit import closed_after_test
from copier_kit import (
    FEED,
    WebsocketsProvider,
    holds,
    plain_url,
    position,
    subscribe,
    until,
)
from signal_kit import Script
from web_kit import network

from demos.copier import trading
from demos.copier.account_copier import COPIED, FOLLOWER, RULES
from demos.copier.memory_file import MemoryFile
from demos.copier.secure_connection import SecureConnection

__all__ = ["network"]

pytestmark = pytest.mark.usefixtures("network")


def test_what_an_order_and_an_acknowledgement_follow_from_survives_a_kill_at_that_moment(tmp_path, monkeypatch):
    provider = WebsocketsProvider()
    stage = subscribe(plain_url(provider), tmp_path)
    send, acknowledge = trading.Send, SecureConnection.Acknowledge
    stored = []

    def note(event: str) -> None:
        # What another process reads is what is left after a kill.
        file = closed_after_test(MemoryFile(tmp_path / "copier.sqlite", owner=False))
        follower, rules, copied = (file.value(name) or {} for name in (FOLLOWER, RULES, COPIED))
        orders = [lots for [lots] in file.rows("SELECT lots FROM orders ORDER BY id")]
        state = (follower["mark"]["seq"], rules["streams"][-1][1], rules["symbols"].get("EURUSD", {}).get("lots"))
        stored.append((event, *state, orders, copied.get("EURUSD", {}).get("known")))

    def noted_send(*args):
        note("order")
        return send(*args)

    def noted_acknowledge(*args):
        note("acknowledgement")
        acknowledge(*args)

    monkeypatch.setattr(trading, "Send", noted_send)
    monkeypatch.setattr(SecureConnection, "Acknowledge", noted_acknowledge)

    def script() -> Script:
        yield from until(stage, lambda: bool(stored))
        provider.trade(position("EURUSD", "0.25"))
        yield from until(stage, lambda: len(stored) == 3)

    assert stage.play(script()) == 0
    assert stored == [
        ("acknowledgement", 1, 1, None, [], None),
        ("order", 2, 2, "0.25", ["0.25"], None),
        ("acknowledgement", 2, 2, "0.25", ["0.25"], "0.25"),
    ]


def test_the_whole_account_is_copied_and_acknowledged(tmp_path):
    provider = WebsocketsProvider()
    provider.positions = [position("EURUSD", "0.25"), position("GBPUSD", "-0.1")]
    stage = subscribe(plain_url(provider), tmp_path)

    def script() -> Script:
        yield from until(stage, lambda: holds(stage, "0.25")() and holds(stage, "-0.10", "GBPUSD")())
        provider.trade(position("EURUSD", "0.1"))
        yield from until(stage, lambda: holds(stage, "0.10")() and holds(stage, "0", "GBPUSD")())

    assert stage.play(script()) == 0
    login = provider.next("login")
    assert (login["login"], login["password"], login["version"]) == ("customer", "correct horse", 1)
    assert login["client"].startswith("copier ")
    ack = provider.next("ack")
    assert (ack["stream"], ack["seq"], ack["held"]) == (FEED, 1, {"EURUSD": "0.25", "GBPUSD": "-0.1"})
    assert ack["wanted"] == ack["held"]
    assert provider.next("ack")["held"] == {"EURUSD": "0.1", "GBPUSD": "0"}
