"""The tables of an account file, and the check of a file that may be damaged or edited.

SQLite keeps any type in any column. So each column of each row is checked once, when the file is opened: after that
the account computes with its numbers without further checks. No other process can change the file meanwhile.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal, InvalidOperation

from demos.terminal.interfaces import AccountError
from demos.terminal.mql.constants import ACCOUNT_MARGIN_MODE_RETAIL_NETTING
from demos.terminal.runtime.log import escaped

VERSION = 2

_SYMBOLS = """
CREATE TABLE symbols (
    symbol TEXT PRIMARY KEY, digits INTEGER NOT NULL, volume_step TEXT NOT NULL,
    volume_min INTEGER NOT NULL, volume_max INTEGER NOT NULL, contract_size INTEGER NOT NULL
);
"""
_DEALS = """
CREATE TABLE deals (
    ticket INTEGER PRIMARY KEY AUTOINCREMENT, position INTEGER NOT NULL, symbol TEXT NOT NULL REFERENCES symbols,
    volume INTEGER NOT NULL CHECK (volume <> 0), price INTEGER NOT NULL, profit INTEGER NOT NULL, time INTEGER NOT NULL
);
"""
_POSITIONS = """
CREATE TABLE positions (
    ticket INTEGER PRIMARY KEY, symbol TEXT NOT NULL REFERENCES symbols,
    volume INTEGER NOT NULL CHECK (volume <> 0), cost INTEGER NOT NULL, time INTEGER NOT NULL
);
"""

# The table account has one row; ``initial`` is the first balance in the currency's smallest unit. ``gain`` is a deal's
# profit in that unit, NULL when it could not be converted; ``sl`` and ``tp`` are prices in points, 0 for none.
_ACCOUNT = (
    "CREATE TABLE account (margin_mode INTEGER NOT NULL, currency TEXT NOT NULL, currency_digits INTEGER NOT NULL, "
    "initial INTEGER NOT NULL)"
)
_GAIN = "ALTER TABLE deals ADD COLUMN gain INTEGER"
_STOPS = tuple(f"ALTER TABLE positions ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0" for name in ("sl", "tp"))

# The statements that make a file of each version one of the present version.
MIGRATIONS: dict[int, tuple[str, ...]] = {1: (_ACCOUNT, _GAIN, *_STOPS), 2: ()}

# A position is identified by its ticket, not by its symbol, so that the schema also fits a hedging account.
_VERSION_1 = f"{_SYMBOLS}{_DEALS}{_POSITIONS}"
SCHEMAS = {1: _VERSION_1, VERSION: _VERSION_1 + ";".join(MIGRATIONS[1])}

_MOST_DIGITS = 15
_LONGEST_STEP = 40

# The largest number of steps in a volume limit; and the milliseconds of the years 1 to 9999.
_MOST_STEPS = 10**18
_TIMES = "-62135596800000 AND 253402300799999"

_KNOWN_SYMBOL = "typeof(symbol) = 'text' AND symbol IN (SELECT symbol FROM symbols)"
_VOLUME = "typeof(volume) = 'integer' AND volume <> 0"
_TIME = f"typeof(time) = 'integer' AND time BETWEEN {_TIMES}"

_STOP = "typeof({0}) = 'integer' AND {0} >= 0"

# What each column of each row must be.
_VALID = {
    "account": {
        "margin_mode": "typeof(margin_mode) = 'integer' AND margin_mode IN (0, 2)",
        "currency": "typeof(currency) = 'text' AND length(currency) BETWEEN 1 AND 16",
        "currency_digits": "typeof(currency_digits) = 'integer' AND currency_digits BETWEEN 0 AND 8",
        "initial": f"typeof(initial) = 'integer' AND initial BETWEEN 0 AND {_MOST_STEPS}",
    },
    "symbols": {
        "symbol": "typeof(symbol) = 'text' AND symbol <> ''",
        "digits": f"typeof(digits) = 'integer' AND digits BETWEEN 0 AND {_MOST_DIGITS}",
        "volume_step": f"typeof(volume_step) = 'text' AND length(volume_step) <= {_LONGEST_STEP}",
        "volume_min": f"typeof(volume_min) = 'integer' AND volume_min BETWEEN 1 AND {_MOST_STEPS}",
        "volume_max": f"typeof(volume_max) = 'integer' AND volume_max BETWEEN volume_min AND {_MOST_STEPS}",
        "contract_size": f"typeof(contract_size) = 'integer' AND contract_size BETWEEN 0 AND {_MOST_STEPS}",
    },
    "deals": {
        "position": "typeof(position) = 'integer'",
        "symbol": _KNOWN_SYMBOL,
        "volume": _VOLUME,
        "price": "typeof(price) = 'integer' AND price > 0",
        "profit": "typeof(profit) = 'integer'",
        "time": _TIME,
        "gain": "gain IS NULL OR typeof(gain) = 'integer'",
    },
    "positions": {
        "symbol": _KNOWN_SYMBOL,
        "volume": _VOLUME,
        "cost": "typeof(cost) = 'integer' AND cost <> 0 AND (cost > 0) = (volume > 0)",
        "time": _TIME,
        "sl": _STOP.format("sl"),
        "tp": _STOP.format("tp"),
    },
}

_SEVERAL_POSITIONS = "SELECT symbol FROM positions GROUP BY symbol HAVING count(*) > 1"

_UNBALANCED = """
SELECT symbol FROM (
    SELECT position, symbol, volume FROM deals UNION ALL SELECT ticket, symbol, -volume FROM positions
) GROUP BY position, symbol HAVING sum(volume) <> 0
"""


def check_columns(db: sqlite3.Connection, name: str, schema: str) -> None:
    """Check the columns of each table.

    Errors: AccountError with the ``name`` of the file and the table; sqlite3.Error.
    """
    with closing(sqlite3.connect(":memory:")) as empty:
        empty.executescript(schema)
        for (table,) in empty.execute("SELECT name FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid").fetchall():
            expected, found = _columns(empty, table), _columns(db, table)
            if table in _VALID and found != expected:
                raise AccountError(
                    f"{name}: the table {table} of an account has the columns {', '.join(expected)}; "
                    f"found {', '.join(found) or 'no such table'}"
                )


def check_values(db: sqlite3.Connection, name: str) -> None:
    """Check each value, and that the deals of each position add up to it.

    Errors: AccountError with the ``name`` of the file, and with the table, the row and the value; sqlite3.Error.
    """
    for table, columns in _VALID.items():
        # One pass over each table. The result of a comparison with NULL is NULL.
        cases = " ".join(f"WHEN NOT coalesce({valid}, FALSE) THEN '{column}'" for column, valid in columns.items())
        query = f"SELECT rowid, CASE {cases} END AS invalid FROM {table} WHERE invalid IS NOT NULL LIMIT 1"
        for row, column in db.execute(query).fetchall():
            [value] = db.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (row,)).fetchone()
            raise _invalid(name, table, row, column, value)
    for row, step in db.execute("SELECT rowid, volume_step FROM symbols").fetchall():
        if not _is_step(step):
            raise _invalid(name, "symbols", row, "volume_step", step)
    modes = [mode for (mode,) in db.execute("SELECT margin_mode FROM account")]
    if len(modes) != 1:
        raise AccountError(f"{name}: the table account has {len(modes)} rows instead of one")
    if modes[0] == ACCOUNT_MARGIN_MODE_RETAIL_NETTING and (several := db.execute(_SEVERAL_POSITIONS).fetchone()):
        raise AccountError(f"{name}: there is more than one position in {several[0]}")
    if unbalanced := db.execute(_UNBALANCED).fetchone():
        raise AccountError(f"{name}: deals and position in {unbalanced[0]} do not add up")


def _columns(db: sqlite3.Connection, table: str) -> list[str]:
    """Name and type of each column."""
    rows = db.execute(f"PRAGMA table_info({table})")
    return [f"{name} {kind}{' PRIMARY KEY' if key else ''}" for _, name, kind, _, _, key in rows]


def _invalid(name: str, table: str, row: int, column: str, value: object) -> AccountError:
    shown = escaped(repr(value)[:60])
    return AccountError(f"{name}: row {row} of the table {table} has an invalid {column}: {shown}")


def _is_step(text: str) -> bool:
    """Whether this is a volume step in lots that volumes can be computed with."""
    try:
        step = Decimal(text)
    except InvalidOperation:
        return False
    exponent = step.as_tuple().exponent
    # The exponent comes first: a comparison of numbers with very different exponents takes long.
    return isinstance(exponent, int) and -_MOST_DIGITS <= exponent <= _MOST_DIGITS and step > 0
