"""A program's options in a TOML file: ``python -m demos run PROGRAM --config FILE``.

A key is the name of an option without its hyphens, so a file can have every option and input, and nothing else. There
are no tables. Text is in quotes, a number is not, and a switch is true or false. A relative path in a value starts in
the folder in which the program runs, as on the command line.

Each value is checked like the argument of its option. TOML's own errors have a line; that of a key is searched for in
the text, and left out when it is not certain.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from demos.launcher import option_types
from demos.terminal.interfaces import ProgramError
from demos.terminal.runtime.programs import InputVariable

# The options that make no sense in a file.
_COMMAND_LINE_ONLY = ("config", "help")

_SECRETS = ("password", "token", "secret")

# Longer values are cut in messages.
_MOST_SHOWN = 60

_NAMES = {str: "text in quotes", int: "a whole number", float: "a number", bool: "true or false"}

# What TOML type an option's value has. Options with other types, such as --speed, take numbers and text.
_NUMBER, _WHOLE, _TEXT = (int, float), (int,), (str,)
_TYPES: dict[object, tuple[type, ...]] = {
    option_types.whole: _WHOLE,
    option_types.count: _WHOLE,
    option_types.seed: _WHOLE,
    option_types.port: _WHOLE,
    option_types.listening_port: _WHOLE,
    option_types.digits: _WHOLE,
    option_types.seconds: _NUMBER,
    option_types.symbol: _TEXT,
    option_types.chart: _TEXT,
    option_types.lots: _TEXT,
    Path: _TEXT,
    None: _TEXT,
}


class Config(NamedTuple):
    """The content of a file: the values by the parser's names for them, and a line for each problem.

    ``invalid`` are the names whose values have a problem.
    """

    values: dict[str, object]
    problems: list[str]
    invalid: set[str]


class _Option(NamedTuple):
    """An option that a file can have, and the input that it sets; None for an option of the terminal."""

    action: argparse.Action
    variable: InputVariable | None


def read_config(path: Path, parser: argparse.ArgumentParser, variables: Mapping[str, InputVariable]) -> Config:
    """Read a file; ``variables`` are the program's inputs, by the parser's names for them.

    Errors: ProgramError when the file cannot be read or is not TOML.
    """
    text, content = _load(path)
    options = {
        name.removeprefix("--"): _Option(action, variables.get(action.dest))
        for action in parser._actions
        for name in action.option_strings
        if name.startswith("--") and name.removeprefix("--") not in _COMMAND_LINE_ONLY
    }
    config = Config({}, [], set())
    for key, value in content.items():
        place = f"{path}{_line_text(text, key)}: "
        if isinstance(value, dict):
            config.problems.append(f"{place}[{key}] is a table: a file has no tables, only options such as Port = 8081")
        elif key not in options:
            config.problems.append(f"{place}{_unknown(key, options, parser.prog)}")
        else:
            name = options[key].action.dest
            try:
                config.values[name] = _converted(options[key], value)
            except (ValueError, argparse.ArgumentTypeError) as error:
                config.invalid.add(name)
                config.problems.append(f"{place}{key} = {_shown(value)}: {error}")
    config.problems.extend(_conflicts(path, parser, config.values))
    return config


def _load(path: Path) -> tuple[str, dict[str, object]]:
    """The text of a file and what it contains. Errors: ProgramError."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib
        except ImportError:
            raise ProgramError('--config needs one more package: python -m pip install -e ".[demos]"') from None
    try:
        # Some editors put a byte order mark in front of UTF-8.
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ProgramError(f"--config {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ProgramError(f"--config {path} is not UTF-8: save it in this encoding") from None
    try:
        # A line end at the end: otherwise an error in the last line has no line number.
        return text, tomllib.loads(f"{text}\n")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        number = re.search(r"at line (\d+)", str(error))
        line = text.splitlines()[int(number[1]) - 1] if number else ""
        hint = "; write a Windows path in single quotes: 'C:\\folder\\file'" if "\\" in line else ""
        if "overwrite" in str(error) and "=" in line:
            hint = f"; the file has the key {line.partition('=')[0].strip()} twice"
        raise ProgramError(f"--config {path} is not TOML: {error}{hint}") from None


def _line_text(text: str, key: str) -> str:
    """Where a key is, for a message: `` line 3``, or nothing when several lines look like it, or none."""
    name = re.escape(key)
    pattern = re.compile(rf"""\s*(?:\[+\s*)?("{name}"|'{name}'|{name})\s*[=.\]]""")
    found = [number for number, line in enumerate(text.splitlines(), 1) if pattern.match(line)]
    return f" line {found[0]}" if len(found) == 1 else ""


def _unknown(key: str, options: Iterable[str], prog: str) -> str:
    names = {name.lower(): name for name in options}
    if key.lower() in _SECRETS and f"{key.lower()}-file" in names:
        return f"{key} is a secret: store it in a file, and give its name with {key.lower()}-file"
    close = get_close_matches(key.lower().replace("_", "-"), names, 1, 0.75)
    hint = f"did you mean {names[close[0]]}?" if close else f"`{prog} --help` shows all options"
    return f"unknown option {key}; {hint}"


def _converted(option: _Option, value: object) -> object:
    """A value as the parser would have it. Errors: ValueError, ArgumentTypeError."""
    action, variable = option
    if variable:
        types: tuple[type, ...] = _NUMBER if variable.type is float else (variable.type,)
    elif action.nargs == 0:
        types = (bool,)
    else:
        types = _TEXT if action.choices else _TYPES.get(action.type, (int, float, str))
    if type(value) not in types:
        names = [_NAMES[each] for each in types if not (each is int and float in types)]
        raise ValueError(f"{' or '.join(names)} is needed")
    if action.nargs == 0:
        return value
    text = value if isinstance(value, str) else repr(value).lower() if isinstance(value, bool) else repr(value)
    if re.search(r"[\0-\x1f\x7f]", text):
        raise ValueError("a control character cannot be used; write a Windows path in single quotes")
    if action.choices and text not in action.choices:
        raise ValueError(f"use one of {', '.join(action.choices)}")
    if not variable and not text:
        raise ValueError("a value is needed; leave the option out for its default")
    converted = action.type(text) if callable(action.type) else text
    if variable and variable.input.check and (problem := variable.input.check(converted)):
        raise ValueError(problem)
    return converted


def _conflicts(path: Path, parser: argparse.ArgumentParser, values: Mapping[str, object]) -> Iterable[str]:
    for group in parser._mutually_exclusive_groups:
        given = [
            action.option_strings[0].removeprefix("--") for action in group._group_actions if action.dest in values
        ]
        if len(given) > 1:
            yield f"{path}: {' and '.join(given)} exclude each other: use one of them"


def _shown(value: object) -> str:
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
