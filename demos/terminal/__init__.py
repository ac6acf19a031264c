"""The terminal: what MetaTrader gives a program, under the same names.

A program is a module with OnInit, OnTimer, OnTick and other event functions. It writes ``from demos.terminal import *``
the way an MQL program includes a header. A Terminal (terminal.py) attaches it to a chart and calls its event functions.
The functions reach prices, positions and charts through the interfaces of interfaces.py, so that a program runs with
the embedded market and account as well as with a real MetaTrader 5.
"""

# ruff: noqa: F403 - a package that only re-exports; a test checks that no other name is exported

from typing import TYPE_CHECKING

from demos.terminal import mql
from demos.terminal.mql import *

# See demos/terminal/mql/__init__.py.
if not TYPE_CHECKING:
    __all__ = mql.__all__
