"""The copier follows a provider's whole account, against an independent server."""

from __future__ import annotations

import pytest
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

__all__ = ["network"]

pytestmark = pytest.mark.usefixtures("network")


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
