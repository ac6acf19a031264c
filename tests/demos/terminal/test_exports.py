"""The names that ``from demos.terminal import *`` gives a program."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import winsock
from demos import terminal
from demos.terminal import mql
from demos.terminal.mql import additions, constants

# The functions and classes of MQL5 and its standard library, without our additions.
MQL_NAMES = """
AccountInfoDouble AccountInfoInteger AccountInfoString Alert ArraySize CTrade CharArrayToString ChartApplyTemplate
ChartID ChartPeriod ChartRedraw ChartSaveTemplate ChartSetSymbolPeriod ChartSymbol Comment CopyRates Digits
DoubleToString EventChartCustom EventKillTimer EventSetMillisecondTimer EventSetTimer ExpertRemove FileClose
FileDelete FileIsExist FileMove FileOpen FileReadArray FileWriteArray GetTickCount64 IntegerToString IsStopped
MQLInfoString MqlRates NormalizeDouble ObjectCreate ObjectDelete ObjectFind ObjectSetDouble ObjectSetInteger
ObjectSetString Period Point PositionGetDouble PositionGetInteger PositionGetString PositionGetSymbol
PositionGetTicket PositionSelect PositionSelectByTicket PositionsTotal Print Sleep StringFind StringLen StringReplace
StringSplit StringSubstr StringToCharArray StringToDouble StringToInteger Symbol SymbolInfoDouble SymbolInfoInteger
SymbolInfoString SymbolSelect TerminalInfoInteger TerminalInfoString TimeCurrent TimeGMT TimeToString iTime printf
"""

MODULES = [importlib.import_module(each.name) for each in pkgutil.iter_modules(mql.__path__, f"{mql.__name__}.")]


def test_the_terminal_exports_every_constant():
    names = {name for name in vars(constants) if name.isupper()} - {"TIMEFRAMES", "TRADE_RETCODES"}
    assert names == set(constants.__all__)
    assert names <= set(terminal.__all__)


def test_the_terminal_exports_mql_names_and_its_documented_additions_only():
    assert set(terminal.__all__) == {
        *MQL_NAMES.split(),
        *constants.__all__,
        "DayResult",
        "Event",
        "EventKillSocket",
        "EventSetSocket",
        "Fail",
        "IndicatorLine",
        "IndicatorLineDelete",
        "Input",
        "TerminalClock",
        "UseVirtualAccount",
    }
    assert len(terminal.__all__) == len(set(terminal.__all__))


def test_the_additions_say_that_they_are_not_part_of_mql5():
    assert additions.__all__ == [
        "DayResult",
        "Event",
        "EventKillSocket",
        "EventSetSocket",
        "Fail",
        "IndicatorLine",
        "IndicatorLineDelete",
        "Input",
        "TerminalClock",
        "UseVirtualAccount",
    ]
    for name in additions.__all__:
        assert "Not part of MQL5." in getattr(additions, name).__doc__


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_every_module_of_mql_lists_its_names_and_they_are_exported(module):
    assert module.__all__
    assert set(module.__all__) <= set(terminal.__all__)
    for name in module.__all__:
        assert getattr(terminal, name) is getattr(module, name)
        assert name in constants.__all__ or getattr(module, name).__doc__


def test_no_name_of_the_terminal_is_a_name_of_winsock():
    assert set(terminal.__all__) & set(winsock.__all__) == set()


def test_a_program_can_import_both_headers_in_either_order():
    code = """if True:
        from demos.terminal import *
        from winsock import *
        first = dict(globals())
        from winsock import *
        from demos.terminal import *
        assert {name for name in first if first[name] is not globals()[name]} == set()
        assert not {"mql", "runtime", "charts", "paper", "mt5", "interfaces", "terminal", "constants"} & set(globals())
    """
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_module_of_the_terminal_can_be_imported_first():
    for name in ("demos.terminal.interfaces", "demos.terminal.mql.constants", "demos.terminal.charts.drawing"):
        subprocess.run([sys.executable, "-c", f"import {name}"], check=True)
