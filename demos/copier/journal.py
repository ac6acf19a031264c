"""The journal in the copier's memory: what was decided for each state, and the orders with their lag and slippage.

A decision is recorded for each symbol of a state. States with the same decision in a row share one record, so that
hours of quotes do not replace the history; the record has the last one's text. An order is recorded twice: before it is
sent, and with its answer. An order without an answer was sent by a process that was killed. The newest MOST_DECISIONS
and MOST_ORDERS records are kept.

The lag of an order has four parts, in milliseconds:

    change_ms    from the change of the provider's position until the provider sent the state
    network_ms   until the copier received it; with the next part's error at most the round trip of the login
    decision_ms  until the order was sent
    fill_ms      until the answer

The slippage is in the quote currency per unit: how much worse than the provider's average price the fill was. It is
only meaningful for an order that opens a position, so only that has one.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from demos.copier.memory_file import MemoryFile
from demos.copier.rules import lots_text
from demos.provider.fields import decimal_text

MOST_DECISIONS = 20_000
MOST_ORDERS = 20_000

# Old records are deleted after this number of new ones.
_BATCH = 200


class StateMark(NamedTuple):
    """A state of the provider; ``time`` is milliseconds since 1970 by the provider's clock."""

    stream: str
    seq: int
    time: int


class Entry(NamedTuple):
    """A decision for a symbol: the provider's lots, the copier's target and position, what was done, and by which rule.

    ``outcome`` is one word, such as traded, reduced or skipped.
    """

    symbol: str
    local: str
    lots: Decimal
    target: Decimal
    held: Decimal
    outcome: str
    rule: str
    text: str


class OrderSent(NamedTuple):
    """An order before its answer; ``time`` is seconds since 1970. Lots are negative for a sell."""

    symbol: str
    local: str
    state: StateMark
    time: int
    kind: str
    lots: Decimal
    ticket: int
    provider_price: Decimal | None
    change_ms: int | None
    network_ms: int | None
    decision_ms: int | None


class Answer(NamedTuple):
    """The answer to an order: a TRADE_RETCODE_*, the lots that were filled and their price."""

    fill_ms: int
    retcode: int
    filled: Decimal
    price: Decimal | None
    slippage: Decimal | None
    text: str


class Journal:
    """Writes the journal of a memory file. Errors of all methods: StateError."""

    def __init__(self, file: MemoryFile) -> None:
        self.file = file
        # The last record of each symbol, with what it says, and the numbers of new records.
        self._last: dict[str, tuple[int, str, Entry]] = {}
        self._new_decisions = self._new_orders = 0

    def decided(self, state: StateMark, entries: Iterable[Entry]) -> None:
        """Record the decisions for the symbols of a state."""
        with self.file.writing(durable=False) as db:
            for entry in entries:
                last = self._last.get(entry.symbol)
                said = entry._replace(text="")
                if last is not None and last[1:] == (state.stream, said):
                    db.execute(
                        "UPDATE decisions SET last_seq = ?, last_time = ?, states = states + 1, text = ? WHERE id = ?",
                        (state.seq, state.time, entry.text, last[0]),
                    )
                    continue
                lots, target, held = lots_text(entry.lots), lots_text(entry.target), lots_text(entry.held)
                values = (entry.symbol, entry.local, state.stream, state.seq, state.seq, state.time, state.time, 1)
                words = (lots, target, held, entry.outcome, entry.rule, entry.text)
                marks = ", ".join("?" * 14)
                row = db.execute(f"INSERT INTO decisions VALUES (NULL, {marks})", (*values, *words)).lastrowid
                self._last[entry.symbol] = (row or 0, state.stream, said)
                self._new_decisions += 1
        if self._new_decisions >= _BATCH:
            self._new_decisions = 0
            self._prune("decisions", MOST_DECISIONS)

    def sent(self, order: OrderSent) -> int:
        """Record an order that is sent next; returns its number."""
        price = _text(order.provider_price)
        begin = (order.symbol, order.local, order.state.stream, order.state.seq, order.time, order.kind)
        lags = (order.change_ms, order.network_ms, order.decision_ms)
        with self.file.writing(durable=False) as db:
            row = db.execute(
                "INSERT INTO orders (symbol, local, stream, seq, time, kind, lots, ticket, provider_price, change_ms, "
                "network_ms, decision_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*begin, lots_text(order.lots), order.ticket, price, *lags),
            ).lastrowid
        self._new_orders += 1
        if self._new_orders >= _BATCH:
            self._new_orders = 0
            self._prune("orders", MOST_ORDERS)
        return row or 0

    def answered(self, number: int, answer: Answer) -> None:
        """Record the answer to an order."""
        filled, price, slippage = lots_text(answer.filled), _text(answer.price), _text(answer.slippage)
        values = (answer.fill_ms, answer.retcode, filled, price, slippage, answer.text, number)
        with self.file.writing(durable=False) as db:
            db.execute(
                "UPDATE orders SET fill_ms = ?, retcode = ?, filled = ?, price = ?, slippage = ?, text = ? "
                "WHERE id = ?",
                values,
            )

    def unanswered(self) -> list[tuple[str, str]]:
        """The orders of an earlier process without an answer: local symbol and lots; marks them as unknown."""
        rows = self.file.rows("SELECT local, lots FROM orders WHERE retcode IS NULL ORDER BY id")
        if rows:
            with self.file.writing(durable=False) as db:
                db.execute(
                    "UPDATE orders SET retcode = 0, text = 'no answer: the copier was killed' WHERE retcode IS NULL"
                )
        return [(local, lots) for local, lots in rows]

    def _prune(self, table: str, most: int) -> None:
        with self.file.writing(durable=False) as db:
            db.execute(f"DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - ?", (most,))


def _text(number: Decimal | None) -> str | None:
    return None if number is None else decimal_text(number)


_PRICES = ("provider_price", "price", "slippage")
_DECISION_COLUMNS = (
    "symbol, local, stream, first_seq, last_seq, first_time, last_time, states, lots, target, held, outcome, rule, text"
)
_ORDER_COLUMNS = (
    "id, symbol, local, stream, seq, time, kind, lots, ticket, provider_price, change_ms, network_ms, decision_ms, "
    "fill_ms, retcode, filled, price, slippage, text"
)


def read_decisions(file: MemoryFile, symbol: str, most: int) -> list[dict[str, object]]:
    """The newest decisions for a symbol of the provider, or for a local one; the oldest of them first."""
    rows = file.rows(
        f"SELECT {_DECISION_COLUMNS} FROM decisions WHERE symbol = ? OR local = ? ORDER BY id DESC LIMIT ?",
        (symbol, symbol, most),
    )
    return [dict(zip(_DECISION_COLUMNS.split(", "), row, strict=True)) for row in reversed(rows)]


def read_orders(file: MemoryFile, symbol: str | None, most: int) -> list[dict[str, object]]:
    """The newest orders, of one symbol or of all; the oldest of them first."""
    rows = file.rows(
        f"SELECT {_ORDER_COLUMNS} FROM orders WHERE ? IS NULL OR symbol = ? OR local = ? ORDER BY id DESC LIMIT ?",
        (symbol, symbol, symbol, most),
    )
    orders: list[dict[str, object]] = []
    for row in reversed(rows):
        order = dict(zip(_ORDER_COLUMNS.split(", "), row, strict=True))
        # Older versions have stored prices with zeros at their end.
        prices = {name: decimal_text(Decimal(order[name])) for name in _PRICES if order[name] is not None}
        orders.append(order | prices)
    return orders
