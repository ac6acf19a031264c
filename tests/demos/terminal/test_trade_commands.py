"""The commands that trade by hand, and the help text."""

from __future__ import annotations

import pytest
from cleanup_kit import closed_after_test
from terminal_kit import Bench, ticks

from demos.terminal.charts.commands import CHART_COMMANDS
from demos.terminal.interfaces import SymbolSpec, Tick, TradeResult
from demos.terminal.mql.constants import TRADE_RETCODE_DONE
from demos.terminal.paper.account import PaperAccount
from demos.terminal.runtime.commands import help_lines
from demos.terminal.trade_commands import TRADE_COMMANDS


def answers(tmp_path, *commands: str, quotes=None, **options) -> list[str]:
    bench = Bench(tmp_path, ticks(100_000) if quotes is None else quotes, **options)
    bench.attach("def OnTick(): pass")
    for command in commands:
        bench.terminal.post(command)
    bench.run(1)
    return bench.answers


def test_buy_sell_and_close_answer_with_the_deal(tmp_path):
    assert answers(tmp_path, "buy 0.25", "sell 0.10", "close") == [
        "done: buy 0.25 EURUSD at 1.00002, deal 1",
        "done: sell 0.10 EURUSD at 1.00000, deal 2",
        "done: sell 0.15 EURUSD at 1.00000, deal 3",
    ]


def test_positions_shows_one_line_per_symbol_with_its_signed_volume(tmp_path):
    account = closed_after_test(PaperAccount())
    account.trade(SymbolSpec("XAUUSD", digits=2), -10, Tick("XAUUSD", 0, 190_000, 190_030))
    seen = answers(tmp_path, "positions", "sell 0.10", "positions", account=account)
    assert seen[:2] == ["EURUSD 0.00", "XAUUSD -0.10"]
    assert seen[3:] == ["EURUSD -0.10", "XAUUSD -0.10"]


def test_help_names_every_command(tmp_path):
    lines = answers(tmp_path, "help")
    assert lines == help_lines([*TRADE_COMMANDS, *CHART_COMMANDS])
    names = [line.split()[0] for line in lines]
    assert names[:6] == ["buy", "sell", "close", "stops", "positions", "chart"]
    assert names[-3:] == ["picture", "help", "quit"]


def test_quit_ends_the_program(tmp_path):
    bench = Bench(tmp_path)
    bench.attach("def OnDeinit(reason): Print('deinit ', reason)")
    bench.terminal.post("quit")
    bench.terminal.post("help")
    assert bench.run() == 0
    assert bench.texts() == ["deinit 9"]
    assert bench.answers == []


def test_case_and_extra_blanks_are_ignored_and_so_is_an_empty_line(tmp_path):
    assert answers(tmp_path, "  BUY   0.25 ", "", "   ") == ["done: buy 0.25 EURUSD at 1.00002, deal 1"]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("bye", "error: unknown command 'bye'; help lists the commands"),
        ("\x1b[2Jx", "error: unknown command '\\x1b[2Jx'; help lists the commands"),
        ("x" * 5000, f"error: unknown command '{'x' * 40}'; help lists the commands"),
        ("buy", "error: buy needs one volume in lots, as in: buy 0.25"),
        ("buy 1 2", "error: buy needs one volume in lots, as in: buy 0.25"),
        ("sell -1", "error: sell needs one volume in lots, as in: sell 0.25"),
        ("sell 1e2", "error: sell needs one volume in lots, as in: sell 0.25"),
        ("buy nan", "error: buy needs one volume in lots, as in: buy 0.25"),
        ("buy 0.001", "error: volume 0.001 is not a multiple of the step 0.01"),
        ("buy 0", "error: volume 0 is below the minimum 0.01"),
        ("buy 100.01", "error: volume 100.01 is above the maximum 100.00"),
        ("close", "error: there is no position in EURUSD"),
        ("close EURUSD", "error: close takes no arguments, not 'EURUSD'"),
    ],
)
def test_an_invalid_command_is_answered_with_one_error_line(tmp_path, command, answer):
    assert answers(tmp_path, command) == [answer]


def test_without_a_quote_there_is_no_trade(tmp_path):
    assert answers(tmp_path, "buy 1", quotes=[]) == ["error: no quotes to process the request: EURUSD"]


def test_an_order_without_a_deal_is_answered_with_its_text(tmp_path):
    account = closed_after_test(PaperAccount())
    account.trade = lambda *_: TradeResult(TRADE_RETCODE_DONE, text="a dry run, nothing was sent")
    assert answers(tmp_path, "buy 0.25", account=account) == ["done: a dry run, nothing was sent"]


def test_an_unknown_return_code_is_answered_as_its_number(tmp_path):
    account = closed_after_test(PaperAccount())
    account.trade = lambda *_: TradeResult(10999, text="why")
    assert answers(tmp_path, "buy 0.25", account=account) == ["error: 10999: why"]


def test_stops_sets_stop_loss_and_take_profit_of_the_position(tmp_path):
    assert answers(tmp_path, "buy 0.25", "stops 0.99000 1.01", "stops 0 1.01", "stops 0 1.01")[1:] == [
        "done: position 1 in EURUSD has stop loss 0.99000, take profit 1.01000",
        "done: position 1 in EURUSD has stop loss none, take profit 1.01000",
        "error: nothing to change in the request: position 1 has these stops",
    ]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("stops 0.99", "error: stops needs two prices, 0 for none, as in: stops 1.07000 0"),
        ("stops -1 0", "error: stops needs two prices, 0 for none, as in: stops 1.07000 0"),
        ("stops 0.990001 0", "error: 0.990001 has more than the 5 decimal places of EURUSD"),
        (
            "stops 1.00000 0",
            "error: invalid stops in the request: "
            "the stop loss 1.00000 of a long position must be below the bid 1.00000",
        ),
    ],
)
def test_stops_that_are_no_prices_or_on_the_wrong_side_are_an_error(tmp_path, command, answer):
    assert answers(tmp_path, "buy 0.25", command)[1:] == [answer]


def test_stops_without_a_position_is_an_error(tmp_path):
    assert answers(tmp_path, "stops 0.99 0") == ["error: there is no position in EURUSD"]
