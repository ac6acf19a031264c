"""How the copier changes a symbol's position to a target volume, on netting and on hedging accounts."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from demos.copier.limits import Limits as CopyLimits
from demos.copier.limits import is_smaller
from demos.copier.positions import AllPositions, SymbolPositions
from demos.copier.rules import Limits, Order, lots_text, orders, round_to_step
from demos.terminal import (
    ACCOUNT_MARGIN_MODE,
    ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
    SYMBOL_VOLUME_MAX,
    SYMBOL_VOLUME_MIN,
    SYMBOL_VOLUME_STEP,
    AccountInfoInteger,
    CTrade,
    GetTickCount64,
    Print,
    SymbolInfoDouble,
)


class Result(NamedTuple):
    """What became of a target: the position when it was reached, as far as its volume can be traded, else None.

    ``problem`` is a reason that stays the same until something changes. ``retry`` is whether to try again.
    ``stop_symbol`` and ``stop_all`` are exceeded limits.
    """

    reached: Decimal | None = None
    problem: str = ""
    retry: bool = True
    stop_symbol: str = ""
    stop_all: str = ""


def SymbolLimits(smb: str) -> Limits | None:
    """The volumes that the symbol's orders can have; None when the terminal does not know the symbol."""
    properties = (SYMBOL_VOLUME_MIN, SYMBOL_VOLUME_MAX, SYMBOL_VOLUME_STEP)
    # The shortest decimal of a double is the number that the terminal means.
    limits = Limits(*(Decimal(repr(SymbolInfoDouble(smb, property_id))) for property_id in properties))
    return limits if limits.step > 0 else None


def TradeTo(smb: str, nlot: Decimal, dry: bool, bounds: CopyLimits) -> Result:
    """Trade the difference between the target volume and the present position.

    A target between two steps is rounded toward zero; a volume below the minimum is not traded. With ``dry`` the
    account is a virtual one, and the log shows each order.
    """
    limits = SymbolLimits(smb)
    if limits is None:
        return Result(problem=f"-cannot trade {smb} to {lots_text(nlot)} lots: the terminal has no symbol {smb}")
    positions = SymbolPositions(smb)
    clot = sum((volume for _, volume in positions), Decimal(0))
    wanted = RoundTo(smb, nlot, limits)
    # What was not traded in the account itself is not reached.
    done = Result(retry=False) if dry else Result(reached=wanted)
    if wanted == clot:
        Print("nothing change")
        return done
    if exceeded := bounds.lots_problem(smb, wanted, AllPositions()):
        return Result(stop_symbol=exceeded)
    try:
        plan = orders(wanted - clot, positions, IsHedging(), limits)
    except ValueError as error:
        return Result(problem=f"-{smb}: not traded from {lots_text(clot)} to {lots_text(wanted)} lots: {error}")
    exceeded = bounds.orders_problem(len(plan), GetTickCount64())
    if exceeded and not is_smaller(wanted, clot):
        return Result(stop_all=exceeded)
    problem, traded = SendAll(smb, plan, wanted == 0, dry, bounds)
    if problem:
        Print(f"-cannot trade {smb} from {lots_text(clot)} to {lots_text(wanted)} lots: {problem}")
        return Result()
    if not traded:
        return Result(retry=False)
    present = AllPositions().get(smb, Decimal(0))
    if present == wanted:
        return done
    left = abs(wanted - present)
    if left < limits.minimum:
        small = f"{smb}: {lots_text(left)} lots are less than the minimum {lots_text(limits.minimum)}: not traded"
        return Result(problem=small)
    return Result(problem=f"-{smb}: the position is {lots_text(present)} instead of {lots_text(wanted)} lots")


def SendAll(smb: str, plan: list[Order], closing: bool, dry: bool, bounds: CopyLimits) -> tuple[str, bool]:
    """Send the orders one after another; why one failed, or "", and whether all were executed. ``dry`` logs each."""
    if len(plan) > 1:
        Print(f"{smb}: {lots_text(Decimal(sum(abs(order.lots) for order in plan)))} lots in {len(plan)} orders")
    traded = True
    for order in plan:
        Print("full close position" if closing else "add Buy position" if order.lots > 0 else "add Sell position")
        if dry:
            Print(f"dry run, not traded: {OrderText(smb, order)}")
        problem, executed = Send(smb, order)
        if problem:
            return problem, False
        bounds.count_order(GetTickCount64())
        traded = traded and executed
    return "", traded


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


def Send(smb: str, order: Order) -> tuple[str, bool]:
    """Send one order; why it failed, or "", and whether it was executed: a terminal may only check it."""
    trade = CTrade()
    lots = float(abs(order.lots))
    if not order.ticket:
        done = trade.Buy(lots, smb) if order.lots > 0 else trade.Sell(lots, smb)
    elif IsHedging():
        done = trade.PositionClosePartial(order.ticket, lots)
    else:
        # A netting account does not close a position in part by its ticket.
        done = trade.PositionClose(order.ticket)
    return ("", trade.ResultDeal() != 0) if done else (trade.ResultRetcodeDescription(), False)


def OrderText(smb: str, order: Order) -> str:
    """``buy 0.25 EURUSD``, and the position that the order closes."""
    closing = f", closing position {order.ticket}" if order.ticket else ""
    return f"{'buy' if order.lots > 0 else 'sell'} {lots_text(abs(order.lots))} {smb}{closing}"
