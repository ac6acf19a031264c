"""An indicator that the server's owner has written: a function in a Python file.

The function gets the last closed bars, oldest first, at most MOST_BARS, and returns the value at the last one: a
number, or None for no value. Each bar has time, open, high, low, close and ticks, as calculations.Bar. The file runs
in the server with the server's rights: only the owner of the server chooses it, with --indicators, never a client.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from demos.ideas.indicator.calculations import Bar, Calculation
from demos.ideas.indicator.series import usable

MOST_BARS = 1000


class IndicatorError(Exception):
    """An indicator that cannot be calculated; the text is one line."""


def load_function(path: Path, name: str) -> Callable[[list[Bar]], Any]:
    """The function of a file.

    Errors: IndicatorError when there is no such file or function, or when the file fails.
    """
    if not path.is_file():
        raise IndicatorError(f"there is no file {path}")
    # Two files with one name are two modules.
    digest = hashlib.sha256(str(path.absolute()).encode(errors="surrogateescape")).hexdigest()
    spec = importlib.util.spec_from_file_location(f"indicator_{digest[:16]}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # dataclasses and typing find the module of a class by its name.
    sys.modules[module.__name__] = module
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the file is the owner's: whatever it raises is the reason
        raise IndicatorError(f"{path} cannot be loaded: {error_text(error)}") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise IndicatorError(f"{path} has no function {name}")
    return function  # type: ignore[no-any-return] # checked: it can be called


def user_calculation(function: Callable[[list[Bar]], Any], name: str, report: Callable[[str], object]) -> Calculation:
    """The calculation of a user's function. A failure gives no value; the first one in a row is reported.

    A number that no chart can draw is a failure.
    """
    bars: deque[Bar] = deque(maxlen=MOST_BARS)
    failed = False

    def take(bar: Bar) -> float | None:
        nonlocal failed
        bars.append(bar)
        try:
            value = function(list(bars))
            # A number of numpy is one too.
            number = None if value is None else float(value)
            problem = "" if number is None or usable(number) is not None else f"{name} returned {number}"
        except KeyboardInterrupt:  # a second Ctrl-C ends the server while the function does not return
            raise
        except BaseException as error:  # a mistake of the function must not end the server
            number, problem = None, f"{name} failed: {error_text(error)}"
        if problem and not failed:
            report(f"-{problem}. There is no value until it returns a number from -1e12 to 1e12, or None")
        failed = bool(problem)
        return number

    return take


def error_text(error: BaseException) -> str:
    """The type and the text of an error in one line; the text of a user's error may fail itself."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # as above
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
