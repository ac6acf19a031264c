"""MQL's functions for the account's money and for stops, called by a program."""

from __future__ import annotations

from decimal import Decimal

import pytest
from cleanup_kit import closed_after_test
from terminal_kit import GBPUSD, Bench, ticks

from demos.terminal.interfaces import Stops, SymbolSpec, Tick
from demos.terminal.mql.constants import ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
from demos.terminal.paper.account import PaperAccount
from demos.terminal.paper.account_file import AccountTerms

FIGURES = [f"AccountInfoDouble(ACCOUNT_{name})" for name in ("BALANCE", "EQUITY", "PROFIT")]
STOPS = ("PositionGetDouble(POSITION_SL)", "PositionGetDouble(POSITION_TP)")
ANSWER = "trade.ResultRetcode(), ' ', trade.ResultRetcodeDescription()"


def paper(**terms: object) -> PaperAccount:
    return closed_after_test(PaperAccount(terms=AccountTerms(**terms)))


def printed(bench: Bench, *expressions: str, before: str = "pass") -> list[str]:
    """The values of these expressions in OnInit, printed one per line."""
    lines = "\n        ".join(f"Print({expression})" for expression in expressions)
    bench.attach(f"""
    trade = CTrade()
    def OnInit():
        {before}
        {lines}
    """)
    bench.run(0.5)
    return bench.texts()


def test_balance_equity_and_profit_are_in_the_accounts_currency(tmp_path):
    bench = Bench(tmp_path, ticks(100_000), account=paper(balance=Decimal("2500.50")))
    seen = printed(
        bench,
        *FIGURES,
        "AccountInfoString(ACCOUNT_CURRENCY), AccountInfoInteger(ACCOUNT_CURRENCY_DIGITS)",
        "PositionGetDouble(POSITION_PROFIT)",
        "trade.PositionClose('EURUSD')",
        *FIGURES,
        before="trade.Buy(0.25); PositionSelect('EURUSD')",
    )
    assert seen == ["2500.5", "2500.0", "-0.5", "USD2", "-0.5", "true", "2500.0", "2500.0", "0.0"]


def test_a_profit_is_converted_at_a_pair_that_the_market_quotes(tmp_path):
    symbols = [SymbolSpec("USDJPY", digits=3), SymbolSpec("EURJPY", digits=3)]
    account = paper()
    account.trade(symbols[1], 10, Tick("EURJPY", 0, 160_000, 160_000))
    quotes = [Tick("EURJPY", 0, 160_300, 160_310), Tick("USDJPY", 0, 149_990, 150_000)]
    bench = Bench(tmp_path, quotes, symbols=symbols, account=account)
    bench.attach(
        f"""
    def OnTick():
        PositionSelect('EURJPY')
        Print(PositionGetDouble(POSITION_PROFIT), ' ', {FIGURES[1]})
    """,
        "EURJPY",
    )
    bench.attach(f"def OnTick(): Print({FIGURES[1]})", "USDJPY", "second")
    bench.run(3)
    assert bench.texts() == ["0.0 10000.0"]
    assert bench.texts("second") == ["10020.0"]
    assert [line for line in bench.log if "alert" in line] == [
        "terminal alert account EURJPY: its profit is in JPY, and the market has no quote of JPY and USD; "
        "balance, equity and profits leave it out"
    ]


def test_the_currencies_of_a_symbol(tmp_path):
    names = ("SYMBOL_CURRENCY_BASE", "SYMBOL_CURRENCY_PROFIT")
    calls = [f"SymbolInfoString('{symbol}', {name})" for symbol in ("GBPUSD", "GOLD", "X") for name in names]
    bench = Bench(tmp_path, ticks(100_000), symbols=[SymbolSpec("EURUSD"), GBPUSD, SymbolSpec("GOLD")])
    assert printed(bench, *calls) == ["GBP", "USD", "", "", "", ""]


def test_an_order_carries_stops_and_PositionModify_replaces_them(tmp_path):
    bench = Bench(tmp_path, ticks(100_000))
    seen = printed(
        bench,
        *STOPS,
        "trade.PositionModify('EURUSD', 0.98, 0)",
        "PositionSelectByTicket(1)",
        *STOPS,
        "trade.PositionModify(1, 0.98, 0), ' ', trade.ResultRetcode()",
        "trade.PositionModify(1, 0.0, 1.005), ' ', trade.ResultRetcode()",
        "PositionSelect('EURUSD')",
        *STOPS,
        before="trade.Buy(0.25, None, 0, 0.99, 1.01); PositionSelect('EURUSD')",
    )
    assert seen == ["0.99", "1.01", "true", "true", "0.98", "0.0", "false 10025", "true 10009", "true", "0.0", "1.005"]


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("trade.PositionModify('GBPUSD', 0, 0)", "10006 request rejected: no position GBPUSD"),
        ("trade.PositionModify(7, 0, 0)", "10006 request rejected: no position 7"),
        (
            "trade.PositionModify(1, 1.0, 0)",
            "10016 invalid stops in the request: "
            "the stop loss 1.00000 of a long position must be below the bid 1.00000",
        ),
        *(
            (
                f"trade.{call}",
                f"10016 invalid stops in the request: {price} is not a price of EURUSD with 5 digits; "
                "NormalizeDouble rounds it",
            )
            for call, price in (
                ("PositionModify(1, 0.990001, 0)", "0.990001"),
                ("PositionModify(1, -1.0, 0)", "-1.0"),
                ("Buy(1, 'EURUSD', 0, float('nan'))", "nan"),
                ("Sell(1, 'EURUSD', 0, 0, float('inf'))", "inf"),
            )
        ),
        (
            "trade.Sell(0.1, 'EURUSD', 0, 0.99)",
            "10016 invalid stops in the request: "
            "the stop loss 0.99000 of a short position must be above the ask 1.00002",
        ),
    ],
)  # fmt: skip
def test_stops_that_cannot_be_set_are_reported(tmp_path, call, answer):
    hedging = paper(margin_mode=ACCOUNT_MARGIN_MODE_RETAIL_HEDGING)
    bench = Bench(tmp_path, ticks(100_000), account=hedging)
    assert printed(bench, call, ANSWER, before="trade.Buy(0.25)") == ["false", answer]
    assert bench.log.count("terminal info deal #1 EURUSD 0.25 at 1.00002 -> 0.25") == 1
    assert not any("deal #2" in line for line in bench.log)


def test_a_price_may_have_the_rounding_error_of_a_double(tmp_path):
    bench = Bench(tmp_path, ticks(100_000))
    assert 0.7 + 0.2 + 0.09 != 0.99
    seen = printed(
        bench,
        "trade.PositionModify('EURUSD', 0.7 + 0.2 + 0.09, 0)",
        "PositionSelect('EURUSD'), PositionGetDouble(POSITION_SL)",
        before="trade.Buy(0.25)",
    )
    assert seen == ["true", "true0.99"]


def test_a_stop_is_executed_before_OnTick_and_new_stops_and_the_deal_cause_OnTrade(tmp_path):
    bench = Bench(tmp_path, ticks(100_000, 99_500, 99_000))
    bench.attach("""
    def OnInit():
        trade = CTrade()
        trade.Buy(0.25)
        trade.PositionModify('EURUSD', 0.9901, 0)
    def OnTick(): Print('tick ', PositionsTotal())
    def OnTrade(): Print('trade ', PositionsTotal())
    """)
    bench.run(5)
    assert bench.texts() == ["tick 1", "trade 1", "trade 1", "tick 1", "tick 0", "trade 0"]
    assert [line for line in bench.log if line.startswith("terminal info") and "#" in line] == [
        "terminal info deal #1 EURUSD 0.25 at 1.00002 -> 0.25",
        "terminal info stops #1 EURUSD stop loss 0.99010, take profit none",
        "terminal info deal #2 EURUSD -0.25 at 0.99000 -> 0.00 (sl 0.99010)",
    ]


def test_the_virtual_account_executes_stops_and_leaves_the_account_alone(tmp_path):
    account = paper()
    bench = Bench(tmp_path, ticks(100_000, 99_000), account=account)
    bench.attach("""
    def OnInit():
        UseVirtualAccount()
        CTrade().Buy(0.25, None, 0, 0.9901)
    def OnTrade(): Print(PositionsTotal(), ' ', AccountInfoDouble(ACCOUNT_BALANCE))
    """)
    bench.terminal.run(5)
    assert bench.texts() == ["1 10000.0", "0 9749.5"]
    assert account.positions() == ()
    assert account.figures().balance == 10_000
    assert any("virtual_deal #2 EURUSD -0.25 at 0.99000 -> 0.00 (sl 0.99010)" in line for line in bench.log)


def test_quotes_of_the_history_execute_no_stop(tmp_path):
    bench = Bench(tmp_path, ticks(100_000, 99_000))
    bench.account.trade(SymbolSpec("EURUSD"), 10, Tick("EURUSD", 0, 100_000, 100_002))
    bench.account.modify(1, Stops(99_500), Tick("EURUSD", 0, 100_000, 100_002))
    bench.terminal.take_quote(Tick("EURUSD", 0, 90_000, 90_002))
    assert len(bench.account.positions()) == 1


def test_a_program_reads_a_hedging_account_and_closes_by_ticket(tmp_path):
    bench = Bench(tmp_path, ticks(100_000), account=paper(margin_mode=ACCOUNT_MARGIN_MODE_RETAIL_HEDGING))
    seen = printed(
        bench,
        "AccountInfoInteger(ACCOUNT_MARGIN_MODE) == ACCOUNT_MARGIN_MODE_RETAIL_HEDGING, PositionsTotal()",
        "trade.PositionClosePartial(2, 0.05), ' ', trade.PositionClose(1), ' ', PositionsTotal()",
        "PositionGetTicket(0), ' ', PositionGetDouble(POSITION_VOLUME)",
        "trade.PositionClose(1), ' ', trade.ResultRetcodeDescription()",
        before="trade.Buy(0.25); trade.Sell(0.1)",
    )
    assert seen == ["true2", "true true 1", "2 0.05", "false request rejected: no position 1"]


def test_stops_in_a_market_with_other_digits_are_rejected(tmp_path):
    account = paper()
    account.trade(SymbolSpec("GBPUSD", digits=4), 10, Tick("GBPUSD", 0, 13_000, 13_001))
    quotes = [*ticks(100_000), *ticks(130_000, symbol="GBPUSD")]
    bench = Bench(tmp_path, quotes, account=account)
    bench.attach(
        """
    def OnTick():
        trade = CTrade()
        Print(trade.PositionModify('GBPUSD', 1.2, 0), ' ', trade.ResultRetcodeDescription())
    """,
        "GBPUSD",
    )
    bench.run(3)
    text = "GBPUSD: the position has 4 digits, the market's quotes have 5"
    assert bench.texts() == [f"false invalid request: {text}"]
