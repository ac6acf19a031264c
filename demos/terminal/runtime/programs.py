"""Programs: their summary, their input variables, and the loading of a separate copy for each chart."""

from __future__ import annotations

import ast
import functools
import importlib.util
import itertools
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Annotated, Any, Literal, get_args, get_origin

from demos.terminal.interfaces import ProgramError

EVENTS = ("OnInit", "OnDeinit", "OnTimer", "OnTick", "OnTrade", "OnSocket", "OnChartEvent", "OnStart")

# int() and float() also accept other digits than 0 to 9, underscores, and numbers of any length.
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,300}(\.[0-9]{0,300})?|\.[0-9]{1,300})([eE][+-]?[0-9]{1,9})?")

_copies = itertools.count(1)


@dataclass(frozen=True)
class Input:
    """Marks a module variable as an input: ``Port: Annotated[int, Input("port to listen on")] = 8081``.

    ``help`` is shown by --help. ``check`` gets the value and returns why it is invalid, or None.

    ``file``: the value names files that the program reads or whose existence it checks ("read"), that it writes
    ("write"), or that SQLite writes ("database"). ``paths`` gets a value that is not empty and returns their paths; by
    default the value is one path. The launcher lets no output replace such a file. Not part of MQL5.
    """

    help: str
    check: Callable[[Any], str | None] | None = None
    file: Literal["read", "write", "database"] | None = None
    paths: Callable[[str], Iterable[str | Path]] = lambda value: (value,)


@dataclass(frozen=True)
class InputVariable:
    """An input that a module declares: its name, type (str, int, float or bool), default value and Input."""

    name: str
    type: type
    default: Any
    input: Input


@dataclass(frozen=True)
class Program:
    """A program that can be attached: its name, its file, and the first line of its docstring.

    ``package`` is the package that the file belongs to; empty for a file of its own.
    """

    name: str
    path: Path
    summary: str
    package: str = ""


def read_program(path: Path, name: str) -> Program | None:
    """Read the file without running it; None when the module has no event function.

    Errors: ProgramError when it is not Python.
    """
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError) as error:
        raise ProgramError(f"{path} is not Python: {error}") from error
    if not any(isinstance(node, ast.FunctionDef) and node.name in EVENTS for node in tree.body):
        return None
    summary = (ast.get_docstring(tree) or "").partition("\n")[0]
    return Program(name, path, summary)


def load_program(program: Program) -> ModuleType:
    """Load a new copy of the program's module; each copy has its own globals.

    Errors: any exception that the module raises while it is loaded.
    """
    inside = f"{program.package}.{program.path.stem}" if program.package else program.name
    name = f"{inside}#{next(_copies)}"
    spec = importlib.util.spec_from_file_location(name, program.path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # dataclasses and typing find the module of a class by its name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def forget_program(module: ModuleType) -> None:
    """Remove a copy that is no longer attached from sys.modules."""
    sys.modules.pop(module.__name__, None)


def input_variables(module: ModuleType) -> dict[str, InputVariable]:
    """The inputs of a loaded program, in the order of their declaration.

    Errors: ProgramError for an input without a default or of a type that is not str, int, float or bool.
    """
    inputs = {}
    for name, annotation in module.__annotations__.items():
        hint = eval(_code_of(annotation), vars(module)) if isinstance(annotation, str) else annotation
        if get_origin(hint) is not Annotated:
            continue
        kind, *marks = get_args(hint)
        for mark in marks:
            if not isinstance(mark, Input):
                continue
            if kind not in (str, int, float, bool):
                raise ProgramError(f"input {name} has an unsupported type; inputs are str, int, float or bool")
            if not hasattr(module, name):
                raise ProgramError(f"input {name} has no default value")
            inputs[name] = InputVariable(name, kind, getattr(module, name), mark)
    return inputs


@functools.cache
def _code_of(annotation: str) -> CodeType:
    """The code of an annotation: a simulation starts the same program many times."""
    return compile(annotation, "<annotation>", "eval")


def set_inputs(module: ModuleType, values: Mapping[str, object]) -> None:
    """Set the program's inputs to these values, and check all inputs.

    Errors: ProgramError for an unknown name, a value of another type, or a value that the input's check rejects.
    """
    variables = input_variables(module)
    for name, value in values.items():
        if name not in variables:
            raise ProgramError(f"there is no input {name}")
        setattr(module, name, value)
    for name, variable in variables.items():
        value = getattr(module, name)
        if type(value) is not variable.type:
            raise ProgramError(f"input {name}: {value!r} is not of type {variable.type.__name__}")
        problem = variable.input.check(value) if variable.input.check else None
        if problem:
            raise ProgramError(f"input {name}: {problem}")


def input_from_text(variable: InputVariable, text: str) -> str | int | float | bool:
    """The value of an input, from the text of a command line option.

    Errors: ValueError for a text that is not a value of the input's type.
    """
    if variable.type is bool:
        answer = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(text.lower())
        if answer is None:
            raise ValueError(f"{text!r} is neither true nor false")
        return answer
    if variable.type is int:
        if not _WHOLE.fullmatch(text):
            raise ValueError(f"{text!r} is not a whole number")
        return int(text)
    if variable.type is float:
        number = float(text) if _NUMBER.fullmatch(text) else math.nan
        if not math.isfinite(number):
            raise ValueError(f"{text!r} is not a number")
        return number
    return text
