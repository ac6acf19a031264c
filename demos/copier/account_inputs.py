"""The inputs of a copier that follows a provider's account, as values, and their checks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from demos.copier.limits import Limits
from demos.copier.moments import Moment


class StartError(Exception):
    """An input cannot be used; the text says which and why."""


@dataclass(frozen=True)
class AccountInputs:
    """Where the provider is, how it is verified, the login and the memory file, as the user gave them.

    Either ``url`` or ``broker`` is given, and the login is that at the provider or at the broker.
    """

    url: str
    login: str
    password_file: str
    token_file: str
    ca: str
    pin: str
    memory: str
    broker: str = ""


class Trading(NamedTuple):
    """How orders are sent: ``dry`` on a virtual account; ``loss`` returns why the day's loss is too large, or ""."""

    limits: Limits
    dry: bool
    loss: Callable[[], str]


class FollowsAccount(Protocol):
    """The AccountCopier, as the program uses it."""

    def Continue(self, event: Moment, *, timer: bool) -> None: ...
    def CloseClean(self) -> None: ...


def one_of(values: tuple[str, ...]) -> Callable[[str], str | None]:
    """The check of an input that has one of these values."""
    return lambda text: None if text in values else f"unknown value: {text!r}; use {', '.join(values)}"


def amount_problem(value: float) -> str | None:
    """Why this is not an amount of money, or None when it is one."""
    return None if 0 <= value < math.inf else f"invalid amount: {value}; use 0 (none) or a positive number"


def seconds_problem(value: int) -> str | None:
    """Why an age cannot have this limit, or None when it can."""
    return None if 1 <= value <= 3600 else f"invalid number of seconds: {value}; use 1 to 3600"
