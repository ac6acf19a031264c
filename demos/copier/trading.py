"""How the copier changes a symbol's position to a target volume, on netting and on hedging accounts."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple, Protocol

from demos.copier.limits import Limits as CopyLimits
from demos.copier.limits import is_smaller
from demos.copier.positions import AllPositions, SymbolLots, SymbolPositions
from demos.copier.rules import Limits, Order, lots_text, orders, round_to_step
from demos.terminal import (
    ACCOUNT_MARGIN_MODE,
    ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
    SYMBOL_VOLUME_MAX,
    SYMBOL_VOLUME_MIN,
    SYMBOL_VOLUME_STEP,
    TRADE_RETCODE_CLOSE_ONLY,
    TRADE_RETCODE_DONE,
    TRADE_RETCODE_DONE_PARTIAL,
    TRADE_RETCODE_FIFO_CLOSE,
    TRADE_RETCODE_HEDGE_PROHIBITED,
    TRADE_RETCODE_INVALID_EXPIRATION,
    TRADE_RETCODE_INVALID_FILL,
    TRADE_RETCODE_INVALID_ORDER,
    TRADE_RETCODE_INVALID_STOPS,
    TRADE_RETCODE_LOCKED,
    TRADE_RETCODE_LONG_ONLY,
    TRADE_RETCODE_ONLY_REAL,
    TRADE_RETCODE_PLACED,
    TRADE_RETCODE_SHORT_ONLY,
    TRADE_RETCODE_TIMEOUT,
    TRADE_RETCODE_TRADE_DISABLED,
    AccountInfoInteger,
    CTrade,
    GetTickCount64,
    Print,
    SymbolInfoDouble,
)

# After these answers the same order is rejected again, until the broker, the trader or the server's position changes.
FINAL = (
    TRADE_RETCODE_INVALID_STOPS,
    TRADE_RETCODE_TRADE_DISABLED,
    TRADE_RETCODE_INVALID_EXPIRATION,
    TRADE_RETCODE_INVALID_FILL,
    TRADE_RETCODE_ONLY_REAL,
    TRADE_RETCODE_INVALID_ORDER,
    TRADE_RETCODE_LONG_ONLY,
    TRADE_RETCODE_SHORT_ONLY,
    TRADE_RETCODE_CLOSE_ONLY,
    TRADE_RETCODE_FIFO_CLOSE,
    TRADE_RETCODE_HEDGE_PROHIBITED,
)

# Of these, the answers that still allow a position to be closed.
CLOSING_ALLOWED = (TRADE_RETCODE_LONG_ONLY, TRADE_RETCODE_SHORT_ONLY, TRADE_RETCODE_CLOSE_ONLY)

# After these answers the order, or one before it, may still be executed.
UNDER_WAY = (TRADE_RETCODE_PLACED, TRADE_RETCODE_DONE_PARTIAL, TRADE_RETCODE_TIMEOUT, TRADE_RETCODE_LOCKED)


class Sent(NamedTuple):
    """The outcome of orders: why one failed, or "", the answer's TRADE_RETCODE_*, and whether all were executed.

    ``lots`` and ``price`` are those of the last deal; 0: none.
    """

    problem: str
    retcode: int
    executed: bool
    lots: Decimal = Decimal(0)
    price: Decimal = Decimal(0)


class OrderWatch(Protocol):
    """Is called before each order is sent, and with its answer."""

    def sending(self, smb: str, order: Order) -> None: ...
    def answered(self, smb: str, order: Order, sent: Sent) -> None: ...


class Sending(NamedTuple):
    """How orders are sent: ``dry`` logs each, ``bounds`` counts them, ``watch`` is called for each."""

    dry: bool
    bounds: CopyLimits
    watch: OrderWatch | None


class Result(NamedTuple):
    """What became of a target: the position when it was reached, as far as its volume can be traded, else None.

    ``problem`` is a reason that stays the same until something changes. ``retry`` is whether to try again without a new
    signal or connection. ``failed`` is whether an order failed, ``under_way`` whether one may still be executed.
    ``stop_symbol`` and ``stop_all`` are exceeded limits. ``waits``: a rule does not allow the target at present; it
    is tried again at the next event.
    """

    reached: Decimal | None = None
    problem: str = ""
    retry: bool = True
    failed: bool = False
    under_way: bool = False
    stop_symbol: str = ""
    stop_all: str = ""
    waits: bool = False


def SymbolLimits(smb: str) -> Limits | None:
    """The volumes that the symbol's orders can have; None when the terminal does not know the symbol."""
    properties = (SYMBOL_VOLUME_MIN, SYMBOL_VOLUME_MAX, SYMBOL_VOLUME_STEP)
    # The shortest decimal of a double is the number that the terminal means.
    limits = Limits(*(Decimal(repr(SymbolInfoDouble(smb, property_id))) for property_id in properties))
    return limits if limits.step > 0 else None


def TradeTo(smb: str, nlot: Decimal, dry: bool, bounds: CopyLimits, watch: OrderWatch | None = None) -> Result:
    """Trade the difference between the target volume and the present position.

    A target between two steps is rounded toward zero; a volume below the minimum is not traded. With ``dry`` the
    account is a virtual one, and the log shows each order.
    """
    ways = Sending(dry, bounds, watch)
    limits = SymbolLimits(smb)
    if limits is None:
        return Result(problem=f"-cannot trade {smb} to {lots_text(nlot)} lots: the terminal has no symbol {smb}")
    positions = SymbolPositions(smb)
    clot = sum((volume for _, volume in positions), Decimal(0))
    wanted = RoundTo(smb, nlot, limits)
    if wanted == clot:
        Print("nothing change")
        return Result(reached=wanted)
    if exceeded := bounds.lots_problem(smb, wanted, AllPositions()):
        return Result(stop_symbol=exceeded)
    try:
        plan = orders(wanted - clot, positions, IsHedging(), limits)
    except ValueError as error:
        return Result(problem=f"-{smb}: not traded from {lots_text(clot)} to {lots_text(wanted)} lots: {error}")
    if not is_smaller(wanted, clot) and (blocked := OrdersProblem(smb, len(plan), bounds)):
        return blocked
    sent = SendAll(smb, plan, wanted == 0, ways)
    if sent.problem:
        problem = f"-cannot trade {smb} from {lots_text(clot)} to {lots_text(wanted)} lots: {sent.problem}"
        if sent.retcode in FINAL:
            if sent.retcode in CLOSING_ALLOWED:
                problem += CloseOpposite(smb, wanted, limits, ways)
            problem += "; not repeated before a new signal or connection"
            return Result(problem=problem, retry=False, failed=True)
        Print(problem)
        return Result(failed=True, under_way=sent.retcode in UNDER_WAY)
    return Outcome(smb, wanted, limits) if sent.executed else Result(retry=False, under_way=True)


def OrdersProblem(smb: str, count: int, bounds: CopyLimits) -> Result | None:
    """Why this number of orders must not be sent now, or None."""
    if exceeded := bounds.orders_problem(count, GetTickCount64()):
        return Result(stop_all=exceeded)
    if full := bounds.minute_problem(count):
        return Result(problem=f"{smb}: {full}")
    return None


def Outcome(smb: str, wanted: Decimal, limits: Limits) -> Result:
    """Compare the position after all orders with the wanted one."""
    present = SymbolLots(smb)
    if present == wanted:
        return Result(reached=wanted)
    left = abs(wanted - present)
    if left < limits.minimum:
        small = f"{smb}: {lots_text(left)} lots are less than the minimum {lots_text(limits.minimum)}: not traded"
        return Result(problem=small)
    problem = f"-{smb}: the position is {lots_text(present)} instead of {lots_text(wanted)} lots"
    return Result(problem=problem, under_way=True)


def CloseOpposite(smb: str, wanted: Decimal, limits: Limits, ways: Sending) -> str:
    """Close a position on the other side than the target, which cannot be reached; what to add to the reason."""
    positions = SymbolPositions(smb)
    clot = sum((volume for _, volume in positions), Decimal(0))
    if clot * wanted >= 0:
        return ""
    sent = SendAll(smb, orders(-clot, positions, IsHedging(), limits), True, ways)
    return f"; {sent.problem or f'the opposite position of {lots_text(clot)} lots is closed instead'}"


def SendAll(smb: str, plan: list[Order], closing: bool, ways: Sending) -> Sent:
    """Send the orders one after another, up to the first that fails. ``dry`` logs each."""
    if len(plan) > 1:
        Print(f"{smb}: {lots_text(Decimal(sum(abs(order.lots) for order in plan)))} lots in {len(plan)} orders")
    executed = True
    for order in plan:
        Print("full close position" if closing else "add Buy position" if order.lots > 0 else "add Sell position")
        if ways.dry:
            Print(f"dry run, not traded: {OrderText(smb, order)}")
        if ways.watch is not None:
            ways.watch.sending(smb, order)
        sent = Send(smb, order)
        if ways.watch is not None:
            ways.watch.answered(smb, order, sent)
        ways.bounds.count_order(GetTickCount64(), failed=bool(sent.problem))
        if sent.problem:
            return sent
        executed = executed and sent.executed
    return Sent("", TRADE_RETCODE_DONE, executed)


def RoundTo(smb: str, nlot: Decimal, limits: Limits) -> Decimal:
    """The volume that is traded for a target; logs the difference."""
    wanted = round_to_step(nlot, limits)
    if wanted != nlot:
        why = f"less than the minimum {lots_text(limits.minimum)}" if wanted == 0 else "rounded toward zero"
        Print(f"{smb}: {lots_text(nlot)} lots become {lots_text(wanted)}, {why}")
    return wanted


def IsHedging() -> bool:
    """Whether the account keeps several positions in one symbol."""
    return AccountInfoInteger(ACCOUNT_MARGIN_MODE) == ACCOUNT_MARGIN_MODE_RETAIL_HEDGING


def Send(smb: str, order: Order) -> Sent:
    """Send one order. A terminal may only check it: then it has not failed, and is not executed."""
    trade = CTrade()
    lots = float(abs(order.lots))
    if not order.ticket:
        done = trade.Buy(lots, smb) if order.lots > 0 else trade.Sell(lots, smb)
    elif IsHedging():
        done = trade.PositionClosePartial(order.ticket, lots)
    else:
        # A netting account does not close a position in part by its ticket.
        done = trade.PositionClose(order.ticket)
    problem = "" if done else trade.ResultRetcodeDescription()
    filled, price = (Decimal(repr(value)) for value in (trade.ResultVolume(), trade.ResultPrice()))
    return Sent(problem, trade.ResultRetcode(), done and trade.ResultDeal() != 0, filled, price)


def OrderText(smb: str, order: Order) -> str:
    """``buy 0.25 EURUSD``, and the position that the order closes."""
    closing = f", closing position {order.ticket}" if order.ticket else ""
    return f"{'buy' if order.lots > 0 else 'sell'} {lots_text(abs(order.lots))} {smb}{closing}"
