"""MQL's functions for market, positions, trading and log, called by a program."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from cleanup_kit import closed_after_test
from terminal_kit import Bench, ticks

from demos.terminal.interfaces import SymbolSpec, Tick, TradeResult
from demos.terminal.paper.account import PaperAccount
from demos.terminal.runtime.clock import ManualClock


def printed(tmp_path, *expressions: str, before: str = "pass", quotes=None, **options) -> list[str]:
    """The values of these expressions in OnInit, printed one per line."""
    bench = Bench(tmp_path, ticks(100_000) if quotes is None else quotes, **options)
    lines = "\n        ".join(f"Print({expression})" for expression in expressions)
    bench.attach(f"""
    trade = CTrade()
    def OnInit():
        {before}
        {lines}
    """)
    bench.run(0.5)
    return bench.texts()


def test_symbol_period_digits_and_point_are_those_of_the_chart(tmp_path):
    seen = printed(tmp_path, "Symbol()", "Period()", "Digits()", "Point()", "MQLInfoString(MQL_PROGRAM_NAME)")
    assert seen == ["EURUSD", "16385", "5", "1e-05", "probe"]


def test_the_double_properties_of_a_symbol(tmp_path):
    names = ("BID", "ASK", "POINT", "TRADE_CONTRACT_SIZE", "VOLUME_MIN", "VOLUME_MAX", "VOLUME_STEP")
    seen = printed(tmp_path, *(f"SymbolInfoDouble(Symbol(), SYMBOL_{name})" for name in names))
    assert seen == ["1.0", "1.00002", "1e-05", "100000.0", "0.01", "100.0", "0.01"]


def test_the_integer_properties_of_a_symbol(tmp_path):
    quotes = [Tick("EURUSD", 1_492_592_400_123, 100_000, 100_007)]
    names = ("DIGITS", "SPREAD", "TIME", "TIME_MSC")
    seen = printed(tmp_path, *(f"SymbolInfoInteger(Symbol(), SYMBOL_{name})" for name in names), quotes=quotes)
    assert seen == ["5", "7", "1492592400", "1492592400123"]


def test_TimeCurrent_is_the_time_of_the_last_tick_as_in_the_file(tmp_path):
    quotes = [Tick("GBPUSD", 1_492_592_400_123, 100_000, 100_007)]
    (seen,) = printed(tmp_path, "repr(TimeCurrent())", quotes=quotes)
    assert seen == repr(datetime(2017, 4, 19, 9, 0, 0, 123000))


def test_TimeGMT_is_the_computers_time_in_GMT_without_a_time_zone(tmp_path, monkeypatch):
    time = datetime(2026, 1, 31, 12, 0, 0, 123_000, timezone(timedelta(hours=1)))
    monkeypatch.setattr(ManualClock, "now", lambda self: time)
    (seen,) = printed(tmp_path, "repr(TimeGMT())")
    assert seen == repr(datetime(2026, 1, 31, 11, 0, 0, 123_000))


def test_before_the_first_tick_prices_and_times_are_zero(tmp_path):
    seen = printed(
        tmp_path,
        "SymbolInfoDouble(Symbol(), SYMBOL_BID)",
        "SymbolInfoInteger(Symbol(), SYMBOL_SPREAD)",
        "SymbolInfoInteger(Symbol(), SYMBOL_TIME)",
        "SymbolInfoInteger(Symbol(), SYMBOL_TIME_MSC)",
        "TimeCurrent()",
        quotes=[],
    )
    assert seen == ["0.0", "0", "0", "0", "1970.01.01 00:00:00"]


def test_an_unknown_symbol_has_no_properties(tmp_path):
    seen = printed(tmp_path, "SymbolInfoDouble('X', SYMBOL_BID)", "SymbolInfoInteger('X', SYMBOL_DIGITS)")
    assert seen == ["0.0", "0"]


@pytest.mark.parametrize(
    "call",
    [
        "SymbolInfoDouble(Symbol(), 999)",
        "SymbolInfoInteger(Symbol(), 999)",
        "SymbolInfoString(Symbol(), 999)",
        "AccountInfoDouble(999)",
        "AccountInfoInteger(999)",
        "AccountInfoString(999)",
        "MQLInfoString(999)",
        "PositionGetString(999)",
        "PositionGetDouble(999)",
        "PositionGetInteger(999)",
    ],
)
def test_an_unknown_property_raises_ValueError(tmp_path, call):
    with pytest.raises(ValueError, match="property 999"):
        printed(tmp_path, call, before="trade.Buy(1); PositionSelect(Symbol())")


def test_a_position_is_selected_by_index_ticket_or_symbol(tmp_path):
    seen = printed(
        tmp_path,
        "PositionsTotal()",
        "PositionGetTicket(0), PositionGetString(POSITION_SYMBOL)",
        "PositionGetTicket(1), PositionGetTicket(-1), PositionGetSymbol(1)",
        "PositionSelectByTicket(1), PositionSelectByTicket(7)",
        "PositionSelect('EURUSD'), PositionSelect('GBPUSD')",
        "PositionGetSymbol(0)",
        before="trade.Sell(0.25)",
    )
    assert seen == ["1", "1EURUSD", "00", "truefalse", "truefalse", "EURUSD"]


def test_position_properties_without_a_selected_position_raise_RuntimeError(tmp_path):
    with pytest.raises(RuntimeError, match="no position was selected"):
        printed(tmp_path, "PositionGetString(POSITION_SYMBOL)")


def test_the_properties_of_a_position(tmp_path):
    doubles = [f"PositionGetDouble(POSITION_{name})" for name in ("VOLUME", "PRICE_OPEN", "PRICE_CURRENT", "PROFIT")]
    names = ("TYPE", "TICKET", "IDENTIFIER", "MAGIC", "TIME", "TIME_MSC")
    integers = [f"PositionGetInteger(POSITION_{name})" for name in names]
    quotes = [Tick("EURUSD", 5_250, 100_000, 100_007)]
    bought = "trade.Buy(0.25); PositionSelect(Symbol())"
    assert printed(tmp_path, *doubles, *integers, before=bought, quotes=quotes) == [
        "0.25",
        "1.00007",
        "1.0",
        "-1.75",
        "0",
        "1",
        "1",
        "0",
        "5",
        "5250",
    ]
    sold = "trade.Sell(0.25); PositionSelect(Symbol())"
    assert printed(tmp_path, *doubles, integers[0], before=sold, quotes=quotes) == [
        "0.25",
        "1.0",
        "1.00007",
        "-1.75",
        "1",
    ]


def test_a_position_in_a_symbol_without_a_quote_has_no_current_price(tmp_path):
    account = closed_after_test(PaperAccount())
    account.trade(SymbolSpec("XAUUSD", digits=2), 10, Tick("XAUUSD", 0, 190_000, 190_030))
    seen = printed(
        tmp_path,
        "PositionGetDouble(POSITION_PRICE_OPEN)",
        "PositionGetDouble(POSITION_PRICE_CURRENT)",
        "PositionGetDouble(POSITION_PROFIT)",
        "trade.PositionClose('XAUUSD'), ' ', trade.ResultRetcodeDescription()",
        before="PositionSelect('XAUUSD')",
        account=account,
    )
    assert seen == ["1900.3", "0.0", "0.0", "false invalid request: the market has no symbol XAUUSD"]


def test_the_paper_account_is_a_netting_account(tmp_path):
    seen = printed(tmp_path, "AccountInfoInteger(ACCOUNT_MARGIN_MODE) == ACCOUNT_MARGIN_MODE_RETAIL_NETTING")
    assert seen == ["true"]


def test_CTrade_buys_at_the_ask_sells_at_the_bid_and_keeps_the_answer(tmp_path):
    answer = "trade.ResultRetcode(), ' ', trade.ResultDeal(), ' ', trade.ResultVolume(), ' ', trade.ResultPrice()"
    seen = printed(
        tmp_path,
        answer,
        "trade.Buy(0.25)",
        answer,
        "trade.Sell(0.1, 'EURUSD')",
        answer,
        "trade.ResultRetcodeDescription()",
    )
    assert seen == [
        "0 0 0.0 0.0",
        "true",
        "10009 1 0.25 1.00002",
        "true",
        "10009 2 0.1 1.0",
        "request completed",
    ]


def test_a_volume_with_the_rounding_error_of_a_sum_is_accepted(tmp_path):
    seen = printed(
        tmp_path,
        "trade.Buy(0.1 + 0.2)",
        "PositionGetDouble(POSITION_VOLUME)",
        before="trade.Buy(0.01); trade.Sell(0.01); trade.Buy(0.01); PositionSelect(Symbol())",
    )
    assert seen == ["true", "0.01"]


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("trade.Buy(0.001)", "10014 invalid volume in the request: volume 0.001 is not a multiple of the step 0.01"),
        ("trade.Buy(0)", "10014 invalid volume in the request: volume 0.0 is below the minimum 0.01"),
        ("trade.Sell(-1)", "10014 invalid volume in the request: volume -1.0 is below the minimum 0.01"),
        ("trade.Sell(100.01)", "10014 invalid volume in the request: volume 100.01 is above the maximum 100.00"),
        ("trade.Buy(float('nan'))", "10014 invalid volume in the request: volume NaN is not a multiple"),
        ("trade.Buy(1, 'XAUUSD')", "10013 invalid request: the market has no symbol XAUUSD"),
        ("trade.Buy(1, 'GBPUSD')", "10021 no quotes to process the request: GBPUSD"),
        ("trade.PositionClose('EURUSD')", "10006 request rejected: no position EURUSD"),
        ("trade.PositionClose(7)", "10006 request rejected: no position 7"),
    ],
)
def test_CTrade_reports_why_a_request_failed(tmp_path, call, answer):
    result, message = printed(tmp_path, call, "trade.ResultRetcode(), ' ', trade.ResultRetcodeDescription()")
    assert result == "false"
    assert message.startswith(answer)


@pytest.mark.parametrize("which", ["'EURUSD'", "1"])
def test_PositionClose_takes_a_symbol_or_a_ticket(tmp_path, which):
    seen = printed(tmp_path, f"trade.PositionClose({which})", "PositionsTotal()", before="trade.Buy(0.25)")
    assert seen == ["true", "0"]


def test_a_symbol_can_have_a_finer_volume_step(tmp_path):
    spec = SymbolSpec("EURUSD", volume_step=Decimal("0.001"))
    seen = printed(tmp_path, "trade.Buy(0.004)", "SymbolInfoDouble(Symbol(), SYMBOL_VOLUME_STEP)", symbols=[spec])
    assert seen == ["true", "0.001"]


def test_a_text_that_begins_with_a_minus_has_level_error_and_Alert_has_level_alert(tmp_path):
    bench = Bench(tmp_path)
    bench.attach("""
    def OnInit():
        Print("-failed ", 10035)
        Print("fine")
        printf("-%s %d", "failed", 7)
        printf("%s", "fine")
        Alert("look ", 1)
    """)
    bench.run(0.5)
    assert bench.log[:5] == [
        "probe[EURUSD,H1] error OnInit -failed 10035",
        "probe[EURUSD,H1] info OnInit fine",
        "probe[EURUSD,H1] error OnInit -failed 7",
        "probe[EURUSD,H1] info OnInit fine",
        "probe[EURUSD,H1] alert OnInit look 1",
    ]


def test_Comment_is_shown_on_the_chart_and_not_in_the_log(tmp_path):
    bench = Bench(tmp_path)
    chart = bench.attach("def OnInit(): Comment('\\n', 'WAITING CLIENT')")
    bench.run(0.5)
    assert bench.terminal.charts.view(chart.id).comment == "\nWAITING CLIENT"
    assert bench.texts() == []


def test_PositionClosePartial_takes_a_symbol_or_a_ticket(tmp_path):
    account = closed_after_test(PaperAccount())
    account.trade(SymbolSpec("GBPUSD"), 10, Tick("GBPUSD", 0, 130_000, 130_002))
    seen = printed(
        tmp_path,
        "trade.PositionClosePartial('EURUSD', 0.05)",
        "PositionGetDouble(POSITION_VOLUME)",
        "trade.PositionClosePartial(1, 0.001), ' ', trade.ResultRetcode()",
        "trade.PositionClosePartial(7, 0.05), ' ', trade.ResultRetcodeDescription()",
        "trade.PositionClosePartial(2, 50), ' ', trade.ResultVolume(), ' ', PositionsTotal()",
        before="trade.Sell(0.25); PositionSelect('EURUSD')",
        account=account,
    )
    assert seen == ["true", "0.25", "false 10014", "false request rejected: no position 7", "true 0.2 1"]


def test_a_symbol_can_be_selected_when_the_market_has_it(tmp_path):
    seen = printed(tmp_path, "SymbolSelect('GBPUSD', True), SymbolSelect('X', True), SymbolSelect('X', False)")
    assert seen == ["truefalsetrue"]


def test_an_unknown_return_code_is_shown_as_its_number(tmp_path):
    account = closed_after_test(PaperAccount())
    account.trade = lambda *_: TradeResult(10999, text="why")
    seen = printed(tmp_path, "trade.Buy(0.25), ' ', trade.ResultRetcodeDescription()", account=account)
    assert seen == ["false return code 10999: why"]
