"""A netting paper account in SQLite: what was dealt survives the process that dealt it."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from demos.terminal.interfaces import AccountError, Deal, Position, SymbolSpec, Tick, TradeResult
from demos.terminal.mql.constants import ACCOUNT_MARGIN_MODE_RETAIL_NETTING, TRADE_RETCODE_DONE

VERSION = 1

# Seconds: the system may take a moment to give back the lock of a process that was killed.
_PATIENCE = 1.0

# "WSPA" in the file's header tells an account from any other database.
_APPLICATION = 0x57535041

# A position is known by its ticket alone, never by its symbol, so that a hedging account needs no other schema.
_SCHEMA = f"""
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
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {VERSION};
"""

_KEEP_SYMBOL = """
INSERT INTO symbols VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (symbol) DO UPDATE
SET volume_min = excluded.volume_min, volume_max = excluded.volume_max, contract_size = excluded.contract_size
"""

_UNBALANCED = """
SELECT symbol FROM (
    SELECT position, symbol, volume FROM deals UNION ALL SELECT ticket, symbol, -volume FROM positions
) GROUP BY position, symbol HAVING sum(volume) <> 0
"""


def netted(volume: int, cost: int, traded: int, price: int) -> tuple[int, int, int]:
    """Volume, cost and realised profit after trading on a netted position; all signed, in steps and point-steps.

    What is closed takes its share of the cost along, rounded to a whole point-step; the rest stays with the
    position, so that profits and costs always add up to what was paid.
    """
    if volume * traded >= 0:
        return volume + traded, cost + price * traded, 0
    closed = max(-traded, volume) if volume < 0 else min(-traded, volume)
    share = round_half_even(cost * closed, volume)
    profit = price * closed - share
    left = volume + traded
    if volume * left >= 0:
        return left, cost - share, profit
    return left, price * left, profit


def round_half_even(numerator: int, denominator: int) -> int:
    """The whole number nearest to a quotient, the even one of two that are equally near."""
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    quotient, rest = divmod(numerator, denominator)
    return quotient + (2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1))


class PaperAccount:
    """Fills every order at once at the quote, and keeps one position a symbol.

    The database's exclusive lock is held until close() or the end of the process, however that comes about: the
    operating system gives it back, on Windows as well.
    """

    margin_mode = ACCOUNT_MARGIN_MODE_RETAIL_NETTING

    def __init__(self, path: Path | None = None) -> None:
        """Open the account in a file, made when it does not exist; without a path the account lives in memory.

        Errors: AccountError when the file is no account, of a newer version, in use, out of balance or unwritable.
        """
        self._name = str(path) if path else "the account"
        self._deals: list[Deal] = []
        # Nobody else can change the file, so what was read stays true until our own next trade.
        self._positions: tuple[Position, ...] | None = None
        end = time.monotonic() + _PATIENCE
        with self._one_clear_line():
            while True:
                self._db = sqlite3.connect(str(path) if path else ":memory:", timeout=0.0, isolation_level=None)
                try:
                    self._open()
                    return
                except BaseException as error:
                    self._db.close()
                    if "locked" not in str(error) or time.monotonic() >= end:
                        raise
                # Of two processes that start together each may stand in the other's way; SQLite's own retries, in
                # equal steps, would keep them in step.
                time.sleep(random.uniform(0.01, 0.05))

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    def check(self, spec: SymbolSpec) -> None:
        """Errors: AccountError when the account knows the symbol with other digits or another volume step."""
        with self._one_clear_line():
            known = self._specs().get(spec.name)
        if known and (known.digits, known.volume_step) != (spec.digits, spec.volume_step):
            raise AccountError(
                f"{self._name}: {spec.name} has {known.digits} digits and volume step {known.volume_step} there, "
                f"{spec.digits} digits and step {spec.volume_step} in this market"
            )

    def positions(self) -> Sequence[Position]:
        """See interfaces.Account."""
        if self._positions is None:
            with self._one_clear_line():
                specs = self._specs()
                rows = self._db.execute("SELECT ticket, symbol, volume, cost, time FROM positions ORDER BY ticket")
                self._positions = tuple(Position(ticket, specs[symbol], *rest) for ticket, symbol, *rest in rows)
        return self._positions

    def trade(self, spec: SymbolSpec, volume: int, quote: Tick, ticket: int = 0) -> TradeResult:
        """See interfaces.Account. The deal and its position are one transaction, on disk before this returns.

        Errors: AccountError when it cannot be written, or its numbers are too large; nothing is changed then.
        """
        price = quote.ask if volume > 0 else quote.bid
        self.check(spec)
        with self._one_clear_line(), self._transaction():
            limits = (str(spec.volume_step), spec.volume_min, spec.volume_max, spec.contract_size)
            self._db.execute(_KEEP_SYMBOL, (spec.name, spec.digits, *limits))
            old = self._db.execute(
                "SELECT ticket, volume, cost, time FROM positions WHERE symbol = ?", (spec.name,)
            ).fetchone()
            position, held, cost, opened = old or (0, 0, 0, quote.time)
            held, cost, profit = netted(held, cost, volume, price)
            deal = self._db.execute(
                "INSERT INTO deals (position, symbol, volume, price, profit, time) VALUES (?, ?, ?, ?, ?, ?)",
                (position, spec.name, volume, price, profit, quote.time),
            ).lastrowid
            assert deal is not None
            if not position:
                # A position bears the ticket of the deal that opened it.
                position = deal
                self._db.execute("UPDATE deals SET position = ticket WHERE ticket = ?", (deal,))
            if held:
                self._db.execute(
                    "INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?)", (position, spec.name, held, cost, opened)
                )
            else:
                self._db.execute("DELETE FROM positions WHERE ticket = ?", (position,))
        self._positions = None
        done = Deal(deal, position, spec, volume, price, held, profit, quote.time)
        self._deals.append(done)
        return TradeResult(TRADE_RETCODE_DONE, done)

    def new_deals(self) -> Sequence[Deal]:
        """See interfaces.Account."""
        deals, self._deals = self._deals, []
        return deals

    def _open(self) -> None:
        db = self._db
        # Before the first access: then the lock that this access takes is kept.
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if application != _APPLICATION and not (empty and application == 0 and version == 0):
            raise AccountError(f"{self._name} is not an account")
        if version > VERSION:
            raise AccountError(f"{self._name} is an account of version {version}; this program knows {VERSION}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        with self._transaction():
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
        unbalanced = db.execute(_UNBALANCED).fetchone()
        if unbalanced:
            raise AccountError(f"{self._name}: deals and position in {unbalanced[0]} do not add up")

    def _specs(self) -> dict[str, SymbolSpec]:
        rows = self._db.execute(
            "SELECT symbol, digits, volume_step, volume_min, volume_max, contract_size FROM symbols"
        )
        return {name: SymbolSpec(name, digits, Decimal(step), *rest) for name, digits, step, *rest in rows}

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN EXCLUSIVE")
        with self._db:
            yield

    @contextmanager
    def _one_clear_line(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except OverflowError as error:
            raise AccountError(f"{self._name}: a number is beyond the 64 bits that it has there") from error
        except sqlite3.Error as error:
            text = str(error)
            if "not a database" in text:
                raise AccountError(f"{self._name} is not an account") from error
            if "locked" in text:
                raise AccountError(f"{self._name} is in use by another program") from error
            raise AccountError(f"{self._name}: {text}") from error
