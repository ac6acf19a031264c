"""A Winsock of its own for each simulated process: the reference of winsock_compat on a simulated kernel.

Winsock's rules exist once, in calls/ and state/ of winsock_compat. They reach the kernel through the modules of posix/
and keep what they remember in variables of modules. So each process gets these modules anew, under a package name of
its own, with simulated modules in the place of posix/. The package winsock_compat itself is not imported: it needs
cffi, which does not exist on Windows.

The modules' code is read once. Modules that remember nothing and know no kernel are shared by all processes.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import itertools
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import cast

from winsock.api import Winsock

from .errors import SimulationError

_numbers = itertools.count(1)
_code: dict[str, tuple[CodeType, str]] = {}
# By their names below the package.
_shared: dict[str, ModuleType] = {}
_SHARED = ("state.flags", "calls.option_table", "posix.errnos", "posix.sockaddr_layout")


def load_winsock(posix: Mapping[str, object]) -> Winsock:
    """A new, independent instance of all calls on the modules `posix`: system, waiting, resolver and so on.

    `posix["declarations"]` must be the same for all instances.

    Errors: SimulationError where winsock_compat is not installed.
    """
    name = f"winsock_simulated_{next(_numbers)}"
    loading = ModuleType(f"{name}.posix.loading")
    loading.MODE = "simulation"  # type: ignore[attr-defined]
    given = {name: _package(name), f"{name}.posix": _package(f"{name}.posix"), loading.__name__: loading}
    for module, value in posix.items():
        given[f"{name}.posix.{module}"] = cast(ModuleType, value)
        setattr(given[f"{name}.posix"], module, value)
    for below, shared in _shared.items():
        given[f"{name}.{below}"] = shared
    loader = _Loader(name)
    sys.modules.update(given)
    sys.meta_path.insert(0, loader)
    try:
        core = importlib.import_module(f"{name}.state.core_stand_in")
        core.ACCELERATED = False  # type: ignore[attr-defined]
        sys.modules[f"{name}.state.core"] = core
        backend = importlib.import_module(f"{name}.backend")
        for below in _SHARED:
            _shared.setdefault(below, importlib.import_module(f"{name}.{below}"))
        return cast(Winsock, backend)
    finally:
        sys.meta_path.remove(loader)
        for known in [known for known in sys.modules if known == name or known.startswith(f"{name}.")]:
            del sys.modules[known]


class _Loader(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds and executes the modules of winsock_compat under another package's name."""

    def __init__(self, name: str) -> None:
        self._prefix = f"{name}."

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not fullname.startswith(self._prefix):
            return None
        package = os.path.isdir(_path(fullname.removeprefix(self._prefix), ""))
        return importlib.machinery.ModuleSpec(fullname, self, is_package=package)

    def exec_module(self, module: ModuleType) -> None:
        below = module.__name__.removeprefix(self._prefix)
        if below not in _code:
            path = _path(below, ".py")
            if os.path.isdir(_path(below, "")):
                path = os.path.join(_path(below, ""), "__init__.py")
            with open(path, "rb") as file:
                _code[below] = compile(file.read(), path, "exec", dont_inherit=True), path
        code, module.__file__ = _code[below]
        exec(code, module.__dict__)


def _package(name: str) -> ModuleType:
    """An empty package; its __init__ does not run."""
    package = ModuleType(name)
    package.__path__ = []
    return package


def _path(below: str, ending: str) -> str:
    return os.path.join(_compat_folder(), *below.split(".")) + ending


_folder = ""


def _compat_folder() -> str:
    global _folder
    if not _folder:
        spec = importlib.util.find_spec("winsock_compat")
        # On Windows a clone need not be installed.
        clone = Path(__file__).resolve().parents[2] / "compat" / "winsock_compat"
        folders = list(spec.submodule_search_locations or ()) if spec else [str(clone)] if clone.is_dir() else []
        if not folders:
            raise SimulationError("the package winsock_compat is not installed: install winsock again")
        _folder = folders[0]
    return _folder
