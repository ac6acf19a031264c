"""The copier follows a provider's whole account, against an independent server."""

from __future__ import annotations

import json
import random
from contextlib import closing
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from cleanup_kit import closed_after_test
from copier_kit import (
    FEED,
    RUN,
    START,
    Peer,
    WebsocketsProvider,
    holds,
    pass_long_time,
    pass_time,
    plain_url,
    position,
    subscribe,
    until,
)
from provider_kit import Killed
from signal_kit import EURUSD, GBPUSD, QUOTES, Script, Stage, alerts, failing_orders, stopped
from terminal_kit import demos
from web_kit import network

from demos.copier import ack_pace, trading
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


def rule(stage: Stage, symbol: str = "EURUSD") -> str:
    """The rule of the present decision."""
    decision = stage.program.account.decisions.get(symbol)
    return decision.rule if decision else ""


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
        return acknowledge(*args)

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


def test_an_acknowledgement_that_would_be_too_much_for_the_provider_follows_later(provider, tmp_path, monkeypatch):
    # An acknowledgement costs 20 or more, so the next one follows after as many seconds.
    for name, value in {"AT_ONCE": 1, "PER_SECOND": 1, "COUNTED": 10}.items():
        monkeypatch.setattr(ack_pace, name, value)
    stage = subscribe(plain_url(provider), tmp_path)

    def heard() -> list[object]:
        return [message["seq"] for message in list(provider.heard.queue) if message["type"] == "ack"]

    def script() -> Script:
        yield from until(stage, lambda: heard() == [1])
        for lots in ("0.5", "0.75"):
            provider.trade(position("EURUSD", lots))
            yield from copied(stage, lots)
        yield from pass_time(10)
        assert heard() == [1]
        yield from until(stage, lambda: len(heard()) > 1)

    stage.play(script())
    assert heard() == [1, 3]


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
    alert = "a position of the provider is not copied: the terminal has no symbol XAUUSD (XAUUSD)"
    assert alerts(stage) == [alert]


def test_the_provider_and_the_journal_learn_of_a_symbol_that_the_terminal_does_not_have(provider, tmp_path):
    provider.positions.append(position("XAUUSD", "1"))
    stage = subscribe(plain_url(provider), tmp_path, factor=0.5)

    def script() -> Script:
        yield from copied(stage, "0.12")
        yield from pass_time(2)

    stage.play(script())
    ack = provider.next("ack")
    assert (ack["wanted"]["XAUUSD"], ack["held"]["XAUUSD"]) == ("0.5", "0")
    with closing(MemoryFile(tmp_path / "copier.sqlite", owner=False)) as file:
        [row] = read_decisions(file, "XAUUSD", 9)
    assert (row["rule"], row["outcome"], row["lots"]) == ("no-symbol", "skipped", "1.00")
    assert "the terminal has no symbol XAUUSD" in str(row["text"])


@pytest.mark.parametrize(
    ("option", "change"),
    [
        ({"suffix": ".m"}, "EURUSD is EURUSD.m here now"),
        ({"map": "EURUSD=GBPUSD"}, "EURUSD is GBPUSD here now"),
        ({"only": "GBPUSD"}, "EURUSD is not copied any more"),
    ],
)
def test_a_position_that_the_options_have_left_is_reported_at_each_start(provider, tmp_path, option, change):
    stage = subscribe(plain_url(provider), tmp_path)
    stage.play(until(stage, lambda: rule(stage) == "reached"))

    def left() -> list[str]:
        again = subscribe(plain_url(provider), tmp_path, account=stage.account, **option)
        again.play(until(again, lambda: any("nothing follows" in text for text in alerts(again))))
        return [text for text in alerts(again) if "nothing follows" in text]

    for _ in range(2):
        [text] = left()
        assert text.startswith(f"nothing follows the position of 0.25 lots in EURUSD any more: {change} (--map, ")
    restored = subscribe(plain_url(provider), tmp_path, account=stage.account)
    restored.play(until(restored, lambda: rule(restored) == "reached"))
    assert alerts(restored) == []


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
    provider.seq = 5
    stage = subscribe(plain_url(provider), tmp_path)

    def fall() -> Script:
        yield from copied(stage)
        provider.disconnect()
        provider.seq, provider.positions = 3, [position("EURUSD", "0.9", time=provider.time())]
        yield from until(stage, lambda: bool(stage.program.account.connection.follower.stopped))
        yield from pass_long_time(stage, 100)

    stage.play(fall())
    assert holds(stage, "0.25")()
    assert [text for text in alerts(stage) if "the sequence numbers fell: from 5 to 3" in text]
    assert provider.connections == 2

    # After a restart it is still stopped.
    again = subscribe(plain_url(provider), tmp_path, account=stage.account)
    assert again.play(pass_long_time(again, 20)) == 0
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


def resume(folder: Path) -> None:
    done = demos("copier", "resume", "--memory", folder / "copier.sqlite")
    assert (done.returncode, done.stdout.startswith("requested")) == (0, True)


@pytest.mark.parametrize("restarted", [False, True])
def test_resume_follows_a_new_run_whose_clock_was_set_back(provider, tmp_path, restarted):
    stage = subscribe(plain_url(provider), tmp_path)

    def set_back() -> None:
        provider.set_clock(START - 10_000_000)
        provider.stream, provider.seq = f"{'12' * 16}-{'34' * 8}", 1
        provider.positions = [position("EURUSD", "0.5", time=provider.time())]
        provider.disconnect()

    def script() -> Script:
        yield from copied(stage)
        if restarted:
            return
        set_back()
        yield from until(stage, lambda: any("a new stream begins in the past" in text for text in alerts(stage)))
        assert any("`python -m demos copier resume` follows it at once" in text for text in alerts(stage))
        resume(tmp_path)
        yield from copied(stage, "0.50")

    stage.play(script())
    if restarted:
        set_back()
        resume(tmp_path)
        again = subscribe(plain_url(provider), tmp_path, account=stage.account)
        again.play(copied(again, "0.50"))


def test_an_alarm_is_repeated_at_each_start_and_each_hour(provider, tmp_path, monkeypatch):
    monkeypatch.setattr("demos.copier.reminders.AGAIN_MS", 12_000)
    provider.seq = 5
    stage = subscribe(plain_url(provider), tmp_path)

    def fall() -> Script:
        yield from copied(stage)
        provider.disconnect()
        provider.seq, provider.positions = 3, [position("EURUSD", "0.9", time=provider.time())]
        yield from until(stage, lambda: bool(stage.program.account.connection.follower.stopped))
        yield from pass_time(10)

    def reminders(stage: Stage) -> list[str]:
        return [text for text in alerts(stage) if text.startswith("reminder: ") and "`python -m demos copier" in text]

    stage.play(fall())
    assert reminders(stage) == []
    again = subscribe(plain_url(provider), tmp_path, account=stage.account)

    def script() -> Script:
        yield from pass_time(5)
        assert len(reminders(again)) == 1
        yield from pass_time(10)

    again.play(script())
    assert len(reminders(again)) == 2


# ---- symbols of the login


def test_a_symbol_that_the_login_does_not_show_any_more_stays_and_is_followed_again_when_it_returns(provider, tmp_path):
    provider.positions.append(position("GBPUSD", "0.1"))
    stage = subscribe(plain_url(provider), tmp_path, join="wait")

    def show(stream: str, shown: list[str] | None, *positions: dict[str, object]) -> None:
        provider.stream, provider.shown, provider.positions = f"{RUN}-{stream * 8}", shown, list(positions)
        provider.disconnect()

    def script() -> Script:
        yield from until(stage, lambda: "EURUSD" in stage.program.account.decisions)
        provider.trade()
        yield from until(stage, lambda: rule(stage) == "reached")
        provider.trade(position("EURUSD", "0.25"))
        yield from copied(stage)
        [held] = provider.positions
        show("01", ["GBPUSD"], position("GBPUSD", "0.1"))
        yield from until(stage, lambda: rule(stage) == "hidden")
        yield from pass_time(5)
        assert holds(stage, "0.25")()
        show("02", None, held, position("GBPUSD", "0.1"))
        yield from until(stage, lambda: rule(stage) == "reached")
        assert holds(stage, "0.25")()
        provider.trade(position("EURUSD", "0.5"), position("GBPUSD", "0.1"))
        yield from copied(stage, "0.50")

    stage.play(script())
    assert [fields["position"] for fields in stage.record.of("deal") if fields["symbol"] == "EURUSD"] == [
        "0.25",
        "0.50",
    ]


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
        yield from pass_long_time(stage, 60)
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
        connection = stage.program.account.connection
        for _ in range(60):
            last = connection.follower._beat
            provider.beat()
            yield from until(stage, lambda last=last: connection.follower._beat != last)
            assert connection.is_live
            yield from pass_long_time(stage, 1)

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
        yield from pass_long_time(again, 20)
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


def test_a_memory_of_another_login_or_provider_is_one_clear_error(provider, tmp_path):
    stage = subscribe(plain_url(provider), tmp_path)
    stage.play(copied(stage))
    other = subscribe(plain_url(provider), tmp_path, login="another", account=stage.account)
    assert other.play(iter(())) == 4
    server, memory = f"127.0.0.1:{provider.port}", tmp_path / "copier.sqlite"
    assert alerts(other) == [
        f"{memory}: this memory is that of the login customer at {server}, not of another at {server}; use another "
        "file (--memory)"
    ]
    moved = subscribe("ws://127.0.0.1:1", tmp_path, account=stage.account)
    assert moved.play(iter(())) == 4
    assert provider.connections == 1


def test_the_end_of_the_login_during_an_absence_closes_the_positions_with_on_end_flatten(provider, tmp_path):
    stage = subscribe(plain_url(provider), tmp_path, on_end="flatten")
    stage.play(copied(stage))

    async def expired(peer: Peer) -> None:
        await peer.say("hello", version=1, server="x", stream=RUN, heartbeat_ms=600_000, time=provider.time())
        await peer.hear()
        await peer.say("error", code="expired", text="a reason", fatal=True)

    provider.behave = expired
    again = subscribe(plain_url(provider), tmp_path, on_end="flatten", account=stage.account)
    again.play(copied(again, "0"))


def test_a_login_that_another_program_uses_is_alerted_once_and_tried_again_after_growing_pauses(provider, tmp_path):
    stage = subscribe(plain_url(provider), tmp_path)
    times: list[float] = []

    async def replace(peer: Peer) -> None:
        await peer.welcome()
        await peer.snapshot()
        times.append(stage.clock.time)
        await peer.say("error", code="replaced", text="a reason", fatal=True)

    def script() -> Script:
        for number, pause in enumerate((57, 114, 0), 1):
            yield from until(stage, lambda number=number: len(times) == number)
            # The pause begins when the copier has received the error.
            yield from until(stage, lambda: stage.program.account.connection.transport.is_idle)
            yield from pass_long_time(stage, pause)
            assert len(times) == number

    provider.behave = replace
    stage.play(script())
    first, second = (round(later - earlier) for earlier, later in pairwise(times))
    assert 58 <= first <= 65
    assert 115 <= second <= 130
    assert len([text for text in alerts(stage) if "another program uses this login (customer)" in text]) == 1


def test_a_login_without_a_url_is_an_error_and_does_not_use_the_plain_protocol(tmp_path):
    stage = subscribe("", tmp_path)
    assert stage.play(iter(())) == 4
    assert alerts(stage) == [
        "--url or --broker is missing: without them the plain protocol is used, which has no --login, --password-file"
    ]


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


@pytest.mark.parametrize(("limit", "beyond"), [({"maxlots": 0.3}, "0.5"), ({"maxorders": 1}, "0.3")])
def test_a_limit_blocks_only_increases_and_is_named_by_log_and_journal(provider, tmp_path, limit, beyond):
    stage = subscribe(plain_url(provider), tmp_path, **limit)

    def script() -> Script:
        yield from copied(stage)
        provider.trade(position("EURUSD", beyond))
        yield from until(stage, lambda: rule(stage) == "limit")
        provider.trade(position("EURUSD", "0.1"))
        yield from copied(stage, "0.10")
        provider.trade(position("EURUSD", "0.2"))
        yield from until(stage, lambda: rule(stage) == "limit")
        provider.trade()
        yield from copied(stage, "0")

    stage.play(script())
    [option] = limit
    assert any(f"--{option}" in text and text.endswith("(limit)") for text in stage.texts)
    with closing(MemoryFile(tmp_path / "copier.sqlite", owner=False)) as file:
        refused = [row for row in read_decisions(file, "EURUSD", 100) if row["rule"] == "limit"]
    assert refused[0]["outcome"] == "skipped"
    assert f"--{option}" in str(refused[0]["text"])


def test_a_reversal_beyond_a_limit_closes_the_position(provider, tmp_path):
    stage = subscribe(plain_url(provider), tmp_path, maxlots=0.3)

    def script() -> Script:
        yield from copied(stage)
        provider.trade(position("EURUSD", "-0.5"))
        yield from copied(stage, "0")

    stage.play(script())
    assert stopped(stage) == ["EURUSD"]


def test_after_reconcile_stop_a_reduction_of_the_provider_still_goes_out(provider, tmp_path):
    stage = subscribe(plain_url(provider), tmp_path, reconcile="stop")

    def script() -> Script:
        yield from copied(stage)
        stage.host.post("buy 0.1")
        yield from until(stage, lambda: stopped(stage) == ["EURUSD"])
        yield from pass_time(3)
        assert holds(stage, "0.35")()
        provider.trade(position("EURUSD", "0.5"))
        yield from until(stage, lambda: rule(stage) == "limit")
        provider.trade(position("EURUSD", "0.2"))
        yield from copied(stage, "0.20")

    stage.play(script())


def test_a_limit_does_not_prevent_the_end_of_a_login_from_closing_the_positions(provider, tmp_path):
    stage = subscribe(plain_url(provider), tmp_path, maxlots=0.3, on_end="flatten")

    def script() -> Script:
        yield from copied(stage)
        provider.trade(position("EURUSD", "0.5"))
        yield from until(stage, lambda: stopped(stage) == ["EURUSD"])
        provider.refuse("expired")
        yield from copied(stage, "0")

    stage.play(script())


def test_a_flatten_also_closes_what_the_owner_has_opened_in_a_flat_symbol(provider, tmp_path):
    stage = subscribe(plain_url(provider), tmp_path, equity_floor=9999.0)

    def script() -> Script:
        yield from copied(stage)
        provider.trade()
        yield from copied(stage, "0")
        stage.host.post("buy 1")
        yield from until(stage, lambda: any("below the floor" in text for text in alerts(stage)))
        yield from copied(stage, "0")

    stage.play(script())


def test_the_kill_switch_also_blocks_reductions_and_says_so(provider, tmp_path):
    stage = subscribe(plain_url(provider), tmp_path, killfile=str(tmp_path / "stop"))

    def script() -> Script:
        yield from copied(stage)
        (tmp_path / "stop").touch()
        provider.trade(position("EURUSD", "0.1"))
        yield from until(stage, lambda: rule(stage) == "halted")
        yield from pass_time(5)

    stage.play(script())
    assert holds(stage, "0.25")()
    assert any("also none that reduces a position" in text for text in alerts(stage))
    with closing(MemoryFile(tmp_path / "copier.sqlite", owner=False)) as file:
        last = read_decisions(file, "EURUSD", 1)[0]
    assert (last["rule"], last["outcome"]) == ("halted", "skipped")
    assert "--killfile" in str(last["text"])


def test_nothing_is_traded_from_a_stored_state_before_a_state_has_arrived_or_the_provider_is_stale(provider, tmp_path):
    stage = subscribe(plain_url(provider), tmp_path, maxlots=0.3)

    def script() -> Script:
        yield from copied(stage)
        # The target of 0.50 waits.
        provider.trade(position("EURUSD", "0.5"))
        yield from until(stage, lambda: rule(stage) == "limit")

    stage.play(script())
    stage.account.trade(EURUSD, 40, QUOTES[0])
    again = subscribe(plain_url(provider), tmp_path, account=stage.account)

    async def silent(peer: Peer) -> None:
        await peer.listen()

    provider.behave = silent

    def wait() -> Script:
        yield from pass_long_time(again, 25)
        assert again.program.account.decisions == {}
        yield from pass_time(10)
        assert again.program.account.decisions != {}

    again.play(wait())
    assert holds(again, "0.65")()


def test_an_order_that_the_broker_rejects_is_repeated_after_pauses(provider, tmp_path, monkeypatch):
    stage = subscribe(plain_url(provider), tmp_path)
    tried = failing_orders(stage, monkeypatch)

    def script() -> Script:
        yield from until(stage, lambda: bool(tried))
        yield from pass_long_time(stage, 33)

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


def test_a_stop_loss_that_was_placed_is_known_after_a_restart_and_changes_only_with_a_state(provider, tmp_path):
    provider.positions = [position("EURUSD", "0.25", sl="1.09")]
    stage = subscribe(plain_url(provider), tmp_path, stops=True)

    def stop() -> int:
        return next((each.stops.sl for each in stage.account.positions()), 0)

    stage.play(until(stage, lambda: stop() == 109_000))
    [held] = stage.account.positions()
    again = subscribe(plain_url(provider), tmp_path, stops=True, account=stage.account)
    assert provider.connections == 1

    def owner_moves_it() -> Script:
        yield from until(again, lambda: rule(again) == "reached")
        stage.account.modify(held.ticket, Stops(108_000, 0), QUOTES[0])
        yield from pass_time(3)

    again.play(owner_moves_it())
    # It is the owner's stop loss now: neither the copier before nor the one after a restart replaces it.
    third = subscribe(plain_url(provider), tmp_path, stops=True, account=stage.account)

    def removed() -> Script:
        yield from until(third, lambda: rule(third) == "reached")
        yield from pass_time(3)
        assert stop() == 108_000
        stage.account.modify(held.ticket, Stops(109_000, 0), QUOTES[0])
        yield from pass_time(2)
        provider.trade(position("EURUSD", "0.25"))
        yield from until(third, lambda: stop() == 0)

    third.play(removed())


def test_a_stop_loss_that_cannot_be_placed_is_logged_once_and_explained(provider, tmp_path):
    provider.positions = [position("EURUSD", "0.25", sl="1.2")]
    stage = subscribe(plain_url(provider), tmp_path, stops=True)

    def script() -> Script:
        yield from copied(stage)
        yield from pass_time(5)

    stage.play(script())
    logged = [text for text in stage.texts if "the stop loss is not placed" in text]
    assert len(logged) == 1
    assert "the provider's stop loss 1.2 is not below the bid 1.1" in logged[0]
    with closing(MemoryFile(tmp_path / "copier.sqlite", owner=False)) as file:
        assert "is not below the bid" in str(read_decisions(file, "EURUSD", 1)[0]["text"])


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
    stage = subscribe(plain_url(provider), tmp_path, equity_floor=9999.6)
    stage.account.trade(GBPUSD, 10, QUOTES[1])

    def script() -> Script:
        yield from until(stage, lambda: len(stage.record.of("deal")) == 3)
        provider.trade(position("EURUSD", "0.5"), position("GBPUSD", "0.1"))
        yield from until(stage, lambda: stage.program.account.connection.follower.state.seq == 2)
        yield from pass_time(5)

    stage.play(script())
    [text] = [text for text in alerts(stage) if "is below the floor 9999.6 (--equity-floor)" in text]
    assert "closed are EURUSD 0.25; these stay, because the provider has not traded their symbols: GBPUSD 0.10" in text
    assert holds(stage, "0.10", "GBPUSD")()
    deals = [fields["position"] for fields in stage.record.of("deal") if fields["symbol"] == "EURUSD"]
    assert deals == ["0.25", "0.00"]


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
