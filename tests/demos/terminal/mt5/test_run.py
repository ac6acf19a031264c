"""`--terminal mt5` from its options to the program, on the stand-in."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mt5_stand_in import ACCOUNT_MARGIN_MODE_RETAIL_HEDGING, StandIn, broker
from terminal_kit import demos

from demos.__main__ import main
from demos.launcher.mt5_options import add_mt5_options, mt5_settings
from demos.terminal.mt5 import Settings

PROBE = '''\
"""Trades once."""
from demos.terminal import *

def OnInit():
    EventSetMillisecondTimer(10)
    Print("positions ", PositionsTotal(), ", bid ", SymbolInfoDouble(Symbol(), SYMBOL_BID))
    trade = CTrade()
    Print("buy ", trade.Buy(0.25), " ", trade.ResultRetcodeDescription())

def OnTrade():
    Print("trade")

def OnTimer():
    if PositionsTotal() and PositionGetTicket(0):
        Print("magic ", PositionGetInteger(POSITION_MAGIC))
    ExpertRemove()
'''


@pytest.fixture
def mt5(monkeypatch) -> StandIn:
    """The stand-in in the package's place; what comes on standard input is left alone."""
    stand_in = broker()
    monkeypatch.setitem(sys.modules, "MetaTrader5", stand_in)
    monkeypatch.setattr(sys, "stdin", None)
    return stand_in


@pytest.fixture
def run(mt5, tmp_path, monkeypatch) -> Callable[..., tuple[int, list[str]]]:
    """Run the probe with these options: its exit code and its log without the times."""
    path = tmp_path / "probe.py"
    path.write_text(PROBE, encoding="utf-8")

    def run(*options: str) -> tuple[int, list[str]]:
        log = io.StringIO()
        monkeypatch.setattr(sys, "stderr", log)
        code = main(["run", str(path), "--terminal", "mt5", *options])
        return code, [line.partition(" ")[2] for line in log.getvalue().splitlines()]

    return run


def test_without_live_a_program_runs_on_the_real_market_and_its_orders_are_only_logged(run, mt5):
    code, log = run()
    assert code == 0
    assert log == [
        "terminal info market MetaTrader 5 build 5200, demo account 1234 at Broker-Demo, netting; no order is sent; "
        "all positions are its own",
        "terminal alert market without --live the terminal only checks each order: none is executed, and the positions "
        "stay as they are; --live --magic N sends orders",
        "probe[EURUSD,H1] info OnInit positions 0, bid 1.1",
        "terminal info order dry run, not sent: buy 0.25 EURUSD at 1.10002, deviation 10, filling FOK, magic 0",
        "probe[EURUSD,H1] info OnInit buy true request completed: a dry run, nothing was sent",
    ]
    assert mt5._sent == []


def test_live_orders_are_sent_with_the_magic_number_and_deals_are_logged(run, mt5):
    code, log = run("--live", "--magic", "7", "--deviation", "5")
    assert code == 0
    assert log[0].startswith("terminal alert market MetaTrader 5 build 5200, demo account 1234 at Broker-Demo, netting")
    assert log[0].endswith("ORDERS ARE SENT; its own positions have magic 7")
    assert "terminal info deal #101 EURUSD 0.25 at 1.10002 -> 0.25" in log
    assert "probe[EURUSD,H1] info OnTrade trade" in log
    assert "probe[EURUSD,H1] info OnTimer magic 7" in log
    assert [(request["magic"], request["deviation"]) for request in mt5._sent] == [(7, 5)]


def test_the_connection_is_closed_at_the_end(run, mt5):
    run()
    assert mt5._initialized == []


def test_the_terminals_path_is_passed_to_the_package(run, mt5, monkeypatch):
    seen: list[tuple[str, ...]] = []
    real = mt5.initialize
    monkeypatch.setattr(mt5, "initialize", lambda *path: seen.append(path) or real(*path))
    run("--mt5-path", "terminal64.exe")
    assert seen == [("terminal64.exe",)]


def test_a_symbol_that_the_terminal_lacks_is_an_invalid_option(run):
    with pytest.raises(SystemExit) as caught:
        run("--Symbol", "NOTHING")
    assert caught.value.code == 2


def test_without_a_terminal_there_is_one_line_with_its_code_and_exit_code_4(run, mt5):
    mt5._running = False
    code, log = run()
    assert code == 4
    assert [line.partition("error: ")[2] for line in log] == [
        "cannot connect to MetaTrader 5: -10003 IPC initialize failed, MetaTrader 5 x64 not found"
    ]


def test_a_call_that_fails_for_a_time_is_reported_and_does_not_end_the_program(run, mt5, monkeypatch):
    real, calls = mt5.positions_get, []

    def positions_get(**filters: object) -> object:
        calls.append(filters)
        if len(calls) in (1, 3):
            mt5._error = (-1, "Terminal: Call failed")
            return None
        return real(**filters)

    monkeypatch.setattr(mt5, "positions_get", positions_get)
    code, log = run("--live", "--magic", "any")
    assert code == 0
    failed = "terminal alert mt5 the positions: -1 Terminal: Call failed; trying again"
    again = "terminal alert mt5 the positions: read again"
    assert [line for line in log if line in (failed, again)][:2] == [failed, again]


def test_a_lost_connection_ends_the_program_with_one_line_and_exit_code_4(run, mt5, monkeypatch):
    real = mt5.positions_get

    def positions_get(**filters: object) -> object:
        mt5._running = mt5._running and not mt5._sent
        return real(**filters)

    monkeypatch.setattr(mt5, "positions_get", positions_get)
    code, log = run("--live", "--magic", "any")
    assert code == 4
    assert log[-1].endswith("error: the positions: -10004 No IPC connection")
    assert mt5._initialized == []


@pytest.mark.parametrize(
    ("structure", "field", "value", "text"),
    [
        ("_terminal", "connected", False, "the terminal is not connected to its trade server"),
        ("_terminal", "trade_allowed", False, "the terminal does not allow programs to trade: turn AutoTrading on"),
        ("_terminal", "tradeapi_disabled", True, "the terminal does not allow Python to trade"),
        ("_account", "trade_allowed", False, "account 1234 does not allow trading"),
        ("_account", "trade_expert", False, "account 1234 does not allow programs to trade"),
    ],
)
def test_where_trading_is_not_allowed_live_is_an_error_and_a_dry_run_works(run, mt5, structure, field, value, text):
    setattr(mt5, structure, getattr(mt5, structure)._replace(**{field: value}))
    code, log = run("--live", "--magic", "7")
    assert code == 4
    assert text in log[0]
    assert len(log) == 1
    assert run()[0] == 0


@pytest.mark.parametrize(("mode", "kind"), [(1, "contest account"), (2, "REAL account"), (9, "kind 9 account")])
def test_the_first_line_names_the_kind_of_account(run, mt5, mode, kind):
    mt5._account = mt5._account._replace(trade_mode=mode, margin_mode=mode)
    assert kind in run()[1][0]


def test_without_the_package_there_is_one_line_and_exit_code_4(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "MetaTrader5", None)
    code, log = run()
    assert code == 4
    assert len(log) == 1
    assert "the package MetaTrader5 is not installed" in log[0]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--terminal", "mt5", "--account", "x"], "--account is not for --terminal mt5"),
        (["--terminal", "mt5", "--balance", "0"], "--balance is not for --terminal mt5"),
        (["--terminal", "mt5", "--currency", "EUR"], "--currency is not for --terminal mt5"),
        (["--terminal", "mt5", "--margin-mode", "hedging"], "--margin-mode is not for --terminal mt5"),
        (["--terminal", "mt5", "--seed", "0"], "--seed is not for --terminal mt5"),
        (["--terminal", "mt5", "--history", "5"], "--history is not for --terminal mt5"),
        (["--terminal", "mt5", "--live"], "--live needs --magic: "),
        (["--magic", "0"], "--magic is not for --terminal embedded"),
        (["--filling", "ioc"], "--filling is not for --terminal embedded"),
        (["--filling", "all"], "argument --filling: invalid choice: 'all'"),
        (["--mt5-path", "x"], "--mt5-path is not for --terminal embedded"),
        (["--live", "--magic", "7"], "--magic is not for --terminal embedded"),
        (["--magic", "-1"], "argument --magic: "),
        (["--magic", "some"], "argument --magic: 'some' is not a whole number of at least 0"),
        (["--deviation", "1.5"], "argument --deviation: '1.5' is not a whole number of at least 0"),
        (["--terminal", "other"], "argument --terminal: invalid choice"),
    ],
)
def test_incompatible_options_are_rejected(capsys, options, text):
    with pytest.raises(SystemExit) as caught:
        main(["run", "signal_client", *options])
    assert caught.value.code == 2
    assert text in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ([], Settings(None, None, 10, False)),
        (["--magic", "any", "--live"], Settings(None, None, 10, True)),
        (["--magic", "0", "--deviation", "0"], Settings(None, 0, 0, False)),
        (["--mt5-path", "x"], Settings(Path("x"), None, 10, False)),
        (["--filling", "fok"], Settings(filling=0)),
        (["--filling", "ioc"], Settings(filling=1)),
        (["--filling", "return"], Settings(filling=2)),
    ],
)
def test_options_become_settings(options, settings):
    parser = argparse.ArgumentParser()
    add_mt5_options(parser)
    assert mt5_settings(parser.parse_args(options)) == settings


@pytest.mark.posix_only(reason="on Windows the package can be installed")
def test_on_other_systems_than_windows_there_is_one_line():
    done = demos("run", "signal_client", "--terminal", "mt5")
    assert (done.returncode, len(done.stderr.splitlines())) == (4, 1)


def test_the_first_line_names_a_hedging_account(run, mt5):
    mt5._account = mt5._account._replace(margin_mode=ACCOUNT_MARGIN_MODE_RETAIL_HEDGING)
    assert "hedging; no order is sent" in run()[1][0]


CHECKED = (
    "without --live the terminal only checks each order: none is executed, and the positions stay as they are; "
    "--live --magic N sends orders; --dry trades on a virtual account instead"
)


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        ([], [CHECKED]),
        (["--dry=false"], [CHECKED]),
        (["--dry"], []),
        (["--live", "--magic", "7"], []),
    ],
)
def test_the_copier_on_a_real_terminal_says_at_the_start_when_no_order_is_executed(mt5, capsys, options, texts):
    assert main(["run", "copier", "--terminal", "mt5", "--duration", "0.01", *options]) == 0
    log = capsys.readouterr().err
    assert [line.split(" ", 4)[4] for line in log.splitlines() if "terminal alert market without" in line] == texts
    assert ("dry run: orders are executed in a virtual account" in log) is ("--dry" in options)
    assert mt5._checked == mt5._sent == []


def test_a_program_that_does_not_trade_says_nothing_about_orders(mt5, capsys):
    assert main(["run", "tick_sender", "--terminal", "mt5", "--duration", "0.01"]) == 0
    assert "without --live" not in capsys.readouterr().err


def test_live_and_dry_exclude_each_other(mt5, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["run", "copier", "--terminal", "mt5", "--live", "--magic", "7", "--dry"])
    assert caught.value.code == 2
    assert "--live sends orders and --dry does not: give one of them" in capsys.readouterr().err
