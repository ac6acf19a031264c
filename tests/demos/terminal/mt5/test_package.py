"""The real package MetaTrader5: that the stand-in has its names, and what it says where no terminal is.

It exists for Windows alone, and is installed in the Python of tests/wine.
"""

from __future__ import annotations

import subprocess
import sys
import typing

import mt5_stand_in
import pytest
from terminal_kit import ROOT, demos

from demos.terminal.interfaces import Stops
from demos.terminal.mt5 import api, requests

real = pytest.importorskip("MetaTrader5", reason="the package MetaTrader5 exists for Windows alone")

CALLS = [name for name in vars(api.Mt5) if not name.startswith("_")]
TYPED = {
    api.AccountInfo: "AccountInfo",
    api.TerminalInfo: "TerminalInfo",
    api.SymbolInfo: "SymbolInfo",
    api.LastTick: "Tick",
    api.TradePosition: "TradePosition",
    api.TradeOrder: "TradeOrder",
    api.TradeDeal: "TradeDeal",
    api.OrderCheckResult: "OrderCheckResult",
    api.OrderSendResult: "OrderSendResult",
}


@pytest.mark.parametrize("structure", mt5_stand_in.STRUCTURES, ids=lambda structure: structure.__name__)
def test_the_stand_in_has_the_fields_of_each_structure_in_order(structure):
    assert getattr(real, structure.__name__).__match_args__ == structure._fields


@pytest.mark.parametrize("name", CALLS)
def test_each_used_call_exists_in_the_package_and_the_stand_in(name):
    assert callable(getattr(real, name))
    assert callable(getattr(mt5_stand_in.StandIn, name))


def test_the_stand_in_has_no_call_that_the_package_lacks():
    assert sorted(name for name in vars(mt5_stand_in.StandIn) if not name.startswith("_")) == sorted(CALLS)


@pytest.mark.parametrize("module", [api, mt5_stand_in])
def test_constants_have_the_packages_values(module):
    ours = {name: value for name, value in vars(module).items() if name.isupper() and isinstance(value, int)}
    # The package has no names for a symbol's filling and order flags.
    flags = ("_", "SYMBOL_FILLING_", "SYMBOL_ORDER_")
    theirs = {name: getattr(real, name) for name in ours if not name.startswith(flags)}
    assert {name: ours[name] for name in theirs} == theirs
    assert len(theirs) > 8


def test_every_return_code_of_the_package_has_a_text():
    codes = {name: value for name, value in vars(real).items() if name.startswith("TRADE_RETCODE_")}
    for name, code in codes.items():
        assert requests.retcode_text(code, "") == f"{name} {code}"
    assert len(codes) >= 40


@pytest.mark.parametrize(("protocol", "name"), TYPED.items(), ids=TYPED.values())
def test_the_used_fields_exist(protocol, name):
    assert typing.get_type_hints(protocol).keys() <= set(getattr(real, name).__match_args__)


def test_a_request_has_no_field_that_the_package_lacks():
    request = requests.trade_request(
        symbol="EURUSD",
        buy=True,
        lots=0.1,
        price=1.1,
        deviation=1,
        magic=1,
        position=1,
        stops=requests.stop_fields(Stops(1, 2), 5),
    ) | {"type_filling": 0, "type_time": 0}
    held = mt5_stand_in.structure(mt5_stand_in.TradePosition, symbol="EURUSD", ticket=1)
    for fields in (request, requests.stops_request(held, Stops(1, 2), 5)):
        assert fields.keys() <= set(real.TradeRequest.__match_args__)


def test_without_a_terminal_the_package_and_the_stand_in_answer_the_same():
    stand_in = mt5_stand_in.StandIn()
    stand_in._running = False
    calls = {
        "account_info": (),
        "terminal_info": (),
        "symbol_select": ("EURUSD", True),
        "symbol_info": ("EURUSD",),
        "symbol_info_tick": ("EURUSD",),
        "copy_ticks_from": ("EURUSD", 0, 10, 1),
        "positions_get": (),
        "order_check": ({},),
        "order_send": ({"symbol": "EURUSD", "volume": 0.1},),
    }
    for package in (real, stand_in):
        assert package.initialize() is False
        assert package.last_error() == (-10003, "IPC initialize failed, MetaTrader 5 x64 not found")
    for name, arguments in calls.items():
        answers = [(getattr(package, name)(*arguments), package.last_error()) for package in (real, stand_in)]
        assert answers[0] == answers[1], name
        assert answers[0][1] == (-10004, "No IPC connection")


def test_without_a_terminal_there_is_one_line_with_its_code_and_exit_code_4():
    done = demos("run", "signal_client", "--terminal", "mt5")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == (
        "python -m demos run signal_client: error: "
        "cannot connect to MetaTrader 5: -10003 IPC initialize failed, MetaTrader 5 x64 not found\n"
    )


def test_a_terminal_that_cannot_be_started_is_one_line():
    done = demos("run", "signal_client", "--terminal", "mt5", "--mt5-path", "missing.exe")
    assert done.returncode == 4
    assert len(done.stderr.splitlines()) == 1
    assert "-10003 IPC initialize failed" in done.stderr


def test_the_package_is_imported_only_for_a_real_terminal():
    command = [sys.executable, "-c", "import demos.launcher.run_command, sys; print('MetaTrader5' in sys.modules)"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
