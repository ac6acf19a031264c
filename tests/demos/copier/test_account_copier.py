"""The copier follows a provider's whole account, against an independent server."""

from __future__ import annotations

import json
import random
from contextlib import closing
from decimal import Decimal

import pytest
from cleanup_kit import closed_after_test
from copier_kit import (
    FEED,
    START,
    Peer,
    WebsocketsProvider,
    holds,
    pass_time,
    plain_url,
    position,
    subscribe,
    until,
)
from provider_kit import Killed
from signal_kit import EURUSD, QUOTES, Script, Stage, alerts, failing_orders, stopped
from terminal_kit import demos
from web_kit import network

from demos.copier import trading
from demos.copier.account_copier import COPIED, FOLLOWER, RULES
from demos.copier.journal import Journal, OrderSent, read_decisions, read_orders
from demos.copier.memory_file import MemoryFile
from demos.copier.order_journal import OrderJournal
from demos.copier.secure_connection import SecureConnection
from demos.provider.sqlite_file import StateError
from demos.terminal.interfaces import Stops, SymbolSpec
from demos.terminal.mql.constants import ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
from demos.terminal.paper.account import PaperAccount
from demos.terminal.paper.account_file import AccountTerms

__all__ = ["network"]

pytestmark = pytest.mark.usefixtures("network")


@pytest.fixture
def provider() -> WebsocketsProvider:
    """A provider that holds 0.25 lots of EURUSD."""
    found = WebsocketsProvider()
    found.positions = [position("EURUSD", "0.25", "1.1")]
    return found


def copied(stage: Stage, lots: str = "0.25") -> Script:
    yield from until(stage, holds(stage, lots))


def acknowledged(provider: WebsocketsProvider, seq: int) -> dict[str, object]:
    """The first acknowledgement of this state."""
    while (ack := provider.next("ack"))["seq"] != seq:
        pass
    return ack


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


def test_the_whole_account_is_copied_and_acknowledged(provider, tmp_path):
    provider.positions.append(position("GBPUSD", "-0.1"))
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
    assert acknowledged(provider, 2)["held"] == {"EURUSD": "0.1", "GBPUSD": "0"}


def test_nothing_is_traded_while_the_account_cannot_be_read(provider, tmp_path, monkeypatch):
    stage = subscribe(plain_url(provider), tmp_path)
    readable = [True]
    monkeypatch.setattr(PaperAccount, "connected", property(lambda account: readable[0]))

    def script() -> Script:
        yield from copied(stage)
        readable[0] = False
        provider.trade(position("EURUSD", "0.5"))
        received = len(stage.record.of("received"))
        yield from until(stage, lambda: len(stage.record.of("received")) > received)
        yield from pass_time(5)
        assert holds(stage, "0.25")()
        readable[0] = True
        yield from copied(stage, "0.50")

    assert stage.play(script()) == 0
    assert len([text for text in alerts(stage) if "cannot read the account" in text]) == 1


def test_names_factor_and_direction_are_those_of_the_options(provider, tmp_path):
    market = {"symbols": [SymbolSpec("EURUSD.m")], "quotes": [QUOTES[0]._replace(symbol="EURUSD.m")]}
    stage = subscribe(plain_url(provider), tmp_path, suffix=".m", factor=0.5, reverse=True, **market)
    stage.play(until(stage, holds(stage, "-0.12", "EURUSD.m")))


def test_a_symbol_that_the_terminal_does_not_have_is_logged_once_and_the_others_are_copied(provider, tmp_path):
    provider.positions.append(position("XAUUSD", "1"))
    stage = subscribe(plain_url(provider), tmp_path)

    def script() -> Script:
        yield from copied(stage)
        provider.trade(position("XAUUSD", "2"), position("EURUSD", "0.5"))
        yield from copied(stage, "0.50")

    stage.play(script())
    missing = "-XAUUSD is not copied: the terminal has no symbol XAUUSD; --map gives it another name"
    assert stage.errors() == [missing]


def test_at_first_contact_the_default_waits_until_the_provider_is_flat(provider, tmp_path):
    stage = subscribe(plain_url(provider), tmp_path, join="wait")

    def script() -> Script:
        yield from until(stage, lambda: "EURUSD" in stage.program.account.decisions)
        yield from pass_time(5)
        assert holds(stage, "0")()
        provider.trade()
        yield from until(stage, lambda: stage.program.account.decisions["EURUSD"].rule == "reached")
        provider.trade(position("EURUSD", "0.5"))
        yield from copied(stage, "0.50")

    stage.play(script())


def test_an_update_is_applied_and_a_missed_one_is_requested(provider, tmp_path):
    stage = subscribe(plain_url(provider), tmp_path)

    def update(seq: int, previous: int, lots: str) -> str:
        account = {"currency": "USD"}
        changed = [position("EURUSD", lots, time=provider.time())]
        fields = {"stream": FEED, "seq": seq, "previous": previous, "time": provider.time()}
        return json.dumps({"type": "update", "account": account, "positions": changed, **fields})

    def script() -> Script:
        yield from copied(stage)
        provider.send(update(2, 1, "0.5"))
        yield from copied(stage, "0.50")
        provider.seq, provider.positions = 4, [position("EURUSD", "0.75", time=provider.time())]
        provider.send(update(4, 3, "0.9"))
        yield from copied(stage, "0.75")

    stage.play(script())
    assert provider.next("resync") == {"type": "resync"}


# ---- old, repeated and contradictory states


def test_repeated_and_reordered_states_are_not_traded_again(provider, tmp_path):
    stage = subscribe(plain_url(provider), tmp_path)
    first = provider.snapshot_text()

    def script() -> Script:
        yield from copied(stage)
        provider.trade(position("EURUSD", "0.5"))
        second = provider.snapshot_text()
        yield from copied(stage, "0.50")
        for text in (first, second, first, first):
            provider.send(text)
        yield from pass_time(5)
        provider.trade(position("GBPUSD", "0.1"), position("EURUSD", "0.5"))
        yield from until(stage, holds(stage, "0.10", "GBPUSD"))

    stage.play(script())
    assert holds(stage, "0.50")()
    with closing(MemoryFile(tmp_path / "copier.sqlite", owner=False)) as file:
        assert [row["lots"] for row in read_orders(file, "EURUSD", 10)] == ["0.25", "0.25"]


def test_a_restored_provider_stops_copying_with_an_alarm_until_the_operator_resumes(provider, tmp_path):
    stage = subscribe(plain_url(provider), tmp_path)

    def fall() -> Script:
        provider.seq = 5
        yield from copied(stage)
        provider.disconnect()
        provider.seq, provider.positions = 3, [position("EURUSD", "0.9", time=provider.time())]
        yield from until(stage, lambda: bool(stage.program.account.connection.follower.stopped))
        yield from pass_time(100)

    stage.play(fall())
    assert holds(stage, "0.25")()
    assert [text for text in alerts(stage) if "the sequence numbers fell: from 5 to 3" in text]
    assert provider.connections == 2

    # After a restart it is still stopped.
    again = subscribe(plain_url(provider), tmp_path, account=stage.account)
    assert again.play(pass_time(20)) == 0
    assert provider.connections == 2

    resumed = subscribe(plain_url(provider), tmp_path, account=stage.account)
    memory = tmp_path / "copier.sqlite"

    def resume() -> Script:
        yield from pass_time(5)
        done = demos("copier", "resume", "--memory", memory)
        assert (done.returncode, done.stdout.startswith("requested")) == (0, True)
        yield from copied(resumed, "0.90")

    resumed.play(resume())


def test_two_states_with_one_number_stop_copying(provider, tmp_path):
    stage = subscribe(plain_url(provider), tmp_path)

    def script() -> Script:
        yield from copied(stage)
        provider.positions = [position("EURUSD", "0.9")]
        provider.disconnect()
        yield from until(stage, lambda: bool(stage.program.account.connection.follower.stopped))
        yield from pass_time(10)

    stage.play(script())
    assert holds(stage, "0.25")()
    assert any("two states have one number" in text for text in alerts(stage))


def test_a_new_run_of_the_provider_is_followed_and_the_old_one_not_any_more(provider, tmp_path):
    stage = subscribe(plain_url(provider), tmp_path)

    def script() -> Script:
        yield from copied(stage)
        bought = position("EURUSD", "0.5", time=provider.time())
        provider.stream, provider.positions = f"{'12' * 16}-{'34' * 8}", [bought]
        provider.disconnect()
        yield from copied(stage, "0.50")
        provider.stream, provider.seq, provider.positions = FEED, 9, [position("EURUSD", "0.1")]
        provider.disconnect()
        yield from until(stage, lambda: bool(stage.program.account.connection.follower.stopped))
        yield from pass_time(10)

    stage.play(script())
    assert holds(stage, "0.50")()
    assert any("an earlier run of the provider returned" in text for text in alerts(stage))


@pytest.mark.parametrize(("policy", "left"), [("hold", "0.25"), ("flatten", "0")])
def test_a_silent_provider_is_stale_and_its_return_ends_that(provider, tmp_path, policy, left):
    provider.heartbeat_ms = 1000
    stage = subscribe(plain_url(provider), tmp_path, stale=policy)

    def script() -> Script:
        yield from copied(stage)
        # Each connection is stale after three seconds: the state is confirmed by none.
        provider.behave = silent
        yield from pass_time(4)
        yield from until(stage, lambda: any("the server is silent" in text for text in alerts(stage)))
        yield from pass_time(60)
        yield from until(stage, lambda: any("the provider is stale" in text for text in alerts(stage)))
        yield from pass_time(2)
        assert holds(stage, left)()

    async def silent(peer: Peer) -> None:
        await peer.listen()

    stage.play(script())


def test_a_provider_with_heartbeats_is_quiet_and_not_stale(provider, tmp_path):
    provider.heartbeat_ms = 1000
    stage = subscribe(plain_url(provider), tmp_path)
    provider.clock = lambda: START + int(stage.clock.time * 1000)

    def script() -> Script:
        yield from copied(stage)
        for _ in range(60):
            provider.beat()
            yield from until(stage, lambda: stage.program.account.connection.is_live)
            yield from pass_time(1)

    stage.play(script())
    assert alerts(stage) == []
    assert provider.connections == 1


# ---- the account's owner, restarts and one memory


def test_what_the_owner_closes_stays_closed_until_the_provider_trades(provider, tmp_path):
    stage = subscribe(plain_url(provider), tmp_path)

    def script() -> Script:
        yield from copied(stage)
        stage.host.post("sell 0.25")
        yield from copied(stage, "0")
        yield from pass_time(10)
        provider.trade(position("EURUSD", "0.25"), position("GBPUSD", "0.1"))
        yield from until(stage, holds(stage, "0.10", "GBPUSD"))
        assert holds(stage, "0")()
        provider.trade(position("EURUSD", "0.5"))
        yield from copied(stage, "0.50")

    stage.play(script())
    assert any("without a new signal" in text for text in alerts(stage))


def test_a_restarted_copier_trades_no_state_twice(provider, tmp_path):
    stage = subscribe(plain_url(provider), tmp_path)
    stage.play(copied(stage))
    # The owner closes the position while no copier runs.
    stage.account.trade(EURUSD, -25, QUOTES[0])
    again = subscribe(plain_url(provider), tmp_path, account=stage.account)

    def script() -> Script:
        yield from until(again, lambda: again.program.account.connection.is_live)
        yield from pass_time(20)
        assert holds(again, "0")()
        provider.trade(position("EURUSD", "0.75"))
        yield from copied(again, "0.75")

    again.play(script())


def test_a_restarted_copier_trades_what_has_changed_meanwhile(provider, tmp_path):
    stage = subscribe(plain_url(provider), tmp_path)
    stage.play(copied(stage))
    provider.seq, provider.positions = 2, [position("EURUSD", "0.1", time=provider.time())]
    again = subscribe(plain_url(provider), tmp_path, account=stage.account)
    again.play(copied(again, "0.10"))


def test_a_second_copier_with_the_same_memory_is_one_clear_error(provider, tmp_path):
    first = subscribe(plain_url(provider), tmp_path)

    def script() -> Script:
        yield from copied(first)
        second = subscribe(plain_url(provider), tmp_path)
        assert second.play(iter(())) == 4
        memory = tmp_path / "copier.sqlite"
        assert alerts(second) == [
            f"{memory} is in use by another copier: give each copier a file of its own (--memory)"
        ]
        # The first one is not affected.
        provider.trade(position("EURUSD", "0.5"))
        yield from copied(first, "0.50")

    first.play(script())


# ---- limits, stops, dry runs


def test_a_limit_stops_a_symbol_and_the_other_symbols_are_copied(provider, tmp_path):
    provider.positions = [position("EURUSD", "30"), position("GBPUSD", "0.1")]
    stage = subscribe(plain_url(provider), tmp_path)
    stage.play(until(stage, holds(stage, "0.10", "GBPUSD")))
    assert holds(stage, "0")()
    assert stopped(stage) == ["EURUSD"]


def test_the_kill_switch_stops_everything(provider, tmp_path):
    stage = subscribe(plain_url(provider), tmp_path, killfile=str(tmp_path / "stop"))

    def script() -> Script:
        yield from copied(stage)
        (tmp_path / "stop").touch()
        yield from pass_time(2)
        provider.trade(position("EURUSD", "0.5"))
        yield from until(stage, lambda: any(ack["seq"] == 2 for ack in list(provider.heard.queue) if "seq" in ack))
        yield from pass_time(5)

    stage.play(script())
    assert holds(stage, "0.25")()
    assert stopped(stage) == [""]


def test_an_order_that_the_broker_rejects_is_repeated_after_pauses(provider, tmp_path, monkeypatch):
    stage = subscribe(plain_url(provider), tmp_path)
    tried = failing_orders(stage, monkeypatch)

    def script() -> Script:
        yield from until(stage, lambda: len(tried) >= 3)
        yield from pass_time(30)

    stage.play(script())
    # The rules pause the symbol after three rejections.
    assert len(tried) == 3
    assert [round(later - tried[0]) for later in tried] == [0, 1, 3]


def test_the_providers_stop_loss_is_placed_at_the_broker(provider, tmp_path):
    provider.positions = [position("EURUSD", "0.25", sl="1.09")]
    stage = subscribe(plain_url(provider), tmp_path, stops=True)

    def stop() -> int:
        return next((each.stops.sl for each in stage.account.positions()), 0)

    def script() -> Script:
        yield from until(stage, lambda: stop() == 109_000)
        provider.trade(position("EURUSD", "0.25", sl="1.095"))
        yield from until(stage, lambda: stop() == 109_500)
        provider.trade(position("EURUSD", "0.25"))
        yield from until(stage, lambda: stop() == 0)
        # The owner's stop loss stays.
        [held] = stage.account.positions()
        stage.account.modify(held.ticket, Stops(108_000, 0), QUOTES[0])
        yield from pass_time(5)
        assert stop() == 108_000
        provider.trade(position("EURUSD", "0.5", sl="1.09"))
        yield from until(stage, lambda: stop() == 109_000)

    stage.play(script())


def test_a_dry_run_trades_on_a_virtual_account_and_leaves_the_memory_alone(provider, tmp_path):
    stage = subscribe(plain_url(provider), tmp_path, dry=True)
    stage.play(until(stage, lambda: bool(stage.record.of("virtual_deal"))))
    assert stage.account.positions() == ()
    assert not (tmp_path / "copier.sqlite").exists()
    assert (tmp_path / "copier.sqlite.dry").exists()


# ---- the journal and the commands


def test_each_decision_and_each_order_is_in_the_journal(provider, tmp_path):
    stage = subscribe(plain_url(provider), tmp_path, maxdeviation=100.0, join="no-worse")

    def script() -> Script:
        # The own price is worse: the provider has bought at 1.05, and the ask is 1.10002.
        provider.positions = [position("EURUSD", "0.25", "1.05")]
        yield from until(stage, lambda: "EURUSD" in stage.program.account.decisions)
        provider.trade()
        yield from until(stage, lambda: stage.program.account.decisions["EURUSD"].lots == 0)
        for _ in range(3):
            provider.balance = str(int(provider.balance) + 1)
            provider.trade()
            yield from until(stage, lambda: stage.program.account.connection.follower.state.seq == provider.seq)
        provider.trade(position("EURUSD", "0.5", "1.1"))
        yield from copied(stage, "0.50")
        provider.trade(position("EURUSD", "0.2", "1.1"))
        yield from copied(stage, "0.20")
        yield from pass_time(2)

    stage.play(script())
    with closing(MemoryFile(tmp_path / "copier.sqlite", owner=False)) as file:
        decisions = read_decisions(file, "EURUSD", 100)
        orders = read_orders(file, None, 100)
    assert [(row["outcome"], row["target"], row["held"]) for row in decisions] == [
        ("skipped", "0.25", "0.00"),
        ("unchanged", "0.00", "0.00"),
        ("traded", "0.50", "0.50"),
        ("reduced", "0.20", "0.20"),
    ]
    assert [row["states"] for row in decisions][1] == 4
    assert [(row["lots"], row["retcode"], row["price"]) for row in orders] == [
        ("0.50", 10009, "1.10002"),
        ("-0.30", 10009, "1.1"),
    ]
    assert Decimal(str(orders[0]["slippage"])) == Decimal("0.00002")
    assert orders[0]["network_ms"] is not None
    assert orders[0]["decision_ms"] is not None


@pytest.mark.parametrize("running", [True, False])
def test_the_commands_show_decisions_and_orders_also_while_the_copier_runs(provider, tmp_path, running):
    stage = subscribe(plain_url(provider), tmp_path)
    memory = tmp_path / "copier.sqlite"

    def show() -> None:
        explained = demos("copier", "explain", "EURUSD", "--memory", memory)
        assert explained.returncode == 0, explained.stderr
        assert "state 1: traded; provider 0.25, target 0.25, held 0.25; join-now: " in explained.stdout
        journal = demos("copier", "journal", "--memory", memory)
        assert "buy 0.25 EURUSD (join-now), state 1; lag in ms: " in journal.stdout
        raw = json.loads(demos("copier", "journal", "EURUSD", "--json", "--memory", memory).stdout)
        assert [(row["symbol"], row["lots"], row["filled"]) for row in raw] == [("EURUSD", "0.25", "0.25")]
        assert json.loads(demos("copier", "explain", "GBPUSD", "--json", "--memory", memory).stdout) == []

    def script() -> Script:
        yield from copied(stage)
        yield from pass_time(1)
        if running:
            show()

    stage.play(script())
    if not running:
        show()


def test_a_command_without_a_memory_is_one_clear_error(tmp_path):
    done = demos("copier", "journal", "--memory", tmp_path / "missing.sqlite")
    assert done.returncode == 4
    assert done.stderr.startswith("python -m demos copier: error: no such file: ")


def test_what_cannot_be_stored_is_not_traded_and_ends_the_program(provider, tmp_path, monkeypatch):
    stage = subscribe(plain_url(provider), tmp_path)

    def fail(self: Journal, order: OrderSent) -> int:
        raise StateError("the disk is full")

    def script() -> Script:
        yield from until(stage, lambda: stage.program.account is not None)
        monkeypatch.setattr(Journal, "sent", fail)
        yield from until(stage, lambda: "the disk is full" in stage.texts)

    assert stage.play(script()) == 4
    assert holds(stage, "0")()


def test_a_hedging_account_is_copied_by_ticket(provider, tmp_path):
    account = closed_after_test(PaperAccount(terms=AccountTerms(margin_mode=ACCOUNT_MARGIN_MODE_RETAIL_HEDGING)))
    stage = subscribe(plain_url(provider), tmp_path, account=account, hedging=True)
    provider.positions = [position("EURUSD", "0.3", ticket=7), position("EURUSD", "-0.1", ticket=8)]

    def script() -> Script:
        yield from copied(stage, "0.20")
        provider.trade(position("EURUSD", "-0.1", ticket=8))
        yield from copied(stage, "-0.10")
        provider.trade()
        yield from until(stage, lambda: account.positions() == ())

    stage.play(script())


def test_below_the_equity_floor_all_positions_are_closed_and_nothing_is_copied_before_resume(provider, tmp_path):
    # The spread of the first position costs 0.50.
    stage = subscribe(plain_url(provider), tmp_path, equity_floor=9999.9)

    def script() -> Script:
        yield from until(stage, lambda: len(stage.record.of("deal")) == 2)
        provider.trade(position("EURUSD", "0.5"), position("GBPUSD", "0.1"))
        yield from until(stage, lambda: stage.program.account.connection.follower.state.seq == 2)
        yield from pass_time(5)

    stage.play(script())
    assert any("is below the floor 9999.9 (--equity-floor)" in text for text in alerts(stage))
    assert [fields["position"] for fields in stage.record.of("deal")] == ["0.25", "0.00"]


@pytest.mark.parametrize("seed", range(3))
def test_after_random_faults_nothing_older_was_traded_and_the_newest_state_is_reached(provider, tmp_path, seed):
    """The provider only buys, so a sell of the copier would be an older state, and a larger position a second trade."""
    chance = random.Random(seed)
    stage = subscribe(plain_url(provider), tmp_path, maxorders=0)
    sent: list[str] = []

    def fault() -> None:
        kind = chance.choice(("disconnect", "repeat", "skip", "garbage", "new run"))
        if kind == "disconnect":
            provider.disconnect()
        elif kind == "repeat" and sent:
            provider.send(chance.choice(sent))
        elif kind == "skip":
            provider.seq += 1
        elif kind == "garbage":
            provider.send("garbage")
        elif kind == "new run":
            provider.disconnect()
            provider.stream, provider.seq = f"{chance.randbytes(16).hex()}-{chance.randbytes(8).hex()}", 0

    def script() -> Script:
        yield from copied(stage)
        for number in range(26, 46):
            provider.trade(position("EURUSD", f"0.{number}"))
            sent.append(provider.snapshot_text())
            if chance.random() < 0.5:
                fault()
            yield from pass_time(chance.uniform(0, 1))
        yield from copied(stage, "0.45")

    stage.play(script())
    volumes = [Decimal(str(fields["volume"])) for fields in stage.record.of("deal")]
    assert all(volume > 0 for volume in volumes)
    assert sum(volumes) == Decimal("0.45")
    assert not stage.program.account.connection.follower.stopped


def test_an_order_without_an_answer_is_compared_with_the_account_before_more_is_traded(provider, tmp_path, monkeypatch):
    stage = subscribe(plain_url(provider), tmp_path)

    def killed(self: OrderJournal) -> None:
        if self._answers:
            raise Killed

    def script() -> Script:
        yield from until(stage, lambda: stage.program.account is not None)
        # Killed after the order was executed, before anything about that was stored.
        monkeypatch.setattr(OrderJournal, "write_answers", killed)
        yield from until(stage, lambda: bool(stage.record.of("deal")))

    with pytest.raises(Killed):
        stage.play(script())
    monkeypatch.undo()
    stage.program.account.CloseClean()
    provider.seq, provider.positions = 2, [position("EURUSD", "0.5", time=provider.time())]
    again = subscribe(plain_url(provider), tmp_path, account=stage.account)
    again.play(copied(again, "0.50"))
    compared = "EURUSD: an order may have been executed when the copier was killed: its position is compared"
    assert alerts(again) == [compared]
    with closing(MemoryFile(tmp_path / "copier.sqlite", owner=False)) as file:
        assert [(row["lots"], row["text"]) for row in read_orders(file, None, 9)] == [
            ("0.25", "no answer: the copier was killed"),
            ("0.25", ""),
        ]
