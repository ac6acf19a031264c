"""Sends one order to a real MetaTrader 5, in the form that the broker accepts.

A symbol's flags name the filling modes that its server accepts, but not every server agrees with its flags. So an order
that is rejected because of its filling mode (10030) or its expiration (10022) is sent again with the next choice: such
an order was not executed. The choice that was accepted is remembered for the symbol, and each rejected one is reported
once. The terminal checks every order before it is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from demos.terminal.interfaces import TradeResult
from demos.terminal.mql.constants import (
    TRADE_RETCODE_DONE,
    TRADE_RETCODE_ERROR,
    TRADE_RETCODE_INVALID_EXPIRATION,
    TRADE_RETCODE_INVALID_FILL,
    TRADE_RETCODE_TIMEOUT,
)
from demos.terminal.mt5.api import (
    ORDER_TIME_DAY,
    ORDER_TIME_GTC,
    RES_E_AUTO_TRADING_DISABLED,
    RES_E_INVALID_PARAMS,
    Mt5,
    OrderSendResult,
    SymbolInfo,
)
from demos.terminal.mt5.failures import unanswered
from demos.terminal.mt5.requests import choice_text, filling_modes, request_text, retcode_text, with_advice

# The field of a request that an answer rejects.
_FIELD_OF_CODE = {
    TRADE_RETCODE_INVALID_FILL: "type_filling",
    TRADE_RETCODE_INVALID_EXPIRATION: "type_time",
}


class Orders:
    """Checks and sends orders; it remembers each symbol's accepted filling mode and expiration."""

    def __init__(self, mt5: Mt5, report: Callable[[str], None], *, live: bool, filling: int | None) -> None:
        """``filling`` is the only ORDER_FILLING_* to use; None: those that the symbol's flags name, then the others."""
        self._mt5 = mt5
        self._report = report
        self._live = live
        self._filling = filling
        self._accepted: dict[tuple[str, str], int] = {}
        self._rejected: set[tuple[str, str, int]] = set()

    def send(self, request: dict[str, Any], info: SymbolInfo) -> OrderSendResult | TradeResult:
        """Check an order and, in a live account, send it; the server's answer to the last choice.

        ``request`` lacks the fields that are chosen here. A TradeResult says why nothing was sent. With
        TRADE_RETCODE_TIMEOUT it is unknown whether the order was sent.

        Errors: Mt5Error when the terminal does not answer.
        """
        left = {field: self._choices(field, info) for field in _FIELD_OF_CODE.values()}
        request |= {field: values.pop(0) for field, values in left.items()}
        while True:
            answer = self.attempt(request)
            field = _FIELD_OF_CODE.get(answer.retcode)
            if field is None:
                self._accepted |= {(info.name, field): request[field] for field in left}
                return answer
            if not left[field]:
                return answer
            old, request[field] = request[field], left[field].pop(0)
            self._report_rejected(info.name, field, old, request[field])

    def attempt(self, request: dict[str, Any]) -> OrderSendResult | TradeResult:
        """Check and send a whole request once. Answer and errors: as send()."""
        fields = [field for field in _FIELD_OF_CODE.values() if field in request]
        if not any((request["symbol"], field, request[field]) in self._rejected for field in fields):
            self._report(f"{'order' if self._live else 'dry run, not sent'}: {request_text(request)}")
        check = self._mt5.order_check(dict(request))
        if check is None:
            return unanswered(self._mt5, "order_check")
        if check.retcode != 0:
            text = f"order_check: {with_advice(check.retcode, retcode_text(check.retcode, check.comment))}"
            return TradeResult(check.retcode, text=text)
        if not self._live:
            return TradeResult(TRADE_RETCODE_DONE, text="a dry run, nothing was sent")
        sent = self._mt5.order_send(dict(request))
        if sent is None:
            # The terminal refuses invalid parameters at once; otherwise the order may have been sent.
            refused = self._mt5.last_error()[0] in (RES_E_INVALID_PARAMS, RES_E_AUTO_TRADING_DISABLED)
            return unanswered(self._mt5, "order_send", TRADE_RETCODE_ERROR if refused else TRADE_RETCODE_TIMEOUT)
        text = retcode_text(sent.retcode, sent.comment)
        deal = (
            f", order {sent.order}, deal {sent.deal}, {sent.volume} lots at {sent.price}" if "type" in request else ""
        )
        self._report(f"answer: {text}{deal}")
        return sent

    def _choices(self, field: str, info: SymbolInfo) -> list[int]:
        """The values of a field in the order in which they are tried; the one that was accepted last comes first."""
        known: Sequence[int] = (ORDER_TIME_GTC, ORDER_TIME_DAY)
        if field == "type_filling":
            known = filling_modes(info) if self._filling is None else (self._filling,)
        accepted = self._accepted.get((info.name, field))
        return sorted(known, key=lambda value: value != accepted)

    def _report_rejected(self, symbol: str, field: str, old: int, new: int) -> None:
        if (symbol, field, old) not in self._rejected:
            self._rejected.add((symbol, field, old))
            self._report(f"{symbol}: the broker rejects {choice_text(field, old)}; trying {choice_text(field, new)}")
