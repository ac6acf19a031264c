"""Programs that hold Winsock's functions by name.

A module that was imported with `from winsock import send` holds the function that was there at that time. Imported
before a network is opened, it is the real one, which would open a real socket. Two things help:

- `loaded_separately` gives a network modules of its own of some packages: while it is open, sys.modules has no module
  of these packages but those that were imported in a network. They are kept for the next one.
- `check_program` looks for real functions in a function before it is started, and in the functions that it names.
  A call that it does not find, in a default value for example, raises when it is made (real_winsock.py).
  It also finds clocks and random numbers that were imported by name: the guards replace only what modules hold.
"""

from __future__ import annotations

import contextlib
import dis
import functools
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, TypeAlias

import winsock
from winsock.api import CALLS

from .callers import is_program_file, is_standard
from .errors import SimulationError
from .real_functions import name_of_real_function
from .real_winsock import PURE

__all__ = ["Checked", "check_packages", "check_program", "loaded_separately"]

# Not before a network has replaced them.
_real = {id(getattr(winsock.calls, name)): name for name in CALLS if name not in PURE}

_Cached = type(functools.cache(int))

_kept: dict[str, dict[str, ModuleType]] = {}


def check_packages(packages: Collection[str]) -> None:
    """Errors: SimulationError for a package inside of another one, because that holds its modules, or no package."""
    for package in packages:
        if not isinstance(package, str) or not package or package == "winsock":
            raise SimulationError(f"invalid programs: {package!r}; give the name of a package of programs")
        if "." in package:
            raise SimulationError(f"{package!r} is part of a package: give {package.partition('.')[0]!r}")


@contextmanager
def loaded_separately(packages: Collection[str]) -> Iterator[None]:
    """Within the block, the modules of these packages are others than outside."""
    real = {package: _take(package) for package in packages}
    for package in packages:
        sys.modules.update(_kept.get(package, {}))
    try:
        yield
    finally:
        for package in packages:
            _kept[package] = _take(package)
            sys.modules.update(real[package])


def _take(package: str) -> dict[str, ModuleType]:
    """Removes the modules of a package from sys.modules and returns them."""
    names = [name for name in sys.modules if name == package or name.startswith(f"{package}.")]
    return {name: sys.modules.pop(name) for name in names}


# Functions by the identity of their code and of their module. Equal code may belong to another module.
Checked: TypeAlias = dict[tuple[int, int], FunctionType]


def check_program(program: Callable[..., Any], checked: Checked) -> None:
    """Looks for real calls in a program's function and in the functions that it names; `checked` gets what is right.

    Errors: SimulationError that names the call, and says what to do.
    """
    found: Checked = {}
    classes: set[int] = set()
    waiting = _functions_of_program(program)
    while waiting:
        function = waiting.pop()
        key = id(function.__code__), id(function.__globals__)
        if key in found or (key in checked and not function.__closure__):
            continue
        found[key] = function
        # In a function of the standard library, such as the wrapper of a context manager, only its variables.
        names = () if is_standard(function.__code__.co_filename) else sorted(set(_names_in(function.__code__)))
        for value in _values_of(function, names):
            if id(value) in _real:
                _refuse(function, _real[id(value)])
            elif name := name_of_real_function(value):
                _refuse_real_world(function, name)
            for member in _with_members(value, names):
                if id(member) not in classes:
                    waiting += _functions_of(member)
                if isinstance(member, type):
                    classes.add(id(member))
    checked.update(found)


def _with_members(value: object, names: Collection[str]) -> list[object]:
    """The value, and of a module what a function may mean that names both, also in a module inside of it."""
    found = [value]
    for each in found:  # which grows
        if isinstance(each, ModuleType) and not each.__name__.startswith("winsock"):
            members = [vars(each)[name] for name in names if name in vars(each)]
            found += [member for member in members if not any(member is known for known in found)]
    return found


def _refuse(function: FunctionType, call: str) -> None:
    package = function.__module__.partition(".")[0]
    move = ""
    if package == "__main__":  # the script itself, which nothing can import
        package, move = "MODULE", "move the program into a module, "
    raise SimulationError(
        f"{function.__qualname__} of module {function.__module__} has imported the real {call} before the network was "
        f"opened. Write `import winsock` and `winsock.{call}(…)`, or {move}open the network with "
        f"Network(programs=[{package!r}]) and import the module within its block"
    )


def _refuse_real_world(function: FunctionType, name: str) -> None:
    """Refuses a clock, for example, that the guards cannot check. Libraries may hold one."""
    if is_program_file(function.__code__.co_filename):
        module = name.partition(".")[0]
        raise SimulationError(
            f"{function.__qualname__} of module {function.__module__} has imported the real {name} before the network "
            f"was opened. Use the clock and the random numbers of the process: running_process(); or write `import "
            f"{module}` and `{name}(…)`, which raises in a simulated process"
        )


def _functions_of_program(program: object) -> list[FunctionType]:
    """The function of a program; of a method or an object that can be called, all methods of its class."""
    if isinstance(program, functools.partial):
        return _functions_of_program(program.func)
    owner = program.__self__ if isinstance(program, MethodType) else program
    if isinstance(program, MethodType) and isinstance(owner, type):
        return [*_functions_of(program.__func__), *_functions_of(owner)]
    return _functions_of(owner) or _functions_of(type(owner))


def _functions_of(value: object) -> list[FunctionType]:
    """A function itself, those of a class and its bases, and those that an object of functools or a property calls."""
    if isinstance(value, FunctionType):
        return [value]
    parts: Iterable[object] = ()
    if isinstance(value, type):
        members = [member for owner in value.__mro__ for member in vars(owner).values()]
        parts = [member for member in members if not isinstance(member, type)]
    elif isinstance(value, property):
        parts = value.fget, value.fset
    elif isinstance(value, (staticmethod, classmethod, _Cached)):
        parts = (value.__wrapped__,)
    elif isinstance(value, functools.cached_property):
        parts = (value.func,)
    return [function for part in parts for function in _functions_of(part)]


def _values_of(function: FunctionType, names: Iterable[str]) -> Iterator[object]:
    """What a function refers to: the globals that it names, and the variables of functions around it."""
    for name in names:
        if name in function.__globals__:
            value = function.__globals__[name]
            # The name may be that of an attribute only, as in process.monotonic().
            if not _name_of_real(value) or name in _global_names_in(function.__code__):
                yield value
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # an empty cell: the variable has no value yet
            yield cell.cell_contents


def _name_of_real(value: object) -> str:
    """The name of a call of the real Winsock, or of a replaced function; "" for everything else."""
    return _real.get(id(value), "") or name_of_real_function(value)


def _global_names_in(code: CodeType) -> set[str]:
    """The names whose global values the code and the functions inside it use."""
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    own = {each.argval for each in dis.get_instructions(code) if each.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return own.union(*map(_global_names_in, inner))


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)
