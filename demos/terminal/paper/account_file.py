"""The SQLite file of a paper account: creating it, opening it under a lock, and migrating the files of older versions.

A migration is one transaction together with the checks of the file: a file that is rejected, or whose process is killed
meanwhile, stays as it was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from demos.terminal.interfaces import AccountError, Clock, Currency, SymbolSpec
from demos.terminal.money import MarketPrices
from demos.terminal.mql.constants import ACCOUNT_MARGIN_MODE_RETAIL_HEDGING, ACCOUNT_MARGIN_MODE_RETAIL_NETTING
from demos.terminal.paper.account_checks import MIGRATIONS, SCHEMAS, VERSION, check_columns, check_values
from demos.terminal.runtime.private_files import create_private
from demos.terminal.runtime.randomness import random_source

DEFAULT_BALANCE = Decimal(10_000)
DEFAULT_CURRENCY = "USD"

# Currencies whose amounts do not have two decimal places.
_WHOLE_CURRENCIES = ("CLP", "ISK", "JPY", "KRW", "PYG", "VND", "XAF", "XOF")

# Seconds to wait for the file's lock: the system may need a moment to release the lock of a killed process.
_LOCK_TIMEOUT = 1.0

# "WSPA" in the file's header distinguishes an account from other databases.
_APPLICATION = 0x57535041

# The margin modes of a paper account and their names.
MARGIN_MODES = {ACCOUNT_MARGIN_MODE_RETAIL_NETTING: "netting", ACCOUNT_MARGIN_MODE_RETAIL_HEDGING: "hedging"}


@dataclass(frozen=True)
class AccountTerms:
    """What an account begins with. None: as in the file; a new account is a netting one with 10,000 USD."""

    balance: Decimal | None = None
    currency: str | None = None
    margin_mode: int | None = None


class StoredTerms(NamedTuple):
    """What the file states about the account; ``initial`` is the first balance in the currency's smallest unit."""

    margin_mode: int
    currency: Currency
    initial: int


def open_account(
    path: Path | None, name: str, terms: AccountTerms, clock: Clock
) -> tuple[sqlite3.Connection, StoredTerms]:
    """Open the account's file and keep an exclusive lock on it, or create it; without a path it is in memory.

    Errors: AccountError when the file is not an account, has another version or other terms, is in use, has an invalid
    or inconsistent content, or cannot be written.
    """
    end = clock.monotonic() + _LOCK_TIMEOUT
    with account_errors(name):
        if path:
            # SQLite gives its files "-wal" and "-shm" the same mode.
            create_private(path)
        while True:
            db = sqlite3.connect(str(path) if path else ":memory:", timeout=0.0, isolation_level=None)
            try:
                return db, _prepare(db, name, terms)
            except BaseException as error:
                db.close()
                if "locked" not in str(error) or clock.monotonic() >= end:
                    raise
            # Two processes that start at the same time may block each other. A random delay separates them;
            # SQLite's own retries have equal delays.
            clock.wait(random_source().uniform(0.01, 0.05))


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Commit at the end, or undo everything after an error."""
    db.execute("BEGIN EXCLUSIVE")
    with db:
        yield


@contextmanager
def account_errors(name: str) -> Iterator[None]:
    """Turn SQLite's errors into AccountError with one line."""
    try:
        yield
    except OverflowError as error:
        raise AccountError(f"{name}: a number does not fit into 64 bits") from error
    except sqlite3.Error as error:
        text = str(error)
        if "not a database" in text:
            raise AccountError(f"{name} is not an account") from error
        if "locked" in text:
            raise AccountError(f"{name} is in use by another program") from error
        raise AccountError(f"{name}: {text}") from error


def read_specs(db: sqlite3.Connection) -> dict[str, SymbolSpec]:
    """The symbols that the account has traded."""
    rows = db.execute("SELECT symbol, digits, volume_step, volume_min, volume_max, contract_size FROM symbols")
    return {name: SymbolSpec(name, digits, Decimal(step), *rest) for name, digits, step, *rest in rows}


def _prepare(db: sqlite3.Connection, name: str, terms: AccountTerms) -> StoredTerms:
    # This must precede the first access; then the lock that the access takes is kept.
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    application = db.execute("PRAGMA application_id").fetchone()[0]
    version = db.execute("PRAGMA user_version").fetchone()[0]
    empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if application != _APPLICATION and not (empty and application == 0 and version == 0):
        raise AccountError(f"{name} is not an account")
    if version not in SCHEMAS and not (empty and version == 0):
        raise AccountError(f"{name} is an account of version {version}; this program supports version {VERSION}")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA foreign_keys = ON")
    with transaction(db):
        if empty:
            for statement in (*SCHEMAS[VERSION].split(";"), f"PRAGMA application_id = {_APPLICATION}"):
                db.execute(statement)
        else:
            check_columns(db, name, SCHEMAS[version])
            for statement in MIGRATIONS[version]:
                db.execute(statement)
        if version != VERSION:
            db.execute(f"PRAGMA user_version = {VERSION}")
            _store_terms(db, name, terms)
        check_values(db, name)
        stored = _stored_terms(db)
        if version == 1:
            _convert_profits(db, stored.currency)
        _check_terms(name, stored, terms)
    return stored


def _store_terms(db: sqlite3.Connection, name: str, terms: AccountTerms) -> None:
    currency = currency_of(terms.currency or DEFAULT_CURRENCY)
    balance = DEFAULT_BALANCE if terms.balance is None else terms.balance
    # An account of version 1 is a netting one; _check_terms rejects other terms.
    mode = ACCOUNT_MARGIN_MODE_RETAIL_NETTING
    if terms.margin_mode is not None and not db.execute("SELECT count(*) FROM deals").fetchone()[0]:
        mode = terms.margin_mode
    row = (mode, currency.name, currency.digits, _units(balance, currency, name))
    db.execute("INSERT INTO account VALUES (?, ?, ?, ?)", row)


def _stored_terms(db: sqlite3.Connection) -> StoredTerms:
    mode, currency, digits, initial = db.execute("SELECT * FROM account").fetchone()
    return StoredTerms(mode, Currency(currency, digits), initial)


def _check_terms(name: str, stored: StoredTerms, terms: AccountTerms) -> None:
    """Errors: AccountError when the file has other terms."""
    currency = stored.currency
    if terms.margin_mode not in (None, stored.margin_mode):
        raise AccountError(f"{name} is a {MARGIN_MODES[stored.margin_mode]} account; its margin mode cannot change")
    other_balance = terms.balance is not None and _units(terms.balance, currency, name) != stored.initial
    if other_balance or terms.currency not in (None, currency.name):
        began = Decimal(stored.initial).scaleb(-currency.digits)
        raise AccountError(
            f"{name} began with {began} {currency.name}; balance and currency are those of a new account"
        )


def _convert_profits(db: sqlite3.Connection, currency: Currency) -> None:
    """Give the deals of version 1 their profit in the account's currency, where that needs no conversion."""
    specs = read_specs(db)
    prices = MarketPrices()
    for ticket, symbol, profit in db.execute("SELECT ticket, symbol, profit FROM deals").fetchall():
        gain = prices.profit(profit, specs[symbol], currency)
        if gain is not None:
            db.execute("UPDATE deals SET gain = ? WHERE ticket = ?", (int(gain.scaleb(currency.digits)), ticket))


def currency_of(name: str) -> Currency:
    """A currency with the decimal places that its amounts usually have."""
    return Currency(name, 0 if name in _WHOLE_CURRENCIES else 2)


def _units(amount: Decimal, currency: Currency, name: str) -> int:
    """An amount in the currency's smallest unit.

    Errors: AccountError when it has more decimal places.
    """
    units = amount.scaleb(currency.digits)
    if units != units.to_integral_value():
        raise AccountError(f"{name}: the balance {amount} has more than {currency.digits} decimal places")
    return int(units)
