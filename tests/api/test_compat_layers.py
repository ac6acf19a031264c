"""compat's layers: calls, state and posix import one way, and calls and state reach the C library through posix."""

from __future__ import annotations

import ast
import graphlib
from pathlib import Path

import pytest

COMPAT = Path(__file__).parents[2] / "compat" / "winsock_compat"
LAYERS = ("calls", "state", "posix", "accelerator")
# What a module of each layer may import, of compat's layers.
ALLOWED = {
    "calls": {"calls", "state", "posix"},
    "state": {"state", "posix"},
    "posix": {"posix"},
    "accelerator": {"calls", "state", "posix", "_accelerator"},
}
# What loads a C library: the packages, ctypes' loaders, and posix.loading with what it defines.
C_LIBRARIES = {"cffi", "_cffi_backend", "CDLL", "PyDLL", "WinDLL", "OleDLL", "cdll", "pydll", "windll", "LoadLibrary"}
LOADED = {"ffi", "lib", "loading", "_libc", "ffibuilder"}


def sources(layer: str) -> list[Path]:
    return sorted((COMPAT / layer).glob("*.py"))


def module_of(source: Path) -> str:
    """A module's dotted name below winsock_compat."""
    parts = source.relative_to(COMPAT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(source: Path) -> list[tuple[str, str]]:
    """Each import in a file, in functions and under TYPE_CHECKING too: the absolute module, and the name or ''.

    A relative import is resolved below winsock_compat, which stands for itself.
    """
    found = []
    package = ("winsock_compat", *source.relative_to(COMPAT).parent.parts)
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join((*base, *([node.module] if node.module else ())))
            found += [(module, alias.name) for alias in node.names]
    return found


MODULES = {module_of(source) for source in COMPAT.rglob("*.py")}


def compat_imports(source: Path) -> set[str]:
    """The modules of compat that a file imports, by their names below winsock_compat."""
    found = set()
    for module, name in imports(source):
        below = module.removeprefix("winsock_compat").lstrip(".")
        if module.split(".")[0] == "winsock_compat":
            found.add(f"{below}.{name}".lstrip(".") if f"{below}.{name}".lstrip(".") in MODULES else below)
    return found


def identifiers(source: Path) -> set[str]:
    """Every name and attribute in a file."""
    nodes = list(ast.walk(ast.parse(source.read_text(encoding="utf-8"))))
    return {node.id for node in nodes if isinstance(node, ast.Name)} | {
        node.attr for node in nodes if isinstance(node, ast.Attribute)
    }


def test_each_layer_has_modules() -> None:
    assert all(sources(layer) for layer in LAYERS)
    assert {path.name for path in COMPAT.iterdir() if path.is_dir()} - {"__pycache__"} == set(LAYERS)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_only_the_layers_below_it(layer: str) -> None:
    wrong = {
        source.name: other
        for source in sources(layer)
        if (other := {name.split(".")[0] for name in compat_imports(source)} - ALLOWED[layer])
        # Chooses between the C types and the Python ones.
        and (module_of(source), other) != ("state.core", {"_accelerator"})
    }
    assert wrong == {}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_nothing_else_of_the_project_but_winsocks_contract(layer: str) -> None:
    """Not the façade, which imports compat."""
    contract = {"arguments", "constants", "errors", "structures"} | ({"api"} if layer == "accelerator" else set())
    used = {
        module.removeprefix("winsock.") if module != "winsock" else name
        for source in sources(layer)
        for module, name in imports(source)
        if module.split(".")[0] == "winsock"
    }
    assert used <= contract
    assert not any(module.split(".")[0] == "demos" for source in sources(layer) for module, _ in imports(source))


@pytest.mark.parametrize("layer", ["calls", "state"])
def test_calls_and_state_reach_the_system_only_through_posix(layer: str) -> None:
    for source in sources(layer):
        names = {part for module, name in imports(source) for part in (*module.split("."), name)} | identifiers(source)
        assert names & (C_LIBRARIES | LOADED) == set(), source.name


def test_cffi_is_imported_by_posix_loading_and_the_build_alone() -> None:
    users = {
        module_of(source)
        for source in COMPAT.rglob("*.py")
        if any(module.split(".")[0] in ("cffi", "_cffi_backend") for module, _ in imports(source))
    }
    assert users == {"posix.loading", "build"}


def test_only_the_backend_imports_the_accelerator() -> None:
    users = {
        module_of(source)
        for source in COMPAT.rglob("*.py")
        if any(name.split(".")[0] == "accelerator" for name in compat_imports(source))
    }
    assert users == {"backend"}


def test_the_modules_have_no_import_cycles() -> None:
    graph = {module_of(source): compat_imports(source) - {module_of(source)} for source in COMPAT.rglob("*.py")}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def test_no_cffi_object_is_a_parameter_or_result_at_the_seam() -> None:
    """The functions that calls and state use are annotated with plain types, so that mypy proves it."""
    plain = {
        "Owner", "dict", "Any",
        "int", "bytes", "bool", "str", "None", "list", "tuple", "Sequence", "InputBuffer", "OutputBuffer", "Found",
        "float", "Callable",
    }  # fmt: skip
    for name in ("system", "waiting", "resolver"):
        tree = ast.parse((COMPAT / "posix" / f"{name}.py").read_text(encoding="utf-8"))
        for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
            if function.name.startswith("_"):
                continue
            arguments = function.args
            annotations = [argument.annotation for argument in arguments.args] + [function.returns]
            assert arguments.vararg is arguments.kwarg is None, function.name
            assert None not in annotations, function.name
            for annotation in annotations:
                assert annotation is not None
                used = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
                assert used <= plain, f"{name}.{function.name}"
