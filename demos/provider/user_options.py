"""Types of the options of ``python -m demos provider``, and how its times are shown. Each raises ArgumentTypeError."""

from __future__ import annotations

import argparse
import re
from datetime import datetime, timezone

from demos.launcher.option_types import whole
from demos.provider.guard import address_key
from demos.provider.rights import MAX_CONNECTIONS, canonical_login
from demos.provider.topic_names import topic_problem
from demos.terminal.runtime.clock import RealClock
from demos.terminal.runtime.log import escaped

_DAYS = re.compile(r"(\d{1,5})d", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2})?", re.ASCII)


def wall_clock() -> float:
    """The time in seconds since 1970."""
    return RealClock().now().timestamp()


def login(text: str) -> str:
    """A login, in lower case."""
    name = canonical_login(text)
    if name is None:
        raise argparse.ArgumentTypeError(
            f"{escaped(text)!r} is not a login: 1 to 64 letters, digits and . _ - + @, the first a letter or a digit"
        )
    return name


def topic(text: str) -> str:
    """The name of a topic."""
    if problem := topic_problem(text):
        raise argparse.ArgumentTypeError(escaped(problem))
    return text


def connections(text: str) -> int:
    """The number of connections of a user."""
    return whole(text, 1, MAX_CONNECTIONS)


def expiry(text: str) -> float | None:
    """``never``, ``90d`` from now, ``2030-01-31`` or ``2030-01-31T18:00``, in UTC."""
    if text == "never":
        return None
    if match := _DAYS.fullmatch(text):
        if not int(match[1]):
            raise argparse.ArgumentTypeError(f"{text} ends the login at once: use `disable` for that")
        return wall_clock() + int(match[1]) * 86_400
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        time = datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{escaped(text)!r} is not never, DAYSd, YYYY-MM-DD or YYYY-MM-DDTHH:MM (UTC)"
        ) from None
    if time <= wall_clock():
        raise argparse.ArgumentTypeError(f"{text} is in the past (times are UTC): use `disable` to end a login at once")
    return time


def address(text: str) -> str:
    """An IPv4 address, an IPv6 address or its /64 network, as the bans have it."""
    try:
        return address_key(text.removesuffix("/64"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{escaped(text)!r} is not an IPv4 or IPv6 address") from None


def time_text(time: float) -> str:
    """``2030-01-31 18:00 UTC``."""
    return f"{datetime.fromtimestamp(time, timezone.utc):%Y-%m-%d %H:%M} UTC"


def json_time(time: float | None) -> str | None:
    """``2030-01-31T18:00:00Z``, or None for never."""
    return None if time is None else f"{datetime.fromtimestamp(int(time), timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
