"""Types of command line options that say what was expected."""

from __future__ import annotations

import argparse
import math


def whole(text: str, least: int = 1, most: float = math.inf) -> int:
    """A whole number within limits.

    Errors: argparse.ArgumentTypeError with what was expected.
    """
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        limit = f" to {most}" if most < math.inf else ""
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least}{limit}")
    return value


def port(text: str) -> int:
    """A port's number; 0 is any free one.

    Errors: argparse.ArgumentTypeError.
    """
    return whole(text, 0, 65535)


def seconds(text: str) -> float:
    """A length of time above 0.

    Errors: argparse.ArgumentTypeError.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value
