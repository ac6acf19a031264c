"""The positions of a symbol, as the provider and the copier read them from the account."""

from __future__ import annotations

from decimal import Decimal

from demos.terminal import (
    POSITION_SYMBOL,
    POSITION_TYPE,
    POSITION_TYPE_SELL,
    POSITION_VOLUME,
    NormalizeDouble,
    PositionGetDouble,
    PositionGetInteger,
    PositionGetString,
    PositionGetTicket,
    PositionsTotal,
)


def GetSymbolLot(smb: str) -> float:
    """The signed sum of the symbol's positions, in lots of two digits."""
    slot = 0.0
    for i in range(PositionsTotal()):
        # A position that was closed meanwhile is not selected; the one before would count twice.
        if not PositionGetTicket(i) or PositionGetString(POSITION_SYMBOL) != smb:
            continue
        lot = PositionGetDouble(POSITION_VOLUME)
        slot += -lot if PositionGetInteger(POSITION_TYPE) == POSITION_TYPE_SELL else lot
    return NormalizeDouble(slot, 2)


def SymbolPositions(smb: str) -> list[tuple[int, Decimal]]:
    """The positions in a symbol: tickets and exact signed volumes in lots."""
    found = []
    for i in range(PositionsTotal()):
        ticket = PositionGetTicket(i)
        if ticket and PositionGetString(POSITION_SYMBOL) == smb:
            # The shortest decimal of a double is the number that the terminal means.
            lots = Decimal(repr(PositionGetDouble(POSITION_VOLUME)))
            found.append((ticket, -lots if PositionGetInteger(POSITION_TYPE) == POSITION_TYPE_SELL else lots))
    return found


def SymbolLots(smb: str) -> Decimal:
    """The exact signed volume in lots of a symbol's positions."""
    return sum((lots for _, lots in SymbolPositions(smb)), Decimal(0))


def AllPositions() -> dict[str, Decimal]:
    """The exact signed volume in lots of each symbol that has positions."""
    found: dict[str, Decimal] = {}
    for i in range(PositionsTotal()):
        if PositionGetTicket(i):
            smb = PositionGetString(POSITION_SYMBOL)
            lots = Decimal(repr(PositionGetDouble(POSITION_VOLUME)))
            sell = PositionGetInteger(POSITION_TYPE) == POSITION_TYPE_SELL
            found[smb] = found.get(smb, Decimal(0)) + (-lots if sell else lots)
    return found


def SideVolumes() -> dict[str, tuple[Decimal, Decimal]]:
    """The exact volumes in lots of the long and of the short positions, of each symbol that has positions."""
    found: dict[str, tuple[Decimal, Decimal]] = {}
    for i in range(PositionsTotal()):
        if PositionGetTicket(i):
            smb = PositionGetString(POSITION_SYMBOL)
            lots = Decimal(repr(PositionGetDouble(POSITION_VOLUME)))
            long, short = found.get(smb, (Decimal(0), Decimal(0)))
            if PositionGetInteger(POSITION_TYPE) == POSITION_TYPE_SELL:
                short += lots
            else:
                long += lots
            found[smb] = long, short
    return found
