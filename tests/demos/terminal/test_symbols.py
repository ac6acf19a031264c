"""Symbol names with blanks, dots, ``#`` and letters of either case work everywhere in the terminal."""

from __future__ import annotations

from contextlib import closing

import pytest
from mt5_stand_in import broker
from terminal_kit import Bench, ticks

from demos.terminal.charts import layout, operations
from demos.terminal.charts.template import parse, to_bytes
from demos.terminal.interfaces import ProgramError, SymbolSpec, Tick
from demos.terminal.mql.constants import PERIOD_M15
from demos.terminal.mt5.market import Mt5Market
from demos.terminal.paper.account import PaperAccount
from demos.terminal.symbols import LONGEST_SYMBOL, symbol_problem

NAMES = ["Volatility 75 Index", "eurusd", "EURUSD_i", "EURUSD.m", "#AAPL", "US500.cash", "Step  Index", "ЗОЛОТО"]


@pytest.mark.parametrize("name", NAMES)
def test_the_names_of_brokers_are_valid(name):
    assert symbol_problem(name) is None


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "is empty"),
        (" EURUSD", "neither begins nor ends with a blank"),
        ("EURUSD ", "neither begins nor ends with a blank"),
        ("EUR\nUSD", "no control characters"),
        ("EUR\0USD", "no control characters"),
        ("EUR|USD", "cannot contain '|'"),
        ("a<<b", "cannot contain '<<'"),
        ("a>>b", "cannot contain '>>'"),
        ("<a", "cannot begin with '<'"),
        ("x" * (LONGEST_SYMBOL + 1), f"at most {LONGEST_SYMBOL} characters"),
    ],
)
def test_an_invalid_name_has_a_reason(name, problem):
    assert problem in (symbol_problem(name) or "")
    assert symbol_problem("x" * LONGEST_SYMBOL) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_chart_can_show_any_name_by_command_and_by_function(tmp_path, name):
    bench = Bench(tmp_path, ticks(110_000, symbol=name), symbols=[SymbolSpec("EURUSD"), SymbolSpec(name)])
    bench.attach(f"""
    def OnInit():
        Print(Symbol())
        EventSetTimer(1)
    def OnTimer():
        if Symbol() == "EURUSD": Print(ChartSetSymbolPeriod(0, {name!r}, PERIOD_M15))
    """)
    bench.terminal.post(f"chart {name} M5")
    bench.terminal.post("buy 0.10")
    bench.terminal.post("positions")
    bench.terminal.post("  chart   EURUSD   M1  ")
    bench.run(2.5)
    assert bench.answers == [
        f"done: {name} M5",
        f"done: buy 0.10 {name} at 1.10002, deal 1",
        f"{name} 0.10",
        "done: EURUSD M1",
    ]
    assert bench.texts()[0] == "EURUSD"
    assert bench.texts()[-2:] == ["true", name]


@pytest.mark.parametrize("name", NAMES)
def test_a_program_runs_on_a_chart_of_any_name(tmp_path, name):
    bench = Bench(tmp_path, ticks(1, symbol=name), symbols=[SymbolSpec(name)])
    bench.attach("def OnTick(): Print(Symbol(), ' ', SymbolInfoDouble(Symbol(), SYMBOL_BID) > 0)", name)
    bench.run(1)
    assert bench.texts() == [f"{name} true"]
    assert bench.log[0].startswith(f"probe[{name},H1] info OnTick")


@pytest.mark.parametrize(("name", "text"), [("EURUSD", "no symbol EURUSD"), ("eur|usd", "cannot contain '|'")])
def test_a_name_must_be_exactly_that_of_the_market(tmp_path, name, text):
    bench = Bench(tmp_path, symbols=[SymbolSpec("eurusd")])
    with closing(bench.account), pytest.raises(ProgramError) as caught:
        bench.attach("def OnTick(): pass", name)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("chart M1", "error: chart needs a symbol and a period, as in: chart EURUSD M15"),
        ("chart Volatility 75 Index", "error: unknown period 'Index'; periods: M1"),
        ("chart eurusd M1", "error: the market has no symbol eurusd"),
        ("chart a|b M1", "error: a symbol's name cannot contain '|'"),
    ],
)
def test_the_last_word_of_the_chart_command_is_the_period(tmp_path, line, answer):
    bench = Bench(tmp_path, ticks(1))
    bench.attach("def OnTick(): pass")
    bench.terminal.post(line)
    bench.run(1)
    assert bench.answers[0].startswith(answer)


@pytest.mark.parametrize("name", NAMES)
def test_the_paper_account_keeps_a_position_of_any_name(tmp_path, name):
    path = tmp_path / "account.db"
    with closing(PaperAccount(path)) as account:
        account.trade(SymbolSpec(name), 10, Tick(name, 0, 1000, 1002))
    with closing(PaperAccount(path)) as account:
        assert [position.spec.name for position in account.positions()] == [name]


@pytest.mark.parametrize("name", NAMES)
def test_a_template_keeps_any_name(tmp_path, name):
    bench = Bench(tmp_path, symbols=[SymbolSpec(name)])
    chart = bench.attach("def OnTick(): pass", name)
    data = to_bytes(operations.template_of(bench.terminal, chart.id))
    assert layout.root(parse(data)).get("symbol") == name
    assert operations.set_symbol_period(bench.terminal, chart.id, name, PERIOD_M15) is None
    bench.account.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_real_terminal_is_asked_for_exactly_the_name(name):
    mt5 = broker()
    mt5._add(name)
    symbols = Mt5Market(mt5).symbols()
    assert symbols[name].name == name
    assert mt5._selected == {name}


def test_a_real_symbol_that_differs_in_case_is_another_symbol():
    mt5 = broker()
    info = mt5.symbol_info
    mt5.symbol_info = lambda name: info(name.upper())
    mt5.symbol_select = lambda name, enable: True
    symbols = Mt5Market(mt5).symbols()
    assert symbols.get("eurusd") is None
    assert symbols.get("EURUSD") is not None
