"""The copier and the provider as processes: TLS, kills at any moment of either side, and the end of a login."""

from __future__ import annotations

import json
import random
import sqlite3
import threading
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from copier_process_kit import RunningCopier
from service_kit import RunningProvider, add_user, users
from terminal_kit import demos

from demos.copier.job import account_positions


@pytest.fixture
def pair(tmp_path: Path) -> tuple[RunningProvider, RunningCopier]:
    token = add_user(tmp_path, "customer")
    provider = RunningProvider(tmp_path)
    return provider, RunningCopier(tmp_path, provider, token)


def traded_volumes(account: Path) -> list[int]:
    """The volumes of all deals of an account, in steps."""
    with closing(sqlite3.connect(account)) as db:
        return [volume for (volume,) in db.execute("SELECT volume FROM deals ORDER BY ticket")]


def test_trades_are_copied_over_tls_and_shown_by_the_commands(pair):
    provider, copier = pair
    provider.command("buy 0.25")
    copier.wait_for("0.25")
    provider.command("sell 0.35")
    copier.wait_for("-0.10")
    shown = demos("copier", "journal", "--json", "--memory", copier.memory)
    rows = json.loads(shown.stdout)
    assert [row["lots"] for row in rows][:1] == ["0.25"]
    assert sum(Decimal(row["lots"]) for row in rows) == Decimal("-0.10")
    assert "state " in demos("copier", "explain", "EURUSD", "--memory", copier.memory).stdout


def test_a_copier_that_is_killed_at_any_moment_trades_nothing_twice_and_no_older_state(pair):
    provider, copier = pair
    chance = random.Random(7)
    pause = threading.Event()
    total = Decimal(0)
    for _ in range(8):
        for _ in range(3):
            # The provider only buys: a sell of the copier would be an older state, a larger position a second trade.
            provider.command("buy 0.01")
            total += Decimal("0.01")
            pause.wait(chance.uniform(0, 0.05))
        pause.wait(chance.uniform(0, 1.2))
        copier.kill()
        copier.start()
    copier.wait_for(str(total))
    copier.kill()
    assert all(volume > 0 for volume in traded_volumes(copier.account))
    assert sum(traded_volumes(copier.account)) == total * 100
    assert account_positions(copier.account) == {"EURUSD": str(total)}


def test_a_provider_that_is_killed_is_followed_again_after_its_restart(pair):
    provider, copier = pair
    account = f"--account={provider.folder / 'provider_account.sqlite'}"
    provider.command("buy 0.25")
    copier.wait_for("0.25")
    port = provider.port
    for volume, lots in (("0.10", "0.10"), ("0.30", "0.30")):
        provider.close()
        # Without an account file the provider begins flat: the copier follows that, too.
        provider = RunningProvider(provider.folder, f"--Port={port}", account)
        provider.command(f"buy {volume}" if lots == "0.10" else "buy 0.20")
        copier.wait_for(lots)
    assert "nothing is copied before" not in copier.log()


def test_a_revoked_login_receives_nothing_more(pair, tmp_path):
    provider, copier = pair
    provider.command("buy 0.25")
    copier.wait_for("0.25")
    with users(tmp_path) as store:
        store.set_disabled("customer", True)
    copier.wait(lambda: bool(copier.events("refused")))
    received = len(copier.events("received"))
    provider.command("buy 0.25")
    threading.Event().wait(1.5)
    assert len(copier.events("received")) == received
    assert copier.deals() == [Decimal("0.25")]
    assert "the login was disabled" in copier.log()


def test_a_wrong_token_is_tried_once_and_leads_to_no_ban(tmp_path):
    add_user(tmp_path, "customer")
    provider = RunningProvider(tmp_path)
    copier = RunningCopier(tmp_path, provider, "a wrong token")
    copier.wait(lambda: bool(copier.events("refused")))
    threading.Event().wait(2)
    assert [event["code"] for event in copier.events("refused")] == ["failed"]
    assert "a wrong token" not in copier.log()
    bans = demos("provider", "bans", "--json", "--state", tmp_path / "provider.sqlite")
    assert json.loads(bans.stdout) == []
