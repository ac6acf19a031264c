"""State checking: the program, its chart, its terminal. https://www.mql5.com/en/docs/check"""

from __future__ import annotations

from demos.terminal.mql import constants as c
from demos.terminal.mql.market_info import SymbolInfoDouble, SymbolInfoInteger
from demos.terminal.terminal import current_program, current_terminal

__all__ = [
    "Digits",
    "IsStopped",
    "MQLInfoString",
    "Period",
    "Point",
    "Symbol",
    "TerminalInfoInteger",
    "TerminalInfoString",
]


def IsStopped() -> bool:
    """Whether the program was asked to end; long loops of a script test it."""
    program = current_program()
    return program.removed or program.terminal.stopping


def MQLInfoString(property_id: int) -> str:
    """MQL_PROGRAM_NAME: the program's name without its suffix.

    Errors: ValueError for another property.
    """
    if property_id != c.MQL_PROGRAM_NAME:
        raise ValueError(f"no string property {property_id} of a program")
    return current_program().program


def TerminalInfoInteger(property_id: int) -> int:
    """TERMINAL_CONNECTED: 1 while the account's positions are the present ones, else 0.

    Errors: ValueError for another property.
    """
    if property_id != c.TERMINAL_CONNECTED:
        raise ValueError(f"no integer property {property_id} of a terminal")
    return int(current_terminal().account.connected)


def TerminalInfoString(property_id: int) -> str:
    """TERMINAL_PATH and TERMINAL_DATA_PATH: the terminal's one folder for both; "" when it has none.

    Errors: ValueError for another property.
    """
    if property_id not in (c.TERMINAL_PATH, c.TERMINAL_DATA_PATH):
        raise ValueError(f"no string property {property_id} of a terminal")
    data = current_terminal().data
    return str(data.root) if data else ""


def Symbol() -> str:
    """The chart's symbol."""
    program = current_program()
    return program.terminal.charts.view(program.id).symbol


def Period() -> int:
    """The chart's period, a PERIOD_*."""
    program = current_program()
    return program.terminal.charts.view(program.id).period


def Digits() -> int:
    """The number of digits after the decimal point in a price of the chart's symbol."""
    return SymbolInfoInteger(Symbol(), c.SYMBOL_DIGITS)


def Point() -> float:
    """The smallest step of a price of the chart's symbol."""
    return SymbolInfoDouble(Symbol(), c.SYMBOL_POINT)
