"""How the copier changes a symbol's position to a target volume, on netting and on hedging accounts."""

from __future__ import annotations

from decimal import Decimal

from demos.copier.positions import SymbolPositions
from demos.copier.rules import Limits, Order, lots_text, orders, round_to_step
from demos.terminal import (
    ACCOUNT_MARGIN_MODE,
    ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
    SYMBOL_VOLUME_MAX,
    SYMBOL_VOLUME_MIN,
    SYMBOL_VOLUME_STEP,
    AccountInfoInteger,
    CTrade,
    Print,
    SymbolInfoDouble,
)


def SymbolLimits(smb: str) -> Limits | None:
    """The volumes that the symbol's orders can have; None when the terminal does not know the symbol."""
    properties = (SYMBOL_VOLUME_MIN, SYMBOL_VOLUME_MAX, SYMBOL_VOLUME_STEP)
    # The shortest decimal of a double is the number that the terminal means.
    limits = Limits(*(Decimal(repr(SymbolInfoDouble(smb, property_id))) for property_id in properties))
    return limits if limits.step > 0 else None


def TradeTo(smb: str, nlot: Decimal, dry: bool) -> bool:
    """Trade the difference between the target volume and the present position; False when an order must be retried.

    A target between two steps is rounded toward zero; a volume below the minimum is not traded. With ``dry`` the
    account is a virtual one, and the log shows each order.
    """
    limits = SymbolLimits(smb)
    if limits is None:
        Print(f"-cannot trade {smb} to {lots_text(nlot)} lots: the terminal has no symbol {smb}")
        return False
    positions = SymbolPositions(smb)
    clot = sum((volume for _, volume in positions), Decimal(0))
    wanted = round_to_step(nlot, limits)
    if wanted != nlot:
        why = f"less than the minimum {lots_text(limits.minimum)}" if wanted == 0 else "rounded toward zero"
        Print(f"{smb}: {lots_text(nlot)} lots become {lots_text(wanted)}, {why}")
    if wanted == clot:
        Print("nothing change")
        return True
    hedging = AccountInfoInteger(ACCOUNT_MARGIN_MODE) == ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
    try:
        plan = orders(wanted - clot, positions, hedging, limits)
    except ValueError as error:
        Print(f"-{smb}: not traded from {lots_text(clot)} to {lots_text(wanted)} lots: {error}")
        return True
    LogPlan(smb, abs(wanted - clot), plan, limits)
    for order in plan:
        Print("full close position" if wanted == 0 else "add Buy position" if order.lots > 0 else "add Sell position")
        if dry:
            Print(f"dry run: {OrderText(smb, order)}")
        if problem := Send(smb, order, hedging):
            Print(f"-cannot trade {smb} from {lots_text(clot)} to {lots_text(wanted)} lots: {problem}")
            return False
    return True


def LogPlan(smb: str, volume: Decimal, plan: list[Order], limits: Limits) -> None:
    """Log the volume that is not traded, and the number of orders when there are several."""
    traded = sum(abs(order.lots) for order in plan)
    if volume != traded:
        left = lots_text(volume - traded)
        Print(f"{smb}: {left} lots are less than the minimum {lots_text(limits.minimum)}: not traded")
    if len(plan) > 1:
        Print(f"{smb}: {lots_text(Decimal(traded))} lots in {len(plan)} orders")


def Send(smb: str, order: Order, hedging: bool) -> str:
    """Send one order; returns why it failed, or ""."""
    trade = CTrade()
    lots = float(abs(order.lots))
    if not order.ticket:
        done = trade.Buy(lots, smb) if order.lots > 0 else trade.Sell(lots, smb)
    elif hedging:
        done = trade.PositionClosePartial(order.ticket, lots)
    else:
        # A netting account does not close a position in part by its ticket.
        done = trade.PositionClose(order.ticket)
    return "" if done else trade.ResultRetcodeDescription()


def OrderText(smb: str, order: Order) -> str:
    """``buy 0.25 EURUSD``, and the position that the order closes."""
    closing = f", closing position {order.ticket}" if order.ticket else ""
    return f"{'buy' if order.lots > 0 else 'sell'} {lots_text(abs(order.lots))} {smb}{closing}"
