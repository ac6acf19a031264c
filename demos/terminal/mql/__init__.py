"""The functions and constants that a program imports, one module for each group of the MQL5 reference.

Names, arguments and answers are those of https://www.mql5.com/en/docs, and so are the names of most parameters. Each
function acts on the program whose event function is running. Where Python differs (a function returns what MQL5 writes
into a parameter by reference), the docstring says so. additions.py holds the few names that are not part of MQL5.
"""

# ruff: noqa: F403 - a package that only re-exports; each module lists its names in __all__

from typing import TYPE_CHECKING

from demos.terminal.mql import (
    account_info,
    additions,
    array_functions,
    chart_functions,
    common_functions,
    constants,
    conversion,
    date_time,
    event_functions,
    file_functions,
    market_info,
    object_functions,
    position_functions,
    state_checking,
    string_functions,
    timeseries,
    trade,
)
from demos.terminal.mql.account_info import *
from demos.terminal.mql.additions import *
from demos.terminal.mql.array_functions import *
from demos.terminal.mql.chart_functions import *
from demos.terminal.mql.common_functions import *
from demos.terminal.mql.constants import *
from demos.terminal.mql.conversion import *
from demos.terminal.mql.date_time import *
from demos.terminal.mql.event_functions import *
from demos.terminal.mql.file_functions import *
from demos.terminal.mql.market_info import *
from demos.terminal.mql.object_functions import *
from demos.terminal.mql.position_functions import *
from demos.terminal.mql.state_checking import *
from demos.terminal.mql.string_functions import *
from demos.terminal.mql.timeseries import *
from demos.terminal.mql.trade import *

# mypy exports the names of star imports where there is no __all__; it does not evaluate a list that is computed.
if not TYPE_CHECKING:
    __all__ = [
        *account_info.__all__,
        *additions.__all__,
        *array_functions.__all__,
        *chart_functions.__all__,
        *common_functions.__all__,
        *constants.__all__,
        *conversion.__all__,
        *date_time.__all__,
        *event_functions.__all__,
        *file_functions.__all__,
        *market_info.__all__,
        *object_functions.__all__,
        *position_functions.__all__,
        *state_checking.__all__,
        *string_functions.__all__,
        *timeseries.__all__,
        *trade.__all__,
    ]
