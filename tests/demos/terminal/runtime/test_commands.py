"""Commands on standard input."""

from __future__ import annotations

import os

import pytest
from terminal_kit import Bench, ticks

from demos.terminal.charts.commands import CHART_COMMANDS
from demos.terminal.interfaces import SymbolSpec, Tick, TradeResult
from demos.terminal.mql.constants import TRADE_RETCODE_DONE
from demos.terminal.paper.account import PaperAccount
from demos.terminal.runtime.commands import help_lines, read_commands, start_reading
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


def test_positions_shows_each_symbol_s_signed_volume_a_line(tmp_path):
    account = PaperAccount()
    account.trade(SymbolSpec("XAUUSD", digits=2), -10, Tick("XAUUSD", 0, 190_000, 190_030))
    seen = answers(tmp_path, "positions", "sell 0.10", "positions", account=account)
    assert seen[:2] == ["EURUSD 0.00", "XAUUSD -0.10"]
    assert seen[3:] == ["EURUSD -0.10", "XAUUSD -0.10"]


def test_help_names_every_command(tmp_path):
    lines = answers(tmp_path, "help")
    assert lines == help_lines([*TRADE_COMMANDS, *CHART_COMMANDS])
    names = [line.split()[0] for line in lines]
    assert names[:5] == ["buy", "sell", "close", "positions", "chart"]
    assert names[-3:] == ["picture", "help", "quit"]


def test_quit_ends_the_program(tmp_path):
    bench = Bench(tmp_path)
    bench.attach("def OnDeinit(reason): Print('deinit ', reason)")
    bench.terminal.post("quit")
    bench.terminal.post("help")
    assert bench.run() == 0
    assert bench.texts() == ["deinit 9"]
    assert bench.answers == []


def test_case_and_blanks_do_not_matter_and_an_empty_line_is_nothing(tmp_path):
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
def test_a_bad_command_gets_one_clear_line(tmp_path, command, answer):
    assert answers(tmp_path, command) == [answer]


def test_without_a_quote_there_is_no_trade(tmp_path):
    assert answers(tmp_path, "buy 1", quotes=[]) == ["error: no quotes to process the request: EURUSD"]


def test_an_order_that_was_done_without_a_deal_tells_why(tmp_path):
    account = PaperAccount()
    account.trade = lambda *_: TradeResult(TRADE_RETCODE_DONE, text="a dry run, nothing was sent")
    assert answers(tmp_path, "buy 0.25", account=account) == ["done: a dry run, nothing was sent"]


def test_a_code_that_nobody_knows_is_answered_by_its_number(tmp_path):
    account = PaperAccount()
    account.trade = lambda *_: TradeResult(10999, text="why")
    assert answers(tmp_path, "buy 0.25", account=account) == ["error: 10999: why"]


def feed(tmp_path, data: bytes) -> list[str]:
    """What is posted for these bytes."""
    path = tmp_path / "input"
    path.write_bytes(data)
    posted: list[str] = []
    with path.open("rb") as file:
        read_commands(file.fileno(), posted.append)
    return posted


def test_lines_are_read_with_either_end_and_the_last_one_needs_none(tmp_path):
    assert feed(tmp_path, b"buy 1\r\nsell 2\n\nclose") == ["buy 1", "sell 2", "", "close"]


def test_the_end_of_the_input_posts_nothing_of_its_own(tmp_path):
    assert feed(tmp_path, b"") == [""]
    assert feed(tmp_path, b"help\n") == ["help", ""]


def test_an_endless_line_takes_bounded_memory(tmp_path):
    (line, *rest) = feed(tmp_path, b"x" * 60_000 + b"\nhelp\n")
    assert 4096 < len(line) <= 8192
    assert rest == ["help", ""]


def test_what_is_no_text_is_replaced(tmp_path):
    assert feed(tmp_path, b"\xff\xfe\n")[0] == "\ufffd\ufffd"


def test_a_descriptor_that_cannot_be_read_is_at_its_end():
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    posted: list[str] = []
    read_commands(reader, posted.append)
    assert posted == [""]


def test_commands_are_read_in_a_thread_of_their_own():
    reader, writer = os.pipe()
    posted: list[str] = []
    thread = start_reading(posted.append, reader)
    os.write(writer, b"help\n")
    os.close(writer)
    thread.join()
    os.close(reader)
    assert thread.daemon
    assert posted == ["help", ""]
