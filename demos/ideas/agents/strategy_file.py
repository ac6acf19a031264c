"""Loads a strategy: one function in a file of this computer's owner.

The file is known by the SHA-256 of its content. Only this number is sent to other computers.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple, TypeAlias

Strategy: TypeAlias = Callable[..., Any]

# The names of functions that a message can contain.
FUNCTION_NAME = "[A-Za-z_][A-Za-z0-9_]{0,63}"


class StrategyError(ValueError):
    """A strategy that cannot be used; the text is one line."""


class Source(NamedTuple):
    """A strategy's file and the name of its function; "": its only public function."""

    path: Path
    function: str = ""


def source_of(text: str) -> Source:
    """The file and the function of ``FILE.py`` or ``FILE.py:FUNCTION``."""
    path, colon, function = text.rpartition(":")
    # In C:\strategy.py the colon belongs to the path.
    return Source(Path(path), function) if colon and function.isidentifier() else Source(Path(text))


def read_source(source: Source) -> bytes:
    """The content of the file.

    Errors: StrategyError.
    """
    try:
        return source.path.read_bytes()
    except OSError as error:
        raise StrategyError(f"{source.path} cannot be read: {error.strerror}") from error


def digest(content: bytes) -> str:
    """The number that a file is known by."""
    return hashlib.sha256(content).hexdigest()


def strategy_of(content: bytes, name: str, function: str) -> FunctionType:
    """The function of a file's content, which is executed; ``name`` is the file's name for errors.

    ``function`` "" is the only function of the file whose name does not begin with an underscore.

    Errors: StrategyError when there is no such function, or a message cannot contain its name; whatever exception the
    content raises.
    """
    module = ModuleType(f"strategy_{digest(content)[:16]}")
    module.__file__ = name
    # dataclasses and typing find the module of a class by its name.
    sys.modules[module.__name__] = module
    try:
        # The owner of this computer has installed the file.
        exec(compile(content, name, "exec"), vars(module))
    except SyntaxError as error:
        raise StrategyError(f"{name}: line {error.lineno}: {error.msg}") from error
    own = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__ and not key.startswith("_")
    }
    functions = ", ".join(own) or "none"
    if function and function not in own:
        raise StrategyError(f"{name} has no function {function!r}; its functions: {functions}")
    if not function and len(own) != 1:
        raise StrategyError(f"{name}: name the strategy, as in {Path(name).name}:FUNCTION; its functions: {functions}")
    function = function or next(iter(own))
    if not re.fullmatch(FUNCTION_NAME, function, re.ASCII):
        raise StrategyError(
            f"{name}: invalid name of a function: {function!r}; use 1 to 64 ASCII letters, digits and _"
        )
    # The name that it is chosen by: a lambda, or a function of a decorator, has another one.
    own[function].__name__ = function
    return own[function]


def parameters_problem(strategy: FunctionType, parameters: Sequence[str]) -> str | None:
    """Why a strategy cannot be called with its data and these parameters, or None."""
    try:
        inspect.signature(strategy).bind(None, **dict.fromkeys(parameters))
    except TypeError as error:
        names = ", ".join(parameters)
        return f"{strategy.__name__}() cannot be called with the data and the parameters {names}: {error}"
    return None
