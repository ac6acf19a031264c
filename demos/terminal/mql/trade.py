"""CTrade, the class of MQL5's standard library that sends a program's orders."""

from __future__ import annotations

from decimal import Decimal

from demos.terminal.interfaces import NO_STOPS, Position, Stops, SymbolSpec, TradeResult
from demos.terminal.mql import constants as c
from demos.terminal.points import price_float, price_points, volume_float, volume_problem, volume_steps
from demos.terminal.terminal import current_program, current_terminal

__all__ = ["CTrade"]


class CTrade:
    """Sends orders and keeps the last answer. https://www.mql5.com/en/docs/standardlibrary/tradeclasses/ctrade"""

    def __init__(self) -> None:
        self._result = TradeResult(0)

    def Buy(
        self,
        volume: float,
        symbol: str | None = None,
        price: float = 0.0,
        sl: float = 0.0,
        tp: float = 0.0,
        comment: str = "",
    ) -> bool:
        """Buy ``volume`` lots at the market, of the chart's symbol by default; True when the order was executed.

        The position gets the stop loss ``sl`` and the take profit ``tp``; 0 is none. The order is filled at the current
        ask; price and comment are accepted and ignored.
        """
        return self._open(volume, symbol, 1, (sl, tp))

    def Sell(
        self,
        volume: float,
        symbol: str | None = None,
        price: float = 0.0,
        sl: float = 0.0,
        tp: float = 0.0,
        comment: str = "",
    ) -> bool:
        """Sell ``volume`` lots at the current bid; otherwise as Buy."""
        return self._open(volume, symbol, -1, (sl, tp))

    def PositionClose(self, symbol: str | int, deviation: int = 0) -> bool:
        """Close a position given by symbol or ticket; False with TRADE_RETCODE_REJECT when there is none."""
        for position in current_terminal().account.positions():
            if symbol in (position.spec.name, position.ticket):
                return self._send(position.spec.name, -position.volume, position)
        self._result = TradeResult(c.TRADE_RETCODE_REJECT, text=f"no position {symbol}")
        return False

    def PositionClosePartial(self, symbol: str | int, volume: float, deviation: int = 0) -> bool:
        """Close ``volume`` lots of a position given by symbol or ticket, or the whole position when it is smaller."""
        for position in current_terminal().account.positions():
            if symbol not in (position.spec.name, position.ticket):
                continue
            steps = self._steps(volume, position.spec)
            if steps is None:
                return False
            steps = min(steps, abs(position.volume))
            return self._send(position.spec.name, -steps if position.volume > 0 else steps, position)
        self._result = TradeResult(c.TRADE_RETCODE_REJECT, text=f"no position {symbol}")
        return False

    def PositionModify(self, symbol: str | int, sl: float, tp: float) -> bool:
        """Replace stop loss and take profit of a position given by symbol or ticket; 0 removes one.

        False with TRADE_RETCODE_REJECT when there is no such position, with TRADE_RETCODE_NO_CHANGES when it has these
        stops, and with TRADE_RETCODE_INVALID_STOPS when a stop is on the wrong side of the price.
        """
        for position in current_terminal().account.positions():
            if symbol in (position.spec.name, position.ticket):
                stops = self._stops((sl, tp), position.spec)
                if stops is None:
                    return False
                self._result = current_terminal().modify(position, stops)
                return self._result.retcode == c.TRADE_RETCODE_DONE
        self._result = TradeResult(c.TRADE_RETCODE_REJECT, text=f"no position {symbol}")
        return False

    def ResultRetcode(self) -> int:
        """The last answer, a TRADE_RETCODE_*; 0 before the first request."""
        return self._result.retcode

    def ResultRetcodeDescription(self) -> str:
        """The last answer in words."""
        meaning = c.TRADE_RETCODES.get(self._result.retcode, f"return code {self._result.retcode}")
        return f"{meaning}: {self._result.text}" if self._result.text else meaning

    def ResultDeal(self) -> int:
        """The last request's deal ticket, 0 when there was no deal."""
        return self._result.deal.ticket if self._result.deal else 0

    def ResultVolume(self) -> float:
        """The last deal's volume in lots."""
        deal = self._result.deal
        return volume_float(abs(deal.volume), deal.spec) if deal else 0.0

    def ResultPrice(self) -> float:
        """The last deal's price."""
        deal = self._result.deal
        return price_float(deal.price, deal.spec.digits) if deal else 0.0

    def _open(self, volume: float, symbol: str | None, direction: int, prices: tuple[float, float]) -> bool:
        terminal = current_terminal()
        name = symbol or terminal.charts.view(current_program().id).symbol
        spec = terminal.market.symbols().get(name)
        if spec is None:
            self._result = TradeResult(c.TRADE_RETCODE_INVALID, text=f"the market has no symbol {name}")
            return False
        steps = self._steps(volume, spec)
        stops = None if steps is None else self._stops(prices, spec)
        return steps is not None and stops is not None and self._send(name, direction * steps, None, stops)

    def _steps(self, volume: float, spec: SymbolSpec) -> int | None:
        """Lots as steps; None, with the reason in the answer, when an order cannot have this volume."""
        lots = Decimal(repr(float(volume)))
        problem = volume_problem(lots, spec)
        if problem:
            self._result = TradeResult(c.TRADE_RETCODE_INVALID_VOLUME, text=problem)
            return None
        return volume_steps(lots, spec)

    def _stops(self, prices: tuple[float, float], spec: SymbolSpec) -> Stops | None:
        """Stop loss and take profit in points; None, with the reason in the answer, when they are no prices."""
        points = [price_points(price, spec.digits) for price in prices]
        for price, value in zip(prices, points, strict=True):
            if value is None:
                text = f"{price} is not a price of {spec.name} with {spec.digits} digits; NormalizeDouble rounds it"
                self._result = TradeResult(c.TRADE_RETCODE_INVALID_STOPS, text=text)
                return None
        return Stops(*(value or 0 for value in points))

    def _send(self, symbol: str, steps: int, position: Position | None, stops: Stops = NO_STOPS) -> bool:
        self._result = current_terminal().trade(symbol, steps, position.ticket if position else 0, stops)
        return self._result.retcode == c.TRADE_RETCODE_DONE
