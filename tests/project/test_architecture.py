"""The structure of the source tree: notes/architecture.md says which part may import which, and the code keeps to it.

Every module of winsock, winsock_compat and demos is parsed, not imported, so each platform checks all of them. Imports
inside functions and under TYPE_CHECKING count like any other.
"""

from __future__ import annotations

import ast
import fnmatch
import re
from collections.abc import Iterator
from functools import cache
from inspect import isfunction
from pathlib import Path
from typing import NamedTuple

import pytest

import winsock

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"winsock": "winsock", "winsock_compat": "compat/winsock_compat", "demos": "demos"}
PLUGIN = "winsock_pytest.py"
STUDY_PROGRAMS = {
    "demos/signal/server.py": 260,
    "demos/signal/client.py": 260,
    "demos/template/server.py": 260,
    "demos/template/client.py": 160,
    "demos/ticks/server.py": 150,
    "demos/ticks/client.py": 150,
}
STUDY_MODULES = {"__future__", "ctypes", "typing"}  # of the standard library
LONGEST_FUNCTION = 40

# Only posix/ knows the operating system.
WITHOUT_SYSTEM = ("compat/winsock_compat/calls", "compat/winsock_compat/state")
SYSTEM_MODULES = {
    "_socket", "asyncio", "fcntl", "importlib", "mmap", "os", "posix", "resource", "sched", "select", "selectors",
    "signal", "socket", "ssl", "subprocess", "time",
}  # fmt: skip

# The programs get time, threads and random numbers from their terminal and reach the network through winsock.
PROGRAM_FOLDERS = tuple(
    f"demos/{name}"
    for name in ("signal", "template", "ticks", "copier", "chartfeed", "collector", "provider", "ideas", "wire")
)
CLOCK_AND_NETWORK_MODULES = {
    "_socket", "_thread", "asyncio", "concurrent", "http", "sched", "secrets", "select", "selectors", "signal",
    "socket", "socketserver", "ssl", "threading", "time", "uuid",
}  # fmt: skip
# TLS in memory: these parts of ssl open no socket.
IN_MEMORY = re.compile(r"ssl\.(?!.*socket|create_connection|get_server_certificate).*")
# The provider serves its subscribers in threads, which it takes from demos/terminal/runtime/threads.py.
LOCKS = re.compile(r"threading\.(Lock|RLock)")
ALLOWED_NAMES = {
    "demos/wire/tls.py": IN_MEMORY,
    "demos/wire/tls_contexts.py": IN_MEMORY,
    # paho has sockets and a thread of its own: its TLS is set up, and its end awaited.
    "demos/wire/mqtt_link.py": re.compile(r"threading\.Event"),
    "demos/wire/mqtt_tls.py": re.compile(r"ssl\.SSLSocket"),
    "demos/provider/reports.py": LOCKS,
    "demos/provider/service.py": LOCKS,
    "demos/provider/topic_source.py": LOCKS,
    "demos/provider/publication.py": LOCKS,
    "demos/ideas/proxy/relay_memory.py": LOCKS,
    # The process that executes a strategy ends with the program that has started it.
    "demos/ideas/agents/worker.py": re.compile(r"threading\.Thread|signal\.SIGKILL"),
    # A number, to end a process with those that it has started.
    "demos/provider/alert_processes.py": re.compile(r"signal\.SIGKILL"),
}
CLOCK_NAMES = {
    "os.urandom",
    "random.SystemRandom",
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
}
MOST_MODULES_IN_DEMOS = 5


class Part(NamedTuple):
    """A row of the table in notes/architecture.md."""

    name: str
    patterns: list[str]
    may_import: list[str]


class Module(NamedTuple):
    """A source file: its name as Python imports it, its path in the repository, and its syntax tree."""

    name: str
    path: str
    tree: ast.Module
    lines: list[str]

    @property
    def is_package(self) -> bool:
        return self.path.endswith("/__init__.py")


def _load() -> dict[str, Module]:
    found = {}
    for package, folder in PACKAGES.items():
        for file in sorted((ROOT / folder).rglob("*.py")):
            names = [package, *file.relative_to(ROOT / folder).with_suffix("").parts]
            name = ".".join(names[:-1] if names[-1] == "__init__" else names)
            found[name] = _parsed(name, file)
    found["winsock_pytest"] = _parsed("winsock_pytest", ROOT / PLUGIN)
    return found


def _parsed(name: str, file: Path) -> Module:
    text = file.read_text(encoding="utf-8")
    return Module(name, file.relative_to(ROOT).as_posix(), ast.parse(text), text.splitlines())


MODULES = _load()
PATHS = {module.path: module for module in MODULES.values()}


def imported_names(module: Module) -> Iterator[str]:
    """Each name that the module imports, absolute: `a.b` for `import a.b`, `a.b.c` for `from a.b import c`."""
    package = module.name if module.is_package else module.name.rpartition(".")[0]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                base = ".".join([*parents[: len(parents) - node.level + 1], *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


@cache
def imports(name: str) -> frozenset[str]:
    """The modules of this project that a module imports; `from package import name` is the package unless a module."""
    found = set()
    for imported in imported_names(MODULES[name]):
        base = imported.rpartition(".")[0]
        target = imported if imported in MODULES else base if base in MODULES else None
        if target and target != name:
            found.add(target)
    return frozenset(found)


# ---- the table of notes/architecture.md


def _table() -> list[Part]:
    text = (ROOT / "notes/architecture.md").read_text(encoding="utf-8")
    table = re.search(r"^\| part \| modules \| may import \|.*\n\|[ |-]+\|\n((?:\|.*\|\n)+)", text, re.MULTILINE)
    assert table, "notes/architecture.md has no table: part | modules | may import"
    parts = []
    for line in table[1].splitlines():
        name, modules, allowed = (cell.strip() for cell in line.strip("|").split(" | "))
        names = [] if allowed == "\N{EN DASH}" else [each.strip() for each in allowed.split(",")]
        parts.append(Part(name, re.findall(r"`([^`]+)`", modules), names))
    return parts


PARTS = _table()


def part_of(path: str) -> Part | None:
    """The part of a module: the first row with a pattern that is its file, a folder around it, or a glob."""
    for part in PARTS:
        for pattern in part.patterns:
            if fnmatch.fnmatchcase(path, pattern) or path.startswith(f"{pattern}/"):
                return part
    return None


def test_the_table_names_each_part_once_and_refers_to_its_own_parts() -> None:
    names = [part.name for part in PARTS]
    assert len(names) == len(set(names))
    assert [(part.name, name) for part in PARTS for name in part.may_import if name not in names] == []


def test_every_module_belongs_to_a_part_of_the_table() -> None:
    missing = [path for path in PATHS if part_of(path) is None]
    assert not missing, "\n".join(missing)


def test_every_pattern_of_the_table_matches_a_module() -> None:
    unused = []
    for part in PARTS:
        for pattern in part.patterns:
            if not any(fnmatch.fnmatchcase(path, pattern) or path.startswith(f"{pattern}/") for path in PATHS):
                unused.append(pattern)
    assert not unused, "\n".join(unused)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_a_part_imports_only_the_parts_that_the_table_allows(part: Part) -> None:
    refused = []
    for module in MODULES.values():
        if part_of(module.path) is not part:
            continue
        for target in sorted(imports(module.name)):
            other = part_of(MODULES[target].path)
            if other is not None and other is not part and other.name not in part.may_import:
                refused.append(f"{module.path} imports {target} ({other.name})")
    assert not refused, "\n".join(refused)


# ---- cycles


def _edges(name: str) -> frozenset[str]:
    """The imports that can close a cycle: what a package re-exports from its own modules does not count."""
    if not MODULES[name].is_package:
        return imports(name)
    return frozenset(target for target in imports(name) if not target.startswith(f"{name}."))


def _cycles() -> list[list[str]]:
    """The strongly connected components of more than one module (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in sorted(_edges(name)):
            if target not in index:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], index[target])
        if low[name] == index[name]:
            members = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(members) > 1:
                found.append(sorted(members))

    for name in MODULES:
        if name not in index:
            visit(name)
    return found


def test_no_modules_import_each_other_in_a_cycle() -> None:
    found = [" ".join(cycle) for cycle in _cycles()]
    assert not found, "\n".join(found)


# ---- the study programs


def program(path: str) -> Module:
    if path not in PATHS:
        pytest.fail(f"{path} does not exist", pytrace=False)
    return PATHS[path]


@pytest.mark.parametrize("path", STUDY_PROGRAMS)
def test_a_study_program_imports_only_its_terminal_winsock_and_its_protocol(path: str) -> None:
    module = program(path)
    package = module.name.rpartition(".")[0]
    assert imports(module.name) <= {"demos.terminal", "winsock", f"{package}.protocol"}
    tops = {name.split(".")[0] for name in imported_names(module)}
    assert tops <= {"demos", "winsock", *STUDY_MODULES}


@pytest.mark.parametrize(("path", "limit"), STUDY_PROGRAMS.items())
def test_a_study_program_is_about_as_long_as_the_articles(path: str, limit: int) -> None:
    assert len(program(path).lines) <= limit


# ---- the operating system, clocks and the network


def _dotted(node: ast.expr, names: dict[str, str]) -> str | None:
    """The name of `a.b.c` with the module that `a` was imported from; None for any other expression."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        base = _dotted(node.value, names)
        return base and f"{base}.{node.attr}"
    return None


def used_names(tree: ast.Module) -> set[str]:
    """What a module uses of the modules that it imports: `os.path.join` for `os.path.join(…)` after `import os`."""
    names: dict[str, str] = {}
    used = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)) and id(node) not in inner and (name := _dotted(node, names)):
            used.add(name)
    # An import that is not used counts as well.
    return used | {name for name in names.values() if not any(f"{each}.".startswith(f"{name}.") for each in used)}


def _in(path: str, folders: tuple[str, ...]) -> bool:
    return any(path.startswith(f"{folder}/") for folder in folders)


@pytest.mark.parametrize(
    ("source", "used"),
    [
        ("import os\nos.path.join(os.sep)", {"os.path.join", "os.sep"}),
        ("import os as system\ngetattr(system, 'fork')", {"os"}),
        ("def call():\n    from time import sleep as wait\n    wait(1)", {"time.sleep"}),
        ("from datetime import datetime\ndatetime.now().isoformat()", {"datetime.datetime.now"}),
        ("import datetime\ndatetime.datetime.now()", {"datetime.datetime.now"}),
        ("import select", {"select"}),
        ("from .os import read\nread()", set()),
    ],
)
def test_the_parser_finds_what_a_module_uses(source: str, used: set[str]) -> None:
    assert used_names(ast.parse(source)) == used


def test_only_posix_knows_the_operating_system() -> None:
    found = []
    for module in MODULES.values():
        if _in(module.path, WITHOUT_SYSTEM):
            names = {name for name in used_names(module.tree) if name.partition(".")[0] in SYSTEM_MODULES}
            found += [f"{module.path} uses {name}" for name in sorted(names)]
    assert not found, "\n".join(found)


def test_programs_get_time_from_the_terminal_and_reach_the_network_through_winsock() -> None:
    found = []
    for module in MODULES.values():
        if _in(module.path, PROGRAM_FOLDERS):
            allowed = ALLOWED_NAMES.get(module.path)
            for name in sorted(used_names(module.tree)):
                if allowed and allowed.fullmatch(name):
                    continue
                if name in CLOCK_NAMES or name.partition(".")[0] in CLOCK_AND_NETWORK_MODULES:
                    found.append(f"{module.path} uses {name}")
    assert not found, "\n".join(found)


# ---- names and sizes


def test_no_module_or_folder_has_the_name_of_a_call() -> None:
    calls = {*winsock.CALLS, *(name for name, value in vars(winsock).items() if isfunction(value))}
    assert [module.path for module in MODULES.values() if module.name.rpartition(".")[2] in calls] == []


def test_at_most_five_modules_are_directly_in_demos() -> None:
    assert len(list((ROOT / "demos").glob("*.py"))) <= MOST_MODULES_IN_DEMOS


def test_every_folder_of_modules_is_a_package_that_says_what_belongs_in_it() -> None:
    folders = {path.rpartition("/")[0] for path in PATHS if path != PLUGIN}
    undocumented = []
    for folder in sorted(folders):
        package = PATHS.get(f"{folder}/__init__.py")
        if package is None or not ast.get_docstring(package.tree):
            undocumented.append(folder)
    assert not undocumented, "\n".join(undocumented)


def _reason(module: Module, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a comment on the function's def line, or on the line above it, gives a reason."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    for number in {node.lineno, node.lineno - 1, first - 1}:
        comment = module.lines[number - 1].partition("#")[2] if number else ""
        if len(re.findall(r"[a-z]+", re.sub(r"noqa:[ A-Z0-9,]*", "", comment))) >= 3:
            return True
    return False


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function without its docstring."""
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    docstring = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
    return lines if docstring is None else lines - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


def test_a_function_longer_than_forty_lines_has_its_reason_next_to_it() -> None:
    long = []
    for module in MODULES.values():
        for node in ast.walk(module.tree):
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            if _length(node) > LONGEST_FUNCTION and not _reason(module, node):
                long.append(f"{module.path}:{node.lineno} {node.name}: {_length(node)} lines")
    assert not long, "\n".join(long)


# ---- vocabulary

REPLACED = re.compile(
    r"\b(?:short|long) ways?\b|\bin-line (?:mode|cffi)\b|\bcompiled (?:mode|cffi)\b|\bno host's name\b|\blets one in\b"
    r"|\bwhich is said\b|\bwhat is due\b|\bmends?\b",
    re.IGNORECASE,
)


def _texts() -> list[Path]:
    pages = [*ROOT.glob("*.md"), *(ROOT / "notes").glob("*.md"), *(ROOT / "demos").rglob("*.md")]
    return sorted(pages) + [ROOT / path for path in PATHS]


def test_the_texts_use_the_projects_vocabulary() -> None:
    found = []
    for text in _texts():
        for number, line in enumerate(text.read_text(encoding="utf-8").splitlines(), start=1):
            found += [f"{text.relative_to(ROOT)}:{number}: {match[0]}" for match in REPLACED.finditer(line)]
    assert not found, "\n".join(found)


def test_the_parser_resolves_relative_imports() -> None:
    assert "winsock.constants" in imports("winsock.structures")
    assert "winsock_compat.backend" in imports("winsock")
