"""What MetaTrader offers a program, under MQL5's names: events, log, market, clock and account.

Each function acts on the chart whose event function is running. Names, argument order and answers are MQL5's; see
https://www.mql5.com/en/docs for each. CTrade is in trade.py, conversions are in text.py.
"""

# Argument names of MQL5's reference are kept where it has them; function names are its own throughout.

from __future__ import annotations

from datetime import datetime, timezone

from demos.terminal.interfaces import Position, SymbolSpec, Tick
from demos.terminal.mql import constants as c
from demos.terminal.mql.conversion import EPOCH, mql_format, mql_text, time_of
from demos.terminal.points import (
    closing_price,
    money,
    open_price,
    open_profit,
    price_float,
    volume_float,
)
from demos.terminal.runtime.attachment import Timer, current


def EventSetTimer(seconds: int) -> bool:
    """Call OnTimer every so many seconds from now on; False when the period is not positive."""
    return EventSetMillisecondTimer(seconds * 1000)


def EventSetMillisecondTimer(milliseconds: int) -> bool:
    """Call OnTimer every so many milliseconds from now on; False when the period is not positive.

    A period given to the host (``--timer-ms``) replaces the one asked for. Events that were missed become one.
    """
    if milliseconds <= 0:
        return False
    chart = current()
    period = (chart.host.timer_ms or milliseconds) / 1000
    chart.timer = Timer(period, chart.host.clock.monotonic() + period)
    return True


def EventKillTimer() -> None:
    """Stop calling OnTimer."""
    current().timer = None


def Print(*args: object) -> None:
    """Write one line to the log: the arguments as MQL5 shows them, one after the other.

    A text that begins with "-" has level ``error``, any other ``info``.
    """
    text = "".join(mql_text(arg) for arg in args)
    _log("error" if text.startswith("-") else "info", text)


def printf(format: str, *args: object) -> None:
    """Write one line to the log, formatted as by MQL5's PrintFormat.

    Errors: TypeError or ValueError when the format does not fit its arguments.
    """
    Print(mql_format(format, args))


def Comment(*args: object) -> None:
    """Show a text in the chart's corner in place of the last one."""
    chart = current()
    chart.host.charts.comment(chart.id, "".join(mql_text(arg) for arg in args))


def Alert(*args: object) -> None:
    """Write one line of level ``alert`` to the log."""
    _log("alert", "".join(mql_text(arg) for arg in args))


def _log(level: str, text: str) -> None:
    chart = current()
    chart.host.log.write(chart.label, level, chart.event, text)


def Event(kind: str, **fields: object) -> None:
    """Record an event for another program, where the host was given a file for them (``--events``).

    Writes one JSON line {"t": nanoseconds of the host's monotonic clock, "kind": kind, ...fields}; does nothing
    without such a file. Not part of MQL5.
    """
    host = current().host
    host.record(kind, fields)


def Fail(code: int, text: str) -> None:
    """Give up: log one line, remove the program after the running event function, end with this exit code.

    Codes: 2 options, 3 network, 4 data or account. Like ExpertRemove it returns; OnDeinit runs. Not part of MQL5.
    """
    _log("error", text)
    chart = current()
    chart.removed = True
    chart.exit_code = code


def ExpertRemove() -> None:
    """Remove the program from its chart once the running event function has returned; OnDeinit runs."""
    current().removed = True


def IsStopped() -> bool:
    """Whether the program was asked to end; a script's loops look at it."""
    chart = current()
    return chart.removed or chart.host.stopping


def Sleep(milliseconds: int) -> None:
    """Wait that long, or until the program is asked to end. Only commands are carried out meanwhile."""
    host = current().host
    end = host.clock.monotonic() + milliseconds / 1000
    while not IsStopped() and (left := end - host.clock.monotonic()) > 0:
        host.clock.wait(left)
        host.run_commands()


def MQLInfoString(property_id: int) -> str:
    """MQL_PROGRAM_NAME: the program's name without its suffix."""
    if property_id != c.MQL_PROGRAM_NAME:
        raise ValueError(f"no string property {property_id} of a program")
    return current().program


def Symbol() -> str:
    """The chart's symbol."""
    chart = current()
    return chart.host.charts.view(chart.id).symbol


def Period() -> int:
    """The chart's period, a PERIOD_*."""
    chart = current()
    return chart.host.charts.view(chart.id).period


def Digits() -> int:
    """Digits after the point of a price of the chart's symbol."""
    return SymbolInfoInteger(Symbol(), c.SYMBOL_DIGITS)


def Point() -> float:
    """The smallest step of a price of the chart's symbol."""
    return SymbolInfoDouble(Symbol(), c.SYMBOL_POINT)


def _spec(symbol: str) -> SymbolSpec | None:
    return current().host.market.symbols().get(symbol)


def _quote(symbol: str) -> Tick | None:
    return current().host.quotes.get(symbol)


def SymbolSelect(name: str, select: bool) -> bool:
    """Have the market quote a symbol from now on; False when it does not know it. No symbol is taken out again."""
    return not select or _spec(name) is not None


def SymbolInfoDouble(symbol: str, property_id: int) -> float:
    """A SYMBOL_* property; prices in the quote currency, volumes in lots; 0 for an unknown symbol or before a tick."""
    spec = _spec(symbol)
    if spec is None:
        return 0.0
    if property_id in (c.SYMBOL_BID, c.SYMBOL_ASK):
        quote = _quote(symbol)
        if quote is None:
            return 0.0
        return price_float(quote.bid if property_id == c.SYMBOL_BID else quote.ask, spec.digits)
    fixed = {
        c.SYMBOL_POINT: price_float(1, spec.digits),
        c.SYMBOL_TRADE_CONTRACT_SIZE: float(spec.contract_size),
        c.SYMBOL_VOLUME_MIN: volume_float(spec.volume_min, spec),
        c.SYMBOL_VOLUME_MAX: volume_float(spec.volume_max, spec),
        c.SYMBOL_VOLUME_STEP: volume_float(1, spec),
    }
    if property_id not in fixed:
        raise ValueError(f"no double property {property_id} of a symbol")
    return fixed[property_id]


def SymbolInfoInteger(symbol: str, property_id: int) -> int:
    """A SYMBOL_* property; the spread in points, times in (milli)seconds since 1970; 0 for an unknown symbol."""
    spec = _spec(symbol)
    if spec is None:
        return 0
    if property_id == c.SYMBOL_DIGITS:
        return spec.digits
    quote = _quote(symbol)
    if property_id == c.SYMBOL_SPREAD:
        return quote.ask - quote.bid if quote else 0
    if property_id == c.SYMBOL_TIME:
        return quote.time // 1000 if quote else 0
    if property_id == c.SYMBOL_TIME_MSC:
        return quote.time if quote else 0
    raise ValueError(f"no integer property {property_id} of a symbol")


def TimeCurrent() -> datetime:
    """The last tick's time, of whatever symbol, zoneless as the market gave it; 1970 before the first tick."""
    last = current().host.last_tick
    return time_of(last.time) if last else EPOCH


def TimeGMT() -> datetime:
    """The computer's time at Greenwich, zoneless, to the millisecond; it jumps when somebody sets the clock."""
    return current().host.clock.now().astimezone(timezone.utc).replace(tzinfo=None)


def GetTickCount64() -> int:
    """Milliseconds of the host's monotonic clock: the only clock for durations."""
    return int(current().host.clock.monotonic() * 1000)


def AccountInfoInteger(property_id: int) -> int:
    """ACCOUNT_MARGIN_MODE: whether the account nets positions or hedges them."""
    if property_id != c.ACCOUNT_MARGIN_MODE:
        raise ValueError(f"no integer property {property_id} of an account")
    return current().host.account.margin_mode


def PositionsTotal() -> int:
    """The number of open positions."""
    return len(current().host.account.positions())


def PositionGetTicket(index: int) -> int:
    """The ticket of the position at that index, which becomes the selected one; 0 when there is none."""
    positions = current().host.account.positions()
    return _select(positions[index] if 0 <= index < len(positions) else None)


def PositionGetSymbol(index: int) -> str:
    """The symbol of the position at that index, which becomes the selected one; "" when there is none."""
    return _selected().spec.name if PositionGetTicket(index) else ""


def PositionSelectByTicket(ticket: int) -> bool:
    """Select a position for the PositionGet* functions; they show it as it is at this moment."""
    return _select(next((p for p in current().host.account.positions() if p.ticket == ticket), None)) != 0


def PositionSelect(symbol: str) -> bool:
    """Select the symbol's position, on a hedging account the one with the lowest ticket."""
    return _select(next((p for p in current().host.account.positions() if p.spec.name == symbol), None)) != 0


def _select(position: Position | None) -> int:
    if position is None:
        return 0
    current().selected = position
    return position.ticket


def _selected() -> Position:
    position = current().selected
    if position is None:
        raise RuntimeError("no position was selected")
    return position


def PositionGetString(property_id: int) -> str:
    """POSITION_SYMBOL of the selected position."""
    if property_id != c.POSITION_SYMBOL:
        raise ValueError(f"no string property {property_id} of a position")
    return _selected().spec.name


def PositionGetDouble(property_id: int) -> float:
    """Volume in lots, open and current price, or profit in the quote currency, of the selected position.

    The current price and the profit are 0 while the market has not quoted the symbol.
    """
    position = _selected()
    quote = _quote(position.spec.name)
    digits = position.spec.digits
    if property_id == c.POSITION_VOLUME:
        return volume_float(abs(position.volume), position.spec)
    if property_id == c.POSITION_PRICE_OPEN:
        return float(open_price(position) / 10**digits)
    if property_id == c.POSITION_PRICE_CURRENT:
        return price_float(closing_price(position, quote), digits) if quote else 0.0
    if property_id == c.POSITION_PROFIT:
        return float(money(open_profit(position, quote), position.spec)) if quote else 0.0
    raise ValueError(f"no double property {property_id} of a position")


def PositionGetInteger(property_id: int) -> int:
    """Type, ticket, identifier or time (seconds or milliseconds since 1970) of the selected position."""
    position = _selected()
    values = {
        c.POSITION_TYPE: c.POSITION_TYPE_BUY if position.volume > 0 else c.POSITION_TYPE_SELL,
        c.POSITION_TICKET: position.ticket,
        c.POSITION_IDENTIFIER: position.ticket,
        c.POSITION_MAGIC: position.magic,
        c.POSITION_TIME: position.time // 1000,
        c.POSITION_TIME_MSC: position.time,
    }
    if property_id not in values:
        raise ValueError(f"no integer property {property_id} of a position")
    return values[property_id]
