"""Balance, equity, currency and margin mode of a paper account, and files of version 1."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from terminal_kit import EURUSD, FOLLOWER, child, demos, wait_for

from demos.terminal.interfaces import AccountError, Currency, Figures, Stops, SymbolSpec, Tick
from demos.terminal.money import MarketPrices
from demos.terminal.mql.constants import ACCOUNT_MARGIN_MODE_RETAIL_HEDGING, ACCOUNT_MARGIN_MODE_RETAIL_NETTING
from demos.terminal.paper.account import PaperAccount
from demos.terminal.paper.account_checks import VERSION
from demos.terminal.paper.account_file import AccountTerms
from demos.terminal.paper.virtual_account import VirtualAccount

EURJPY = SymbolSpec("EURJPY", digits=3)
USDJPY = SymbolSpec("USDJPY", digits=3)
HEDGING = AccountTerms(margin_mode=ACCOUNT_MARGIN_MODE_RETAIL_HEDGING)


def quote(bid: int, symbol: str = "EURUSD") -> Tick:
    return Tick(symbol, 0, bid, bid + 2)


def figures(*amounts: str) -> Figures:
    return Figures(*map(Decimal, amounts))


def test_a_new_account_has_10000_dollars():
    with closing(PaperAccount()) as account:
        assert account.currency == Currency("USD", 2)
        assert account.figures() == figures("10000.00", "10000.00", "0")


def test_the_equity_is_the_balance_and_the_profit_of_the_open_positions():
    quotes: dict[str, Tick] = {}
    with closing(PaperAccount()) as account:
        account.use_prices(MarketPrices(lambda: {"EURUSD": EURUSD}, quotes))
        account.trade(EURUSD, 25, quote(100_000))
        quotes["EURUSD"] = quote(100_102)
        assert account.figures() == figures("10000.00", "10025.00", "25.00")
        account.trade(EURUSD, -10, quote(100_102))
        assert account.figures() == figures("10010.00", "10025.00", "15.00")
        account.trade(EURUSD, -15, quote(99_002))
        assert account.figures() == figures("9860.00", "9860.00", "0")


def test_the_virtual_account_begins_with_the_balance_and_gains_alone():
    quotes = {"EURUSD": quote(100_102)}
    prices = MarketPrices(lambda: {"EURUSD": EURUSD}, quotes)
    with closing(PaperAccount()) as account:
        account.use_prices(prices)
        account.trade(EURUSD, 10, quote(100_000))
        virtual = VirtualAccount(account, prices)
        assert (virtual.currency, virtual.figures()) == (account.currency, account.figures())
        virtual.trade(EURUSD, -10, quote(100_102))
        assert virtual.figures() == figures("10010.00", "10010.00", "0")
        assert account.figures() == figures("10000.00", "10010.00", "10.00")


def test_a_deals_profit_is_converted_at_the_quote_of_its_time():
    quotes = {"USDJPY": Tick("USDJPY", 0, 150_000, 150_000)}
    with closing(PaperAccount()) as account:
        account.use_prices(MarketPrices(lambda: {"USDJPY": USDJPY}, quotes))
        account.trade(EURJPY, 10, Tick("EURJPY", 0, 160_000, 160_000))
        account.trade(EURJPY, -10, Tick("EURJPY", 0, 160_300, 160_300))
        assert account.figures().balance == Decimal("10020.00")
        quotes["USDJPY"] = Tick("USDJPY", 0, 75_000, 75_000)
        assert account.figures().balance == Decimal("10020.00")


def test_a_profit_that_cannot_be_converted_is_not_in_the_balance_and_named(tmp_path):
    path = tmp_path / "paper.db"
    with closing(PaperAccount(path)) as account:
        account.trade(EURJPY, 10, Tick("EURJPY", 0, 160_000, 160_000))
        assert account.unconverted() == []
        account.trade(EURJPY, -10, Tick("EURJPY", 0, 160_300, 160_300))
        assert account.figures().balance == 10_000
    with closing(PaperAccount(path)) as account:
        assert account.figures().balance == 10_000
        assert account.unconverted() == ["EURJPY"]


def test_terms_and_stops_survive_in_the_file(tmp_path):
    path = tmp_path / "paper.db"
    terms = AccountTerms(Decimal("2500.50"), "EUR", ACCOUNT_MARGIN_MODE_RETAIL_HEDGING)
    with closing(PaperAccount(path, terms)) as account:
        for stops in (Stops(99_000, 101_000), Stops()):
            account.trade(EURUSD, 10, quote(100_000), 0, stops)
        account.modify(2, Stops(0, 102_000), quote(100_000))
        before = account.positions()
    for again in (AccountTerms(), terms, AccountTerms(Decimal("2500.5"))):
        with closing(PaperAccount(path, again)) as account:
            assert account.margin_mode == ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
            assert account.currency == Currency("EUR", 2)
            assert account.figures().balance == Decimal("2500.50")
            assert account.positions() == before
            assert [position.stops for position in before] == [Stops(99_000, 101_000), Stops(0, 102_000)]


@pytest.mark.parametrize(
    ("terms", "problem"),
    [
        (AccountTerms(Decimal(1)), "began with 10000.00 USD; balance and currency are those of a new account"),
        (AccountTerms(currency="EUR"), "began with 10000.00 USD; balance and currency are those of a new account"),
        (HEDGING, "is a netting account; its margin mode cannot change"),
    ],
)
def test_other_terms_than_those_of_the_file_are_rejected(tmp_path, terms, problem):
    path = tmp_path / "paper.db"
    PaperAccount(path).close()
    with pytest.raises(AccountError) as caught:
        PaperAccount(path, terms)
    assert str(caught.value) == f"{path} {problem}"


def test_a_balance_has_the_decimal_places_of_the_currency():
    with closing(PaperAccount(terms=AccountTerms(Decimal(1_000_000), "JPY"))) as account:
        assert (account.currency, account.figures().balance) == (Currency("JPY", 0), 1_000_000)
    with pytest.raises(AccountError, match=r"the balance 1\.5 has more than 0 decimal places$"):
        PaperAccount(terms=AccountTerms(Decimal("1.5"), "JPY"))


VERSION_1 = """
CREATE TABLE symbols (
    symbol TEXT PRIMARY KEY, digits INTEGER NOT NULL, volume_step TEXT NOT NULL,
    volume_min INTEGER NOT NULL, volume_max INTEGER NOT NULL, contract_size INTEGER NOT NULL
);
CREATE TABLE deals (
    ticket INTEGER PRIMARY KEY AUTOINCREMENT, position INTEGER NOT NULL, symbol TEXT NOT NULL REFERENCES symbols,
    volume INTEGER NOT NULL CHECK (volume <> 0), price INTEGER NOT NULL, profit INTEGER NOT NULL, time INTEGER NOT NULL
);
CREATE TABLE positions (
    ticket INTEGER PRIMARY KEY, symbol TEXT NOT NULL REFERENCES symbols,
    volume INTEGER NOT NULL CHECK (volume <> 0), cost INTEGER NOT NULL, time INTEGER NOT NULL
);
INSERT INTO symbols VALUES ('EURUSD', 5, '0.01', 1, 10000, 100000), ('EURJPY', 3, '0.01', 1, 10000, 100000);
INSERT INTO deals VALUES (1, 1, 'EURUSD', 25, 100002, 0, 7), (2, 1, 'EURUSD', -5, 100012, 50, 8);
INSERT INTO deals VALUES (3, 3, 'EURJPY', 5, 160000, 0, 9), (4, 3, 'EURJPY', -5, 160010, 50, 9);
INSERT INTO positions VALUES (1, 'EURUSD', 20, 2000040, 7);
PRAGMA application_id = 0x57535041;
PRAGMA user_version = 1;
"""


def version_1(folder: Path, *statements: str) -> Path:
    """An account of version 1, after these statements."""
    path = folder / "paper.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(";".join((VERSION_1, *statements)))
    return path


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("PRAGMA user_version").fetchone()[0]


def test_an_account_of_version_1_keeps_deals_and_positions_and_gets_a_balance(tmp_path):
    path = version_1(tmp_path)
    for terms in (AccountTerms(Decimal(500)), AccountTerms()):
        with closing(PaperAccount(path, terms)) as account:
            (position,) = account.positions()
            assert (position.ticket, position.volume, position.cost, position.time) == (1, 20, 2_000_040, 7)
            assert position.stops == Stops()
            assert account.margin_mode == ACCOUNT_MARGIN_MODE_RETAIL_NETTING
            assert account.realized(0, 10) == 1
            # The profit in yen cannot be converted afterwards.
            assert account.figures().balance == Decimal("500.50")
            assert account.unconverted() == ["EURJPY"]
    assert version(path) == VERSION
    with closing(PaperAccount(path)) as account:
        assert account.trade(EURUSD, 1, quote(100_000)).deal.ticket == 5


def test_an_account_of_version_1_with_deals_stays_a_netting_account(tmp_path):
    path = version_1(tmp_path)
    with pytest.raises(AccountError, match=r"is a netting account; its margin mode cannot change$"):
        PaperAccount(path, HEDGING)
    assert version(path) == 1


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE deals SET price = 0", "row 1 of the table deals has an invalid price: 0"),
        ("UPDATE positions SET volume = 24", "deals and position in EURUSD do not add up"),
        ("DROP TABLE positions", "the table positions of an account has the columns "),
        ("CREATE TABLE account (x)", "table account already exists"),
    ],
)
def test_a_damaged_account_of_version_1_is_rejected_and_stays_as_it_was(tmp_path, statement, problem):
    path = version_1(tmp_path, statement)
    with pytest.raises(AccountError, match=problem):
        PaperAccount(path)
    assert version(path) == 1
    with closing(sqlite3.connect(path)) as db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(deals)")]
    assert columns == ["ticket", "position", "symbol", "volume", "price", "profit", "time"]


@pytest.mark.parametrize("rows", [0, 2])
def test_an_account_without_exactly_one_row_of_terms_is_rejected(tmp_path, rows):
    path = tmp_path / "paper.db"
    PaperAccount(path).close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO account SELECT * FROM account" if rows else "DELETE FROM account")
    with pytest.raises(AccountError, match=f"the table account has {rows} rows instead of one$"):
        PaperAccount(path)


def test_a_killed_process_loses_no_answered_stops_and_no_balance(tmp_path):
    path = version_1(tmp_path)
    chance = random.Random(5)
    for number in range(3):
        with child("run", FOLLOWER, "--account", path, "--seed", 1) as process:
            lines = [f"stops 0.{5000 + 100 * number + step} 0\n" for step in range(100)]
            process.stdin.write("sell 0.01\n" + "".join(lines))
            process.stdin.flush()
            for _ in range(1 + int(chance.random() * 40)):
                answered = wait_for(process.stdout, "done: position 1 in EURUSD has stop loss 0.")
            process.kill()
            process.wait()
        with closing(PaperAccount(path)) as account:
            (position,) = account.positions()
            assert position.volume == 19 - number
            assert position.stops.sl >= int(answered.split("stop loss 0.")[1][:5])
            gained = account._db.execute("SELECT sum(profit) FROM deals WHERE symbol = 'EURUSD'").fetchone()[0]
            assert account.figures().balance == 10_000 + Decimal(gained) / 100


def test_run_creates_an_account_with_these_terms_and_rejects_others_later(tmp_path):
    path = tmp_path / "paper.db"
    terms = ("--balance", "2500.50", "--currency", "EUR", "--margin-mode", "hedging")
    done = demos("run", FOLLOWER, "--account", path, *terms, input="buy 0.1\nsell 0.1\nquit\n")
    assert done.returncode == 0, done.stderr
    with closing(PaperAccount(path)) as account:
        assert account.currency.name == "EUR"
        assert account.figures().balance == Decimal("2500.50")
        assert [position.volume for position in account.positions()] == [10, -10]
    done = demos("run", FOLLOWER, "--account", path, "--balance", 1)
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1].endswith(
        f"{path} began with 2500.50 EUR; balance and currency are those of a new account"
    )


@pytest.mark.parametrize("option", ["--balance=-1", "--balance=1e9", "--currency=usd", "--margin-mode=exchange"])
def test_run_rejects_terms_that_no_account_can_have(option):
    done = demos("run", FOLLOWER, option)
    assert done.returncode == 2
    assert f"argument {option.partition('=')[0]}: " in done.stderr.splitlines()[-1]


def test_run_names_the_symbols_whose_profits_are_not_in_the_balance(tmp_path):
    path = version_1(tmp_path)
    done = demos("run", FOLLOWER, "--account", path, input="quit\n")
    assert (
        "terminal alert account EURJPY: the account has deals whose profit could not be converted; the balance leaves "
        "it out" in done.stderr
    )
