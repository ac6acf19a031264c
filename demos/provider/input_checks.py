"""The checks of the provider's inputs: each returns why a value cannot be used, or None when it can."""

from __future__ import annotations

import os
import shlex
import shutil

from demos.provider import fields
from demos.provider.protocol import LONGEST_NAME
from demos.terminal.symbols import symbol_problem
from demos.wire.ports import listening_port_problem

MOST_EXPERTS = 32


def count_problem(value: int) -> str | None:
    """Of a number where 0 means never."""
    return f"invalid number: {value}; use 0 or more" if value < 0 else None


def port_problem(value: int) -> str | None:
    """Of a port, where -1 means none."""
    return None if value == -1 else listening_port_problem(value)


def experts_problem(value: int) -> str | None:
    """Of the number of experts."""
    return None if 1 <= value <= MOST_EXPERTS else f"invalid number: {value}; use 1 to {MOST_EXPERTS}"


def name_problem(text: str) -> str | None:
    """Of the provider's name: each subscriber gets it in the first message."""
    try:
        fields.text(LONGEST_NAME)(text, "")
    except fields.FieldError as error:
        return f"invalid name: {error}"
    return None


def command_problem(text: str) -> str | None:
    """Of a command line."""
    try:
        arguments = command_arguments(text)
    except ValueError as error:
        return f"invalid command: {text!r}: {error}"
    return f"no command in {text!r}: name a program, or leave it empty" if text and not arguments else None


def command_arguments(text: str) -> tuple[str, ...]:
    """The arguments in a command line: quotes hold blanks, and a backslash is a character like any other.

    Errors: ValueError.
    """
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.escape, lexer.commenters = True, "", ""
    return tuple(lexer)


def command_files(text: str) -> list[str]:
    """The files that a command line names: its program, and each argument that is the path of a file."""
    arguments = command_arguments(text)
    program = [path for each in arguments[:1] if (path := shutil.which(each))]
    return [*program, *(each for each in arguments if os.path.isfile(each))]


def symbols_problem(text: str) -> str | None:
    """Of a list of symbols; an empty text means all."""
    if text and not listed(text):
        return f"no symbol in {text!r}: name at least one, or leave it empty for all"
    return next((problem for name in listed(text) if (problem := symbol_problem(name))), None)


def listed(text: str) -> tuple[str, ...]:
    """The parts of a text that is separated by commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def places(text: str) -> tuple[str, ...]:
    """The values in a text that is separated by commas, where a value may be empty; no value in an empty text."""
    return tuple(value.strip() for value in text.split(",")) if text else ()
