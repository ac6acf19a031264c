"""The layers of the terminal: imports run one way, without cycles, also under TYPE_CHECKING and inside functions."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = "demos.terminal"
FOLDER = ROOT / "demos" / "terminal"

# From the bottom to the top; a name stands for a module or for all modules of a folder. A module may import from its
# own layer and from the layers below.
LAYERS = (
    ("template_tree", "symbols", "mql.constants"),
    ("interfaces",),
    ("points",),
    ("money",),
    ("mql.conversion",),
    ("runtime",),
    ("charts", "paper", "mt5", "trade_commands", "trade_reports"),
    ("terminal",),
    ("mql",),
    ("",),
)
# Parts of one layer that must not import each other.
SEPARATE = ("charts", "paper", "mt5", "trade_commands")
# The only modules outside the terminal that it may import, and the only one of its modules that makes calls of Winsock.
OUTSIDE = {"demos.wire.codepages"}
NETWORK = f"{PACKAGE}.runtime.socket_events"
NETWORKED = {"winsock", "demos.wire.opening", "demos.wire.wake_up"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(FOLDER.rglob("*.py"))}


def imported_modules(name: str) -> set[str]:
    """The project's modules that a module imports, wherever the import statement is."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import"
            assert node.module is not None
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {each if each in MODULES else node.module for each in submodules}
    return {each for each in found if each.split(".")[0] in ("demos", "winsock")}


IMPORTS = {name: imported_modules(name) for name in MODULES}


def part(name: str) -> str:
    """The entry of LAYERS that a module belongs to."""
    inner = name.removeprefix(PACKAGE).removeprefix(".")
    entries = [entry for layer in LAYERS for entry in layer]
    if inner in entries:
        return inner
    assert inner.split(".")[0] in entries, f"{name} belongs to no layer"
    return inner.split(".")[0]


def layer(name: str) -> int:
    return next(number for number, entries in enumerate(LAYERS) if part(name) in entries)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_from_its_own_layer_and_lower_layers(name):
    inside = {each for each in IMPORTS[name] if each.startswith(PACKAGE)}
    assert {each for each in inside if layer(each) > layer(name)} == set()
    if part(name) in SEPARATE:
        assert {each for each in inside if part(each) in SEPARATE and part(each) != part(name)} == set()


@pytest.mark.parametrize("name", MODULES)
def test_a_module_of_the_terminal_imports_nothing_of_the_project_outside_the_terminal(name):
    allowed = OUTSIDE | NETWORKED if name == NETWORK else OUTSIDE
    assert {each for each in IMPORTS[name] if not each.startswith(PACKAGE)} <= allowed


def test_the_modules_have_no_import_cycle():
    graph = {name: {each for each in imports if each in MODULES} for name, imports in IMPORTS.items()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


def test_every_layer_has_modules():
    assert {part(name) for name in MODULES} == {entry for entries in LAYERS for entry in entries}
