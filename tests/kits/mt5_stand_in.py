"""A stand-in for the package MetaTrader5 5.0: its calls, structures, fields and codes, with a simulated broker.

All names are those of the package; mt5/test_package.py compares them with the real package where it can be imported.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any

ACCOUNT_MARGIN_MODE_RETAIL_NETTING = 0
ACCOUNT_MARGIN_MODE_EXCHANGE = 1
ACCOUNT_MARGIN_MODE_RETAIL_HEDGING = 2
TRADE_RETCODE_DONE = 10009
TRADE_RETCODE_DONE_PARTIAL = 10010
TRADE_RETCODE_PLACED = 10008
TRADE_RETCODE_INVALID_STOPS = 10016
TRADE_RETCODE_NO_CHANGES = 10025
TRADE_RETCODE_INVALID_FILL = 10030
TRADE_RETCODE_POSITION_CLOSED = 10036
TRADE_ACTION_SLTP = 6
RES_S_OK = 1
RES_E_FAIL = -1
RES_E_INVALID_PARAMS = -2
RES_E_NOT_FOUND = -4
RES_E_INTERNAL_FAIL_INIT = -10003
RES_E_INTERNAL_FAIL_CONNECT = -10004

AccountInfo = namedtuple(
    "AccountInfo",
    "login trade_mode leverage limit_orders margin_so_mode trade_allowed trade_expert margin_mode currency_digits "
    "fifo_close balance credit profit equity margin margin_free margin_level margin_so_call margin_so_so "
    "margin_initial margin_maintenance assets liabilities commission_blocked name server currency company",
)
TerminalInfo = namedtuple(
    "TerminalInfo",
    "community_account community_connection connected dlls_allowed trade_allowed tradeapi_disabled email_enabled "
    "ftp_enabled notifications_enabled mqid build maxbars codepage ping_last community_balance retransmission company "
    "name language path data_path commondata_path",
)
SymbolInfo = namedtuple(
    "SymbolInfo",
    "custom chart_mode select visible session_deals session_buy_orders session_sell_orders volume volumehigh volumelow "
    "time digits spread spread_float ticks_bookdepth trade_calc_mode trade_mode start_time expiration_time "
    "trade_stops_level trade_freeze_level trade_exemode swap_mode swap_rollover3days margin_hedged_use_leg "
    "expiration_mode filling_mode order_mode order_gtc_mode option_mode option_right bid bidhigh bidlow ask askhigh "
    "asklow last lasthigh lastlow volume_real volumehigh_real volumelow_real option_strike point trade_tick_value "
    "trade_tick_value_profit trade_tick_value_loss trade_tick_size trade_contract_size trade_accrued_interest "
    "trade_face_value trade_liquidity_rate volume_min volume_max volume_step volume_limit swap_long swap_short "
    "margin_initial margin_maintenance session_volume session_turnover session_interest session_buy_orders_volume "
    "session_sell_orders_volume session_open session_close session_aw session_price_settlement "
    "session_price_limit_min session_price_limit_max margin_hedged price_change price_volatility price_theoretical "
    "price_greeks_delta price_greeks_theta price_greeks_gamma price_greeks_vega price_greeks_rho price_greeks_omega "
    "price_sensitivity basis category currency_base currency_profit currency_margin bank description exchange formula "
    "isin name page path",
)
Tick = namedtuple("Tick", "time bid ask last volume time_msc flags volume_real")
TradePosition = namedtuple(
    "TradePosition",
    "ticket time time_msc time_update time_update_msc type magic identifier reason volume price_open sl tp "
    "price_current swap profit symbol comment external_id",
)
TradeOrder = namedtuple(
    "TradeOrder",
    "ticket time_setup time_setup_msc time_done time_done_msc time_expiration type type_time type_filling state magic "
    "position_id position_by_id reason volume_initial volume_current price_open sl tp price_current price_stoplimit "
    "symbol comment external_id",
)
TradeDeal = namedtuple(
    "TradeDeal",
    "ticket order time time_msc type entry magic position_id reason volume price commission swap profit fee symbol "
    "comment external_id",
)
TradeRequest = namedtuple(
    "TradeRequest",
    "action magic order symbol volume price stoplimit sl tp deviation type type_filling type_time expiration comment "
    "position position_by",
)
OrderCheckResult = namedtuple(
    "OrderCheckResult", "retcode balance equity profit margin margin_free margin_level comment request"
)
OrderSendResult = namedtuple(
    "OrderSendResult",
    "retcode deal order volume price bid ask comment request_id retcode_external request",
)

_COMMENTS = {
    0: "Done",
    TRADE_RETCODE_INVALID_FILL: "Unsupported filling mode",
    TRADE_RETCODE_INVALID_STOPS: "Invalid stops",
    TRADE_RETCODE_NO_CHANGES: "No changes",
    TRADE_RETCODE_POSITION_CLOSED: "Position closed",
}

STRUCTURES = (
    AccountInfo, TerminalInfo, SymbolInfo, Tick, TradePosition, TradeOrder, TradeDeal, TradeRequest,
    OrderCheckResult, OrderSendResult,
)  # fmt: skip
_TEXT = (
    "name", "server", "currency", "company", "symbol", "comment", "path", "description", "external_id",
    "currency_base", "currency_profit", "currency_margin",
)  # fmt: skip


def structure(kind: Any, **fields: object) -> Any:
    """A structure with these fields; the others are empty."""
    return kind(**{name: "" if name in _TEXT else 0 for name in kind._fields} | fields)


class StandIn:
    """Replaces the module MetaTrader5; behind it is a terminal whose broker behaves as a test configures it."""

    def __init__(self, margin_mode: int = ACCOUNT_MARGIN_MODE_RETAIL_NETTING) -> None:
        self._account = structure(
            AccountInfo,
            login=1234,
            server="Broker-Demo",
            margin_mode=margin_mode,
            trade_allowed=True,
            trade_expert=True,
            currency="USD",
            currency_digits=2,
            balance=10_000.0,
            equity=10_000.0,
        )
        self._terminal = structure(TerminalInfo, build=5200, connected=True, trade_allowed=True)
        self._running = True
        self._initialized: list[tuple[object, ...]] = []
        self._error = (RES_S_OK, "Success")
        self._symbols: dict[str, Any] = {}
        self._selected: set[str] = set()
        self._quotes: dict[str, list[Any]] = {}
        self._held: dict[int, Any] = {}
        self._deals: list[Any] = []
        self._orders: list[Any] = []
        self._sent: list[dict[str, Any]] = []
        self._checked: list[dict[str, Any]] = []
        # The answers to the next checks and orders; when empty, the broker's rules decide.
        self._check_answers: list[Any] = []
        self._answers: list[Any] = []
        # The number of reads of the positions before they show an executed order.
        self._delay = 0
        self._pending: list[tuple[int, dict[str, Any]]] = []
        self._history = True
        self._next = 100

    # Methods for tests.

    def _add(self, name: str = "EURUSD", bid: float = 1.1, ask: float = 1.10002, **fields: object) -> None:
        """Add a symbol with one quote."""
        currencies = (name[:3], name[3:6]) if name[:6].isupper() and len(name) >= 6 else ("", "")
        settings = {
            "name": name, "digits": 5, "volume_min": 0.01, "volume_max": 100.0, "volume_step": 0.01,
            "trade_contract_size": 100000.0, "filling_mode": 1, "trade_exemode": 2,
            "trade_mode": 4, "order_mode": 127, "currency_base": currencies[0], "currency_profit": currencies[1],
        } | fields  # fmt: skip
        settings.setdefault("point", float(f"1e{-settings['digits']}"))
        self._symbols[name] = structure(SymbolInfo, **settings)
        self._quote(name, bid, ask, 1_700_000_000_000)

    def _quote(self, name: str, bid: float, ask: float, time_msc: int) -> None:
        tick = structure(Tick, time=time_msc // 1000, bid=bid, ask=ask, time_msc=time_msc, flags=6)
        self._quotes.setdefault(name, []).append(tick)

    def _hold(self, volume: float, symbol: str = "EURUSD", magic: int = 0, price: float = 1.1) -> int:
        """Open a position that is not the program's own; returns its ticket."""
        request = {"symbol": symbol, "volume": abs(volume), "type": int(volume < 0), "magic": magic, "price": price}
        return self._execute(request)

    def _fail(self, code: int, text: str) -> None:
        self._error = (code, text)

    def _call(self) -> bool:
        """Whether the connection to the terminal works; sets the last error."""
        self._error = (RES_S_OK, "Success") if self._running else (RES_E_INTERNAL_FAIL_CONNECT, "No IPC connection")
        return self._running

    def _execute(self, request: dict[str, Any]) -> int:
        """Execute a request; returns the deal's ticket."""
        if request.get("action") == TRADE_ACTION_SLTP:
            held = self._held[request["position"]]
            self._held[held.ticket] = held._replace(sl=request["sl"], tp=request["tp"])
            return 0
        ticket = self._next = self._next + 1
        stops = {name: request.get(name, 0.0) for name in ("sl", "tp")}
        symbol, price = request["symbol"], request["price"]
        volume = request["volume"] * (-1 if request["type"] else 1)
        hedging = self._account.margin_mode == ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
        known = request.get("position", 0)
        if not known and not hedging:
            known = next((held.ticket for held in self._held.values() if held.symbol == symbol), 0)
        held = self._held.pop(known, None)
        if held:
            total = round(volume + held.volume * (-1 if held.type else 1), 8)
            if total:
                reduced = total * volume < 0
                self._held[known] = held._replace(
                    volume=abs(total), type=int(total < 0), magic=request["magic"], **{} if reduced else stops
                )
        else:
            known = ticket
            self._held[ticket] = structure(
                TradePosition, ticket=ticket, identifier=ticket, time_msc=1_700_000_000_000 + ticket, symbol=symbol,
                volume=abs(volume), type=int(volume < 0), magic=request["magic"], price_open=price, price_current=price,
                **stops,
            )  # fmt: skip
        self._deals.append(
            structure(
                TradeDeal,
                ticket=ticket,
                position_id=known,
                type=request["type"],
                volume=request["volume"],
                price=price,
                symbol=symbol,
                magic=request["magic"],
                time=1_700_000_000 + ticket // 1000,
                time_msc=1_700_000_000_000 + ticket,
            )
        )
        return ticket

    def _return_code(self, request: dict[str, Any]) -> int:
        """The return code for a request by the broker's rules."""
        if request.get("position", 0) and request["position"] not in self._held:
            return TRADE_RETCODE_POSITION_CLOSED
        if code := self._stops_code(request):
            return code
        if request["action"] == TRADE_ACTION_SLTP:
            return 0
        info = self._symbols[request["symbol"]]
        flags = {0: info.filling_mode & 1, 1: info.filling_mode & 2, 2: info.trade_exemode == 3}
        if info.trade_exemode in (2, 3) and not flags[request["type_filling"]]:
            return TRADE_RETCODE_INVALID_FILL
        return 0

    def _stops_code(self, request: dict[str, Any]) -> int:
        """The return code for the request's stops."""
        sl, tp = request.get("sl", 0.0), request.get("tp", 0.0)
        short = request.get("type", 0)
        if request["action"] == TRADE_ACTION_SLTP:
            held = self._held[request["position"]]
            short = held.type
            if (held.sl, held.tp) == (sl, tp):
                return TRADE_RETCODE_NO_CHANGES
        quote = self._quotes[request["symbol"]][-1]
        price, side = (quote.ask, -1) if short else (quote.bid, 1)
        wrong = (sl and (price - sl) * side <= 0) or (tp and (tp - price) * side <= 0)
        return TRADE_RETCODE_INVALID_STOPS if wrong else 0

    # The calls of the package.

    def initialize(self, *path: str) -> bool:
        self._initialized.append(path)
        if not self._running:
            self._error = (RES_E_INTERNAL_FAIL_INIT, "IPC initialize failed, MetaTrader 5 x64 not found")
        return self._running

    def shutdown(self) -> bool:
        self._initialized.clear()
        return True

    def last_error(self) -> tuple[int, str]:
        return self._error

    def account_info(self) -> Any:
        return self._account if self._call() else None

    def terminal_info(self) -> Any:
        return self._terminal if self._call() else None

    def symbol_select(self, symbol: str, enable: bool = True) -> bool:
        if not self._call():
            return False
        if symbol not in self._symbols:
            self._error = (RES_E_NOT_FOUND, "Terminal: Not found")
            return False
        self._selected.add(symbol)
        return True

    def symbol_info(self, symbol: str) -> Any:
        return self._symbols.get(symbol) if self._call() else None

    def symbol_info_tick(self, symbol: str) -> Any:
        if not self._call():
            return None
        if symbol not in self._selected or not self._quotes.get(symbol):
            self._error = (RES_E_NOT_FOUND, "Terminal: Not found")
            return None
        return self._quotes[symbol][-1]

    def copy_ticks_from(self, symbol: str, date_from: int, count: int, flags: int) -> Any:
        if not self._call():
            return None
        ticks = [tick._asdict() for tick in self._quotes[symbol] if tick.time >= date_from]
        return ticks[:count]

    def positions_get(self, *unnamed: object, symbol: str = "", ticket: int = 0, group: str = "") -> Any:
        if unnamed:
            self._error = (RES_E_INVALID_PARAMS, "Unnamed arguments not allowed")
            return None
        if not self._call():
            return None
        self._pending = [(reads - 1, request) for reads, request in self._pending]
        for reads, request in self._pending.copy():
            if reads < 0:
                self._pending.remove((reads, request))
                self._execute(request)
        return tuple(held for held in self._held.values() if symbol in ("", held.symbol))

    def orders_get(self, *, symbol: str = "", ticket: int = 0, group: str = "") -> Any:
        return tuple(order for order in self._orders if order.symbol == symbol) if self._call() else None

    def history_deals_get(self, *dates: object, position: int = 0, ticket: int = 0, group: str = "") -> Any:
        if not self._call() or not self._history:
            return None
        if dates:
            begin, end = (int(date) for date in dates)
            return tuple(deal for deal in self._deals if begin <= deal.time < end)
        return tuple(deal for deal in self._deals if deal.position_id == position)

    def order_check(self, request: dict[str, Any]) -> Any:
        if not self._call():
            return None
        self._checked.append(request)
        if self._check_answers:
            answer = self._check_answers.pop(0)
            if answer is None:
                self._error = (RES_E_INVALID_PARAMS, 'Invalid "volume" argument')
                return None
            return structure(OrderCheckResult, retcode=answer, comment="checked")
        code = self._return_code(request)
        return structure(OrderCheckResult, retcode=code, comment=_COMMENTS.get(code, "Invalid request"))

    def order_send(self, request: dict[str, Any]) -> Any:
        if not self._call():
            return None
        self._sent.append(request)
        answer = self._answers.pop(0) if self._answers else {}
        if answer is None:
            return None
        if isinstance(answer, int):
            return structure(OrderSendResult, retcode=answer, comment="as set")
        filled = request | answer.get("filled", {})
        retcode = answer.get("retcode", TRADE_RETCODE_DONE)
        deal = 0
        if answer.get("never"):
            pass
        elif self._delay:
            self._pending.append((self._delay, filled))
        else:
            deal = self._execute(filled)
        return structure(
            OrderSendResult, retcode=retcode, deal=deal, order=self._next, volume=filled.get("volume", 0.0),
            price=answer.get("price", filled.get("price", 0.0)), comment="Request executed",
        )  # fmt: skip


def broker(margin_mode: int = ACCOUNT_MARGIN_MODE_RETAIL_NETTING) -> StandIn:
    """A stand-in whose broker has the symbol EURUSD."""
    stand_in = StandIn(margin_mode)
    stand_in._add()
    return stand_in
