"""The paper account: netting to the point, and a file that a killed process cannot spoil."""

from __future__ import annotations

import os
import random
import re
import sqlite3
from contextlib import closing
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminal_kit import EURUSD, FOLLOWER, GBPUSD, child, demos, wait_for

from demos.terminal.interfaces import AccountError, SymbolSpec, Tick
from demos.terminal.mql.constants import TRADE_RETCODE_DONE
from demos.terminal.paper.account import PaperAccount
from demos.terminal.paper.account_checks import VERSION
from demos.terminal.points import money, netted, open_price, open_profit, round_half_even


@pytest.fixture
def account():
    with closing(PaperAccount()) as account:
        yield account


def quote(bid: int, symbol: str = "EURUSD", time: int = 0) -> Tick:
    return Tick(symbol, time, bid, bid + 2)


def test_a_trade_is_filled_at_the_quote_and_opens_a_position(account):
    result = account.trade(EURUSD, 25, quote(100_000, time=7))
    assert result.retcode == TRADE_RETCODE_DONE
    (position,) = account.positions()
    assert (position.volume, open_price(position), position.time) == (25, 100_002, 7)
    assert position.ticket == result.deal.ticket == result.deal.position == 1


def test_trades_in_one_symbol_are_netted_at_the_average_price(account):
    account.trade(EURUSD, 10, quote(100_000))
    account.trade(EURUSD, 20, quote(100_030))
    (position,) = account.positions()
    assert (position.ticket, position.volume, open_price(position)) == (1, 30, 100_022)
    deal = account.trade(EURUSD, -10, quote(100_102)).deal
    assert (deal.profit, deal.position_volume) == (800, 20)
    assert open_price(account.positions()[0]) == 100_022


def test_a_trade_larger_than_the_position_reverses_it_at_the_new_price(account):
    account.trade(EURUSD, 10, quote(100_000))
    deal = account.trade(EURUSD, -30, quote(99_992)).deal
    assert (deal.profit, deal.position_volume) == (-100, -20)
    (position,) = account.positions()
    assert (position.ticket, position.volume, open_price(position)) == (1, -20, 99_992)


def test_a_closed_position_is_removed_and_the_next_one_has_a_new_ticket(account):
    account.trade(EURUSD, -10, quote(100_000))
    assert account.trade(EURUSD, 10, quote(99_898)).deal.profit == 1000
    assert account.positions() == ()
    assert account.trade(EURUSD, 10, quote(99_898)).deal.position == 3


def test_each_symbol_has_its_own_position(account):
    account.trade(EURUSD, 10, quote(100_000))
    account.trade(GBPUSD, -5, quote(130_000, "GBPUSD"))
    assert [(p.ticket, p.spec.name, p.volume) for p in account.positions()] == [(1, "EURUSD", 10), (2, "GBPUSD", -5)]


def test_profit_is_in_the_quote_currency(account):
    account.trade(EURUSD, 25, quote(100_000))
    assert money(open_profit(account.positions()[0], quote(100_102)), EURUSD) == 25
    account.trade(GBPUSD, -100, quote(130_000, "GBPUSD"))
    assert money(open_profit(account.positions()[1], quote(129_988, "GBPUSD")), GBPUSD) == 10


def test_new_deals_are_returned_once(account):
    account.trade(EURUSD, 10, quote(100_000))
    assert [deal.volume for deal in account.new_deals()] == [10]
    assert account.new_deals() == []


@given(st.lists(st.tuples(st.integers(-50, 50).filter(bool), st.integers(1, 200_000)), max_size=30))
def test_profits_and_costs_always_add_up_to_the_sum_paid(trades):
    volume = cost = realised = 0
    for traded, price in trades:
        volume, cost, profit = netted(volume, cost, traded, price)
        realised += profit
        assert volume or not cost
        assert not volume or cost / volume > 0
    assert volume == sum(traded for traded, _ in trades)
    assert cost - realised == sum(traded * price for traded, price in trades)


@given(st.integers(-(10**12), 10**12), st.integers(-(10**6), 10**6).filter(bool))
def test_shares_are_rounded_half_to_even(numerator, denominator):
    assert round_half_even(numerator, denominator) == round(Fraction(numerator, denominator))


def test_positions_and_deals_survive_in_the_file(tmp_path):
    path = tmp_path / "paper.db"
    with closing(PaperAccount(path)) as account:
        account.trade(EURUSD, 25, quote(100_000, time=9))
        account.trade(EURUSD, -5, quote(100_010))
        before = account.positions()
    with closing(PaperAccount(path)) as account:
        assert account.positions() == before
        assert account.new_deals() == []


def test_the_file_stores_each_deal_in_integers(tmp_path):
    path = tmp_path / "paper.db"
    with closing(PaperAccount(path)) as account:
        account.trade(EURUSD, 25, quote(100_000, time=9))
        account.trade(EURUSD, -25, quote(100_010, time=11))
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT ticket, position, symbol, volume, price, profit, time FROM deals").fetchall()
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert rows == [(1, 1, "EURUSD", 25, 100_002, 0, 9), (2, 1, "EURUSD", -25, 100_010, 200, 11)]


def test_a_deal_is_on_disk_before_trade_returns(tmp_path):
    with closing(PaperAccount(tmp_path / "paper.db")) as account:
        # 2 is FULL: with a write-ahead log each commit waits for the disk.
        assert account._db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_second_user_of_the_file_gets_an_AccountError(tmp_path):
    path = tmp_path / "paper.db"
    with closing(PaperAccount(path)), pytest.raises(AccountError) as caught:
        PaperAccount(path)
    assert str(caught.value) == f"{path} is in use by another program"
    PaperAccount(path).close()


def test_a_file_that_is_not_an_account_is_rejected_and_unchanged(tmp_path):
    text = tmp_path / "text.db"
    text.write_text("this is no database, but it is long enough to be looked at as one" * 20, encoding="utf-8")
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE things (name TEXT)")
    for path in (text, other):
        before = path.read_bytes()
        with pytest.raises(AccountError, match=r"is not an account$"):
            PaperAccount(path)
        assert path.read_bytes() == before


def test_an_account_of_a_newer_version_is_rejected(tmp_path):
    path = tmp_path / "paper.db"
    PaperAccount(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(AccountError, match=f"version {VERSION + 1}; this program supports version {VERSION}$"):
        PaperAccount(path)


def test_an_empty_file_becomes_an_account(tmp_path):
    path = tmp_path / "paper.db"
    path.touch()
    with closing(PaperAccount(path)) as account:
        assert account.positions() == ()


def test_a_path_that_cannot_be_opened_is_an_AccountError(tmp_path):
    with pytest.raises(AccountError, match="unable to open database file"):
        PaperAccount(tmp_path / "missing" / "paper.db")


def test_an_account_whose_deals_and_positions_do_not_add_up_is_rejected(tmp_path):
    path = tmp_path / "paper.db"
    with closing(PaperAccount(path)) as account:
        account.trade(EURUSD, 25, quote(100_000))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE positions SET volume = 24")
    with pytest.raises(AccountError, match=r"deals and position in EURUSD do not add up"):
        PaperAccount(path)


def edited(folder: Path, *statements: str) -> Path:
    """An account with one deal and one position, after these statements."""
    path = folder / "paper.db"
    with closing(PaperAccount(path)) as account:
        account.trade(EURUSD, 25, quote(100_000))
    with closing(sqlite3.connect(path)) as db, db:
        for statement in statements:
            db.execute(statement)
    return path


VALUES = ("'x'", "10.5", "x'00'", "9e99", "''")
COLUMNS = {
    "symbols": ("digits", "volume_step", "volume_min", "volume_max", "contract_size"),
    "deals": ("position", "symbol", "volume", "price", "profit", "time", "gain"),
    "positions": ("symbol", "volume", "cost", "time", "sl", "tp"),
    "account": ("margin_mode", "currency_digits", "initial"),
}


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(("table", "column"), [(table, each) for table, names in COLUMNS.items() for each in names])
def test_a_value_of_another_type_in_any_column_is_named_when_the_file_is_opened(tmp_path, table, column, value):
    if (column, value) == ("volume_step", "10.5"):
        value = "'1,5'"
    path = edited(tmp_path, "PRAGMA foreign_keys = OFF", f"UPDATE {table} SET {column} = {value}")
    with pytest.raises(AccountError, match=f"row 1 of the table {table} has an invalid {column}: "):
        PaperAccount(path)


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        *(("symbols", "digits", value) for value in (-1, 999)),
        *(
            ("symbols", "volume_step", value)
            for value in ("'0'", "'-1'", "'NaN'", "'sNaN'", "'Infinity'", "'1e999999'", "'1e-999999'", f"'{'1' * 50}'")
        ),
        *(("symbols", "volume_min", value) for value in (-1, 0, 2**62)),
        *(("symbols", "volume_max", value) for value in (-1, 0, 2**62)),
        *(("symbols", "contract_size", value) for value in (-1, 2**62)),
        ("symbols", "symbol", "x'ff00'"),
        ("symbols", "symbol", "''"),
        ("symbols", "symbol", "NULL"),
        *(("deals", "price", value) for value in (-1, 0)),
        *(("deals", "time", value) for value in (2**62, -(2**62))),
        *(("positions", "cost", value) for value in (-1, 0)),
        ("positions", "time", 2**62),
        ("deals", "symbol", "'GBPUSD'"),
        ("positions", "symbol", "'GBPUSD'"),
    ],
)
def test_a_number_out_of_range_or_an_unknown_symbol_is_named_when_the_file_is_opened(tmp_path, table, column, value):
    path = edited(tmp_path, "PRAGMA foreign_keys = OFF", f"UPDATE {table} SET {column} = {value}")
    with pytest.raises(AccountError, match=f"row 1 of the table {table} has an invalid {column}: "):
        PaperAccount(path)


@pytest.mark.parametrize(
    ("statements", "problem"),
    [
        (["DROP TABLE positions"], r"the table positions of an account has the columns ticket INTEGER PRIMARY KEY, "),
        (["DROP TABLE deals"], r"the table deals of an account has the columns .*; found no such table$"),
        (["PRAGMA foreign_keys = OFF", "DROP TABLE symbols"], r"the table symbols .*; found no such table$"),
        (["ALTER TABLE deals RENAME COLUMN profit TO won"], r"the table deals .* profit INTEGER, .* won INTEGER, "),
        (["ALTER TABLE deals ADD COLUMN swap INTEGER"], r"the table deals .*, swap INTEGER$"),
        (["ALTER TABLE positions ADD COLUMN x"], r"the table positions .*, x $"),
        (["DELETE FROM symbols"], r"row 1 of the table deals has an invalid symbol: 'EURUSD'$"),
        (["INSERT INTO positions VALUES (9, 'EURUSD', 1, 1, 0, 0, 0)"], r"there is more than one position in EURUSD$"),
        (["UPDATE deals SET volume = 9223372036854775807", "INSERT INTO deals SELECT 2, 1, symbol, volume, 1, 1, 1, 0 "
          "FROM deals"], r": integer overflow$"),
        (["PRAGMA user_version = -1"], r"is an account of version -1; this program supports version 2$"),
        (["PRAGMA user_version = 0"], r"is an account of version 0; this program supports version 2$"),
    ],
)  # fmt: skip
def test_a_file_with_missing_or_edited_tables_is_rejected_with_the_reason(tmp_path, statements, problem):
    with pytest.raises(AccountError, match=problem):
        PaperAccount(edited(tmp_path, *statements))


@pytest.mark.parametrize("size", [50, 100, 4096, 5000, 9000])
def test_a_truncated_file_is_rejected(tmp_path, size):
    path = edited(tmp_path)
    os.truncate(path, size)
    with pytest.raises(AccountError, match=re.escape(str(path))):
        PaperAccount(path)


def test_a_damaged_account_ends_the_terminal_with_one_line_and_exit_code_4(tmp_path):
    path = edited(tmp_path, "UPDATE symbols SET volume_step = char(27) || '[31m'")
    done = demos("run", FOLLOWER, "--account", path)
    assert done.returncode == 4
    assert done.stderr.splitlines() == [
        f"python -m demos run {FOLLOWER}: error: {path}: row 1 of the table symbols has an invalid volume_step: "
        r"'\x1b[31m'"
    ]


def test_a_symbol_with_control_characters_is_shown_escaped(tmp_path):
    name = "'A' || char(27) || '[31mB'"
    statements = [f"UPDATE {table} SET symbol = {name}" for table in ("symbols", "deals", "positions")]
    path = edited(tmp_path, "PRAGMA foreign_keys = OFF", *statements)
    done = demos("run", FOLLOWER, "--account", path, input="positions\nquit\n")
    assert done.returncode == 0
    assert r"A\x1b[31mB 0.25" in done.stdout.splitlines()
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("spec", [SymbolSpec("EURUSD", digits=4), SymbolSpec("EURUSD", volume_step=Decimal("0.1"))])
def test_a_symbol_keeps_its_digits_and_volume_step(account, spec):
    account.trade(EURUSD, 25, quote(100_000))
    with pytest.raises(AccountError, match=r"EURUSD has 5 digits and volume step 0\.01 there"):
        account.trade(spec, 1, quote(10_000))
    assert len(account.new_deals()) == 1


def test_a_trade_that_cannot_be_written_changes_nothing(tmp_path):
    with closing(PaperAccount(tmp_path / "paper.db")) as account:
        account.trade(EURUSD, 25, quote(100_000))
        trigger = "CREATE TEMP TRIGGER full BEFORE INSERT ON positions BEGIN SELECT raise(ABORT, 'disk'); END"
        account._db.execute(trigger)
        with pytest.raises(AccountError, match="disk"):
            account.trade(EURUSD, 25, quote(100_000))
        assert [position.volume for position in account.positions()] == [25]
        assert len(account.new_deals()) == 1
        assert account._db.execute("SELECT count(*) FROM deals").fetchone() == (1,)


def test_a_trade_with_too_large_numbers_is_an_AccountError_and_changes_nothing(account):
    account.trade(EURUSD, 10, quote(100_000))
    with pytest.raises(AccountError, match="does not fit into 64 bits"):
        account.trade(EURUSD, 10_000, quote(10**15))
    assert [p.volume for p in account.positions()] == [10]
    assert len(account.new_deals()) == 1


def test_orders_beyond_64_bits_end_the_terminal_with_one_line_and_exit_code_4(tmp_path):
    bars = tmp_path / "EURUSD_H1.tsv"
    prices = "\t999999.12345678" * 4
    header = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>"
    bars.write_text(f"{header}\n2017.04.19\t09:00:00{prices}\n", encoding="utf-8")
    done = demos("run", FOLLOWER, "--bars", bars, "--speed", "max", input="buy 100\n" * 12)
    assert done.returncode == 4
    assert "does not fit into 64 bits" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def ledger(path: Path) -> tuple[int, int, int]:
    """Number of deals, their sum and the position, in steps."""
    with closing(PaperAccount(path)) as account:
        held = sum(position.volume for position in account.positions())
        count, total = account._db.execute("SELECT count(*), coalesce(sum(volume), 0) FROM deals").fetchone()
        return count, total, held


def test_a_killed_process_loses_no_answered_trade(tmp_path):
    path = tmp_path / "paper.db"
    chance = random.Random(3)
    answered = 0
    for _ in range(3):
        with child("run", FOLLOWER, "--account", path, "--seed", 1) as process:
            process.stdin.write("buy 0.01\n" * 200)
            process.stdin.flush()
            for _ in range(1 + int(chance.random() * 40)):
                wait_for(process.stdout, "done: buy 0.01 EURUSD at ")
                answered += 1
            process.kill()
            process.wait()
        count, total, held = ledger(path)
        assert count == total == held >= answered
        answered = count


def test_a_second_process_on_the_same_account_ends_with_one_line_and_exit_code_4(tmp_path):
    path = tmp_path / "paper.db"
    with child("run", FOLLOWER, "--account", path) as process:
        wait_for(process.stderr, "hello")
        second = demos("run", FOLLOWER, "--account", path)
    assert second.returncode == 4
    assert second.stderr == f"python -m demos run {FOLLOWER}: error: {path} is in use by another program\n"
