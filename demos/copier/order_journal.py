"""Records each order in the journal: before it is sent, and with its answer, lag and slippage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timezone
from decimal import Decimal
from typing import NamedTuple

from demos.copier.journal import Answer, Journal, OrderSent, StateMark
from demos.copier.positions import AllPositions
from demos.copier.rules import Order
from demos.copier.trading import Sent
from demos.terminal import GetTickCount64, TimeGMT


@dataclass(frozen=True)
class Arrival:
    """A state that has arrived: when, by our clock in milliseconds, and how long it was on the way, if known."""

    state: StateMark
    received: int
    network_ms: int | None


class Cause(NamedTuple):
    """What causes the next orders: the provider's symbol, the rule, the provider's price and its change's age."""

    symbol: str
    rule: str
    price: Decimal | None
    change_ms: int | None


class OrderJournal:
    """The OrderWatch of the account copier. ``executed`` and ``rejected`` are about the orders since begin().

    The answers are written by write_answers(), after what follows from them is stored: a kill in between leaves orders
    without an answer, and the next process then compares the account with the target.
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.arrival: Arrival | None = None
        self.executed = False
        # For each order that failed, whether it would have reduced the position.
        self.rejected: list[bool] = []
        self._cause = Cause("", "", None, None)
        self._sent = (0, 0)
        self._reduces = False
        self._answers: list[tuple[int, Answer]] = []

    def begin(self, cause: Cause) -> None:
        """The next orders have this cause."""
        self._cause = cause
        self.executed, self.rejected = False, []

    def sending(self, smb: str, order: Order) -> None:
        """See OrderWatch. Errors: StateError, then the order must not be sent."""
        now, arrival, cause = GetTickCount64(), self.arrival, self._cause
        self._reduces = AllPositions().get(smb, Decimal(0)) * order.lots < 0
        mark = arrival.state if arrival else StateMark("", 0, 0)
        row = OrderSent(
            cause.symbol,
            smb,
            mark,
            wall_ms() // 1000,
            cause.rule,
            order.lots,
            order.ticket,
            cause.price,
            cause.change_ms,
            arrival.network_ms if arrival else None,
            now - arrival.received if arrival else None,
        )
        number = self.journal.sent(row)
        self.journal.file.commit()
        self._sent = (number, GetTickCount64())

    def answered(self, smb: str, order: Order, sent: Sent) -> None:
        """See OrderWatch."""
        number, since = self._sent
        price = sent.price or None
        slippage = None
        if price is not None and self._cause.price is not None and not self._reduces:
            slippage = price - self._cause.price if order.lots > 0 else self._cause.price - price
        answer = Answer(GetTickCount64() - since, sent.retcode, sent.lots, price, slippage, sent.problem)
        self._answers.append((number, answer))
        if sent.problem:
            self.rejected.append(self._reduces)
        else:
            self.executed = True

    def write_answers(self) -> None:
        """Write the answers to the journal. Errors: StateError."""
        answers, self._answers = self._answers, []
        for number, answer in answers:
            self.journal.answered(number, answer)


def wall_ms() -> int:
    """The computer's time in milliseconds since 1970."""
    return int(TimeGMT().replace(tzinfo=timezone.utc).timestamp() * 1000)
