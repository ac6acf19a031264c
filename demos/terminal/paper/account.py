"""A netting paper account in an SQLite file. A deal is on disk before its request is answered."""

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
from demos.terminal.paper.account_checks import SCHEMA, check_account
from demos.terminal.points import netted

VERSION = 1

# Seconds to wait for the file's lock: the system may need a moment to release the lock of a killed process.
_LOCK_TIMEOUT = 1.0

# "WSPA" in the file's header distinguishes an account from other databases.
_APPLICATION = 0x57535041

_UPSERT_SYMBOL = """
INSERT INTO symbols VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (symbol) DO UPDATE
SET volume_min = excluded.volume_min, volume_max = excluded.volume_max, contract_size = excluded.contract_size
"""


class PaperAccount:
    """Fills every order immediately at the quote, and has at most one position per symbol.

    It keeps an exclusive lock on the file until close() or the end of the process. The operating system releases the
    lock of a process that was killed.
    """

    margin_mode = ACCOUNT_MARGIN_MODE_RETAIL_NETTING

    def __init__(self, path: Path | None = None) -> None:
        """Open the account's file, or create it; without a path the account exists only in memory.

        Errors: AccountError when the file is not an account, has another version, is in use, has an invalid or
        inconsistent content, or cannot be written.
        """
        self._name = str(path) if path else "the account"
        self._deals: list[Deal] = []
        # No other process can change the file, so the positions stay valid until the next trade here.
        self._positions: tuple[Position, ...] | None = None
        self._realized: dict[tuple[int, int], Decimal] = {}
        end = time.monotonic() + _LOCK_TIMEOUT
        with self._account_errors():
            while True:
                self._db = sqlite3.connect(str(path) if path else ":memory:", timeout=0.0, isolation_level=None)
                try:
                    self._open()
                    return
                except BaseException as error:
                    self._db.close()
                    if "locked" not in str(error) or time.monotonic() >= end:
                        raise
                # Two processes that start at the same time may block each other. A random delay separates them;
                # SQLite's own retries have equal delays.
                time.sleep(random.uniform(0.01, 0.05))

    def close(self) -> None:
        """Close the file and release its lock."""
        self._db.close()

    def check(self, spec: SymbolSpec) -> None:
        """Errors: AccountError when the account has the symbol with different digits or another volume step."""
        with self._account_errors():
            known = self._specs().get(spec.name)
        if known and (known.digits, known.volume_step) != (spec.digits, spec.volume_step):
            raise AccountError(
                f"{self._name}: {spec.name} has {known.digits} digits and volume step {known.volume_step} there, "
                f"{spec.digits} digits and step {spec.volume_step} in this market"
            )

    def positions(self) -> Sequence[Position]:
        """See interfaces.Account."""
        if self._positions is None:
            with self._account_errors():
                specs = self._specs()
                rows = self._db.execute("SELECT ticket, symbol, volume, cost, time FROM positions ORDER BY ticket")
                self._positions = tuple(Position(ticket, specs[symbol], *rest) for ticket, symbol, *rest in rows)
        return self._positions

    def trade(self, spec: SymbolSpec, volume: int, quote: Tick, ticket: int = 0) -> TradeResult:
        """See interfaces.Account. The deal and its position are one transaction, which is on disk on return.

        Errors: AccountError when it cannot be written, or a number is too large; then the account is unchanged.
        """
        price = quote.ask if volume > 0 else quote.bid
        self.check(spec)
        with self._account_errors(), self._transaction():
            limits = (str(spec.volume_step), spec.volume_min, spec.volume_max, spec.contract_size)
            self._db.execute(_UPSERT_SYMBOL, (spec.name, spec.digits, *limits))
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
                # A position has the ticket of the deal that opened it.
                position = deal
                self._db.execute("UPDATE deals SET position = ticket WHERE ticket = ?", (deal,))
            if held:
                self._db.execute(
                    "INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?)", (position, spec.name, held, cost, opened)
                )
            else:
                self._db.execute("DELETE FROM positions WHERE ticket = ?", (position,))
        self._positions = None
        self._realized.clear()
        done = Deal(deal, position, spec, volume, price, held, profit, quote.time)
        self._deals.append(done)
        return TradeResult(TRADE_RETCODE_DONE, done)

    def blocked(self, symbol: str) -> str:
        """See interfaces.Account."""
        return ""

    def new_deals(self) -> Sequence[Deal]:
        """See interfaces.Account."""
        deals, self._deals = self._deals, []
        return deals

    def realized(self, begin: int, end: int) -> Decimal:
        """See interfaces.Account. The deals are read from the file, so those of earlier processes count too."""
        if (begin, end) not in self._realized:
            with self._account_errors():
                specs = self._specs()
                rows = self._db.execute("SELECT symbol, profit FROM deals WHERE time >= ? AND time < ?", (begin, end))
                total = sum((profit * specs[symbol].volume_step for symbol, profit in rows), Decimal(0))
            self._realized = {(begin, end): total}
        return self._realized[begin, end]

    def _open(self) -> None:
        db = self._db
        # This must precede the first access; then the lock that the access takes is kept.
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if application != _APPLICATION and not (empty and application == 0 and version == 0):
            raise AccountError(f"{self._name} is not an account")
        if version != VERSION and not (empty and version == 0):
            raise AccountError(
                f"{self._name} is an account of version {version}; this program supports version {VERSION}"
            )
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        with self._transaction():
            if empty:
                marks = (f"PRAGMA application_id = {_APPLICATION}", f"PRAGMA user_version = {VERSION}")
                for statement in (*SCHEMA.split(";"), *marks):
                    db.execute(statement)
        check_account(db, self._name)

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
    def _account_errors(self) -> Iterator[None]:
        """Turn SQLite's errors into AccountError with one line."""
        try:
            yield
        except OverflowError as error:
            raise AccountError(f"{self._name}: a number does not fit into 64 bits") from error
        except sqlite3.Error as error:
            text = str(error)
            if "not a database" in text:
                raise AccountError(f"{self._name} is not an account") from error
            if "locked" in text:
                raise AccountError(f"{self._name} is in use by another program") from error
            raise AccountError(f"{self._name}: {text}") from error
