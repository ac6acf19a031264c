"""How the signal client brings a symbol's position to a volume, on a netting account and on a hedging one."""

from __future__ import annotations

from decimal import Decimal

from demos.copier.positions import SymbolPositions
from demos.copier.rules import Limits, Order, held, lots_text, orders
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
    """What volumes the symbol's orders can have; None where the terminal does not know the symbol."""
    properties = (SYMBOL_VOLUME_MIN, SYMBOL_VOLUME_MAX, SYMBOL_VOLUME_STEP)
    # The shortest decimal of a double is the one that the terminal means.
    limits = Limits(*(Decimal(repr(SymbolInfoDouble(smb, property_id))) for property_id in properties))
    return limits if limits.step > 0 else None


def BringSymbolLot(smb: str, nlot: Decimal, dry: bool) -> bool:
    """Trade the difference between a volume and ours; False when an order failed, so that it is to be tried again.

    A volume between two steps is rounded toward zero, and what is below the minimum is not traded. With ``dry``
    nothing is, and what would be is told.
    """
    limits = SymbolLimits(smb)
    if limits is None:
        Print(f"-{smb} cannot be brought to {lots_text(nlot)}: the terminal has no symbol {smb}")
        return False
    positions = SymbolPositions(smb)
    clot = sum((volume for _, volume in positions), Decimal(0))
    wanted = held(nlot, limits)
    if wanted != nlot:
        why = f"less than the minimum {lots_text(limits.minimum)}" if wanted == 0 else "rounded toward zero"
        Print(f"{smb}: {lots_text(nlot)} lots become {lots_text(wanted)}, {why}")
    dif = wanted - clot
    if dif == 0:
        Print("nothing change")
        return True
    hedging = AccountInfoInteger(ACCOUNT_MARGIN_MODE) == ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
    try:
        plan = orders(dif, positions, hedging, limits)
    except ValueError as error:
        Print(f"-{smb}: from {lots_text(clot)} to {lots_text(wanted)} {error}: not traded")
        return True
    left = abs(dif) - sum(abs(order.lots) for order in plan)
    if left:
        Print(f"{smb}: {lots_text(left)} lots are less than the minimum {lots_text(limits.minimum)}: not traded")
    if len(plan) > 1:
        Print(f"{smb}: {lots_text(abs(dif) - left)} lots in {len(plan)} orders")
    for order in plan:
        Print("full close position" if wanted == 0 else "add Buy position" if dif > 0 else "add Sell position")
        if dry:
            Print(f"dry run, not traded: {OrderText(smb, order)}")
            continue
        trade = CTrade()
        if not Send(trade, smb, order, hedging):
            goal = f"from {lots_text(clot)} to {lots_text(wanted)}"
            Print(f"-{smb} cannot be brought {goal}: {trade.ResultRetcodeDescription()}")
            return False
    return True


def Send(trade: CTrade, smb: str, order: Order, hedging: bool) -> bool:
    """Send one order."""
    lots = float(abs(order.lots))
    if order.ticket:
        # In part is for hedging accounts alone; on a netting one a position is closed whole by its ticket.
        return trade.PositionClosePartial(order.ticket, lots) if hedging else trade.PositionClose(order.ticket)
    return trade.Buy(lots, smb) if order.lots > 0 else trade.Sell(lots, smb)


def OrderText(smb: str, order: Order) -> str:
    """``buy 0.25 EURUSD``, and which position that closes."""
    closing = f", closing position {order.ticket}" if order.ticket else ""
    return f"{'buy' if order.lots > 0 else 'sell'} {lots_text(abs(order.lots))} {smb}{closing}"
