"""What is installed and what `from winsock import …` gives: the wheel, the façade, the rules of both packages."""

from __future__ import annotations

import ast
import inspect
import os
import pydoc
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

import winsock
from winsock import api, constants, errors

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = {"winsock": CHECKOUT / "winsock", "winsock_compat": CHECKOUT / "compat/winsock_compat"}
# Where each backend defines the calls.
BACKENDS = {"winsock": PACKAGES["winsock"], "winsock_compat": PACKAGES["winsock_compat"] / "calls"}
# A module of its own: pytest loads it in each run, and it must not import the package then.
PLUGIN = CHECKOUT / "winsock_pytest.py"
SOURCES = sorted([*(path for folder in PACKAGES.values() for path in folder.rglob("*.py")), PLUGIN])

# On a busy machine building the wheels takes minutes.
pytestmark = pytest.mark.timeout(600)


def installed_name(path: Path) -> str:
    """Where a file of the packages, or the plugin, lies in site-packages."""
    if path == PLUGIN:
        return path.name
    for name, folder in PACKAGES.items():
        if path.is_relative_to(folder):
            return f"{name}/{path.relative_to(folder).as_posix()}"
    raise ValueError(path)


# The wheel


class Built(NamedTuple):
    path: Path
    wheel: list[str]
    sdist: list[str]
    metadata: Message


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """The output of a command that must succeed."""
    environment = os.environ | variables
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=cwd, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def installation_command(purpose: str) -> list[str]:
    """The command of notes/install.md that contains this text, run by this Python."""
    page = (CHECKOUT / "notes" / "install.md").read_text(encoding="utf-8")
    (command,) = re.findall(rf"^    python (.*{re.escape(purpose)}.*)$", page, re.MULTILINE)
    return [sys.executable, *command.split()]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A source distribution of this checkout, and the wheel that the command of notes/install.md builds from it."""
    # In a checkout with a folder build/, that folder is the package where the library is not installed.
    pytest.importorskip("build.__main__", reason="the extra `test` brings `build`, which makes the source distribution")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("out")
    kept = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd", "_libc.c")
    for folder in ("winsock", "compat", "demos", "notes"):
        shutil.copytree(CHECKOUT / folder, source / folder, ignore=kept)
    for name in (
        "pyproject.toml",
        "setup.py",
        PLUGIN.name,
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
    ):
        shutil.copy(CHECKOUT / name, source)
    run(sys.executable, "-m", "build", "--sdist", "--outdir", out, source, cwd=out)
    (sdist,) = out.glob("*.tar.gz")
    with tarfile.open(sdist) as archive_of_sources:
        sources = archive_of_sources.getnames()
    # Which filters tarfile's functions know and ask for depends on the version of Python; this command is the same.
    run(sys.executable, "-m", "tarfile", "-e", sdist, out, cwd=out)
    unpacked = out / sdist.name.removesuffix(".tar.gz")
    run(*installation_command("pip wheel"), cwd=unpacked)
    (wheel,) = (unpacked / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        text = archive.read(metadata).decode("utf-8")
    return Built(wheel, names, sources, Parser().parsestr(text))


def test_a_wheel_holds_the_two_packages_the_pytest_plugin_and_nothing_else(built: Built) -> None:
    tops = {name.split("/")[0] for name in built.wheel}
    assert tops == {"winsock", "winsock_compat", "winsock_pytest.py", f"winsock-{winsock.__version__}.dist-info"}
    with zipfile.ZipFile(built.path) as archive:
        entry_points = archive.read(f"winsock-{winsock.__version__}.dist-info/entry_points.txt").decode()
    assert entry_points.split() == ["[pytest11]", "winsock", "=", "winsock_pytest"]


def test_a_wheel_holds_every_module_of_the_packages(built: Built) -> None:
    assert {name for name in built.wheel if name.endswith(".py")} == {installed_name(path) for path in SOURCES}


def is_compiled(name: str) -> bool:
    """Whether this Python can import a file with this name as a compiled module."""
    return f".{name.rpartition('/')[2].partition('.')[2]}" in EXTENSION_SUFFIXES


def test_a_wheel_holds_the_compiled_modules_that_an_installation_builds(built: Built) -> None:
    installed = {
        installed_name(path) for folder in PACKAGES.values() for path in folder.rglob("*") if is_compiled(path.name)
    }
    assert {name for name in built.wheel if is_compiled(name)} == installed


@pytest.mark.posix_only(reason="on Windows nothing is compiled")
def test_a_wheel_is_for_the_python_and_the_platform_that_built_it(built: Built) -> None:
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    platform = re.sub(r"[-.]", "_", sysconfig.get_platform())
    assert built.path.name == f"winsock-{winsock.__version__}-{python}-{python}-{platform}.whl"


@pytest.mark.posix_only(reason="on Windows nothing is compiled")
def test_a_wheel_brings_the_compiled_modules_to_a_machine_without_a_compiler(built: Built, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=tmp_path)
    # Not even a path on which a compiler could be found.
    without_compiler = {"PATH": str(venv / "bin"), "CC": "/bin/false", "PYTHONPATH": ""}
    pip = [sys.executable, "-m", "pip", "--python", venv / "bin/python"]
    run(*pip, "install", "--only-binary", ":all:", built.path, cwd=tmp_path, **without_compiler)
    printed = run(venv / "bin/python", "-m", "winsock", cwd=tmp_path, **without_compiler)
    assert "(cffi API mode, with the accelerator)" in printed
    # An installation from the sources on this machine, which has a compiler, prints the same.
    assert printed == run(sys.executable, "-m", "winsock", cwd=CHECKOUT)


def test_a_wheel_built_from_the_source_distribution_has_all_that_it_needs(built: Built) -> None:
    headers = [path for folder in PACKAGES.values() for path in folder.rglob("*.h")]
    sources = [path.relative_to(CHECKOUT).as_posix() for path in [*SOURCES, *headers]]
    archived = {name.partition("/")[2] for name in built.sdist}
    assert archived >= {"pyproject.toml", "setup.py", "README.md", *sources}
    # Tests without their kits and data could not run.
    assert not any(name.startswith(("tests/", "demos/", "notes/")) for name in archived)


def test_both_packages_say_that_they_are_typed(built: Built) -> None:
    assert {"winsock/py.typed", "winsock_compat/py.typed"} <= set(built.wheel)


def test_cffi_alone_is_needed_and_not_on_windows(built: Built) -> None:
    required = built.metadata.get_all("Requires-Dist", [])
    needed = [entry for entry in required if "extra ==" not in entry]
    assert len(needed) == 1
    assert re.fullmatch(r"""cffi>=[\d.]+; sys_platform != ["']win32["']""", needed[0])


def test_everything_else_that_a_user_may_want_is_an_extra(built: Built) -> None:
    assert {"demos", "test"} <= set(built.metadata.get_all("Provides-Extra", []))


def test_the_metadata_names_version_python_and_licence(built: Built) -> None:
    assert built.metadata["Name"] == "winsock"
    assert built.metadata["Version"] == winsock.__version__
    assert built.metadata["Requires-Python"] == ">=3.10"
    assert built.metadata["License-Expression"] == "MIT"
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in built.wheel)


# The façade


def test_the_version_is_a_semantic_one() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", winsock.__version__)


def test_a_star_import_gives_what_all_lists_and_nothing_twice() -> None:
    names: dict[str, object] = {}
    exec("from winsock import *", names)  # what a program does
    assert set(names) - {"__builtins__"} == set(winsock.__all__)
    assert len(winsock.__all__) == len(set(winsock.__all__))


def test_a_star_import_does_not_replace_names_that_python_gives_a_module() -> None:
    # Without a literal __all__ a type checker does not see such names either.
    assert [name for name in winsock.__all__ if name.startswith("_")] == []


def test_all_lists_every_call_constant_error_and_structure() -> None:
    listed = set(winsock.__all__)
    assert listed >= {*winsock.CALLS, *constants.__all__, *errors.__all__}
    structures = {name for name, value in vars(winsock.structures).items() if is_public_structure(name, value)}
    assert listed >= structures


def is_public_structure(name: str, value: object) -> bool:
    return not name.startswith("_") and isinstance(value, type) and value.__module__ == "winsock.structures"


def test_what_is_not_listed_is_a_module_or_where_the_calls_come_from() -> None:
    public = {name: value for name, value in vars(winsock).items() if not name.startswith("_")}
    others = {name for name in set(public) - set(winsock.__all__) if not isinstance(public[name], ModuleType)}
    assert others <= {"calls", "replace_calls"}


def test_the_contracts_helpers_and_structures_are_there() -> None:
    assert set(winsock.__all__) >= {
        "BACKEND", "FD_CLR", "FD_ISSET", "FD_SET", "FD_ZERO", "HIBYTE", "LOBYTE", "MAKEWORD", "WSAErrorDescript",
        "WSADATA", "WSAData", "in_addr", "sockaddr", "sockaddr_in", "in6_addr", "sockaddr_in6", "sockaddr_storage",
        "timeval", "fd_set", "fd_set_sized", "WSAPOLLFD", "linger", "ip_mreq", "ipv6_mreq", "addrinfo", "hostent",
        "u_long",
    }  # fmt: skip


def test_the_backend_is_named_after_the_platform() -> None:
    assert {"win32": "ws2_32"}.get(sys.platform, "compat") == winsock.BACKEND


def test_all_calls_come_from_one_object() -> None:
    assert all(getattr(winsock, call) is getattr(winsock.calls, call) for call in winsock.CALLS)


@pytest.mark.parametrize("call", api.CALLS)
def test_help_shows_the_contracts_text(call: str) -> None:
    text = pydoc.plain(pydoc.render_doc(getattr(winsock, call)))
    documentation = inspect.getdoc(getattr(api.Winsock, call))
    assert documentation is not None
    assert [line for line in documentation.splitlines() if line not in text] == []


@pytest.mark.posix_only(reason="on Windows the package needs nothing but the clone")
def test_a_python_without_the_installation_says_what_to_do_in_the_clone() -> None:
    # Without site-packages, as in a terminal window in which the virtual environment is not activated.
    done = subprocess.run(
        [sys.executable, "-S", "-m", "winsock"], cwd=CHECKOUT, capture_output=True, text=True, check=False,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )  # fmt: skip
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert f"winsock is not installed for {sys.executable}. Activate the virtual environment" in last
    assert "`python -m pip install -e .`" in last


def test_python_m_winsock_names_version_and_backend() -> None:
    command = [sys.executable, "-m", "winsock"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, cwd=CHECKOUT)
    assert re.match(rf"winsock {re.escape(winsock.__version__)}, backend {winsock.BACKEND}\b", done.stdout)


# The rules of the house, read from the sources, so that each platform checks both backends


def imported(source: Path) -> set[str]:
    """The absolute names that a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
    return names


def functions(folder: Path, modules: str = "*.py") -> dict[str, list[str]]:
    """The parameters of each function at the top of a folder's modules."""
    return {
        node.name: [argument.arg for argument in node.args.args]
        for source in folder.glob(modules)
        if source.name not in ("api.py", "structures.py", "arguments.py")
        for node in ast.parse(source.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }


def contract() -> dict[str, list[str]]:
    return {call: list(inspect.signature(getattr(api.Winsock, call)).parameters)[1:] for call in api.CALLS}


@pytest.mark.parametrize("package", BACKENDS)
def test_each_backend_has_every_call_with_the_contracts_parameter_names(package: str) -> None:
    found = functions(BACKENDS[package])
    assert {call: found.get(call) for call in api.CALLS} == contract()


@pytest.mark.parametrize("call", api.CALLS)
def test_the_backend_in_use_takes_what_the_contract_takes(call: str) -> None:
    here, there = (inspect.signature(getattr(one, call)) for one in (winsock, api.Winsock))
    assert [(p.name, p.kind) for p in here.parameters.values()] == [
        (p.name, p.kind) for p in list(there.parameters.values())[1:]
    ]
    assert all(p.default is p.empty for p in here.parameters.values())


def test_no_module_has_the_name_of_a_call() -> None:
    assert {path.stem for path in SOURCES} & set(winsock.__all__) == set()
    assert {path.name for folder in PACKAGES.values() for path in folder.iterdir() if path.is_dir()}.isdisjoint(
        winsock.__all__
    )


def test_neither_package_imports_pythons_own_network_modules() -> None:
    networked = {"socket", "_socket", "select", "selectors", "ssl", "asyncio", "socketserver"}
    # The guards of simulations replace functions of these modules, and call none.
    guards = {"real_functions.py": {"select", "selectors", "socket", "ssl"}}
    assert {source.name: found for source in SOURCES if (found := imported(source) & networked)} == guards


def test_compat_is_imported_in_one_place_outside_itself() -> None:
    outside = [path for folder in ("winsock", "demos") for path in (CHECKOUT / folder).rglob("*.py")]
    users = [path for path in outside if any(name.split(".")[0] == "winsock_compat" for name in imported(path))]
    assert users == [CHECKOUT / "winsock/__init__.py"]


def test_the_demos_reach_the_network_through_winsock_alone() -> None:
    networked = {"socket", "_socket", "select", "selectors", "ssl", "asyncio", "socketserver"}
    programs = sorted((CHECKOUT / "demos").rglob("*.py"))
    assert programs
    found = {source.name: names for source in programs if (names := imported(source) & networked)}
    # paho-mqtt has sockets of its own.
    assert found.pop("mqtt_tls.py") == {"ssl"}
    # They encrypt and decrypt in memory: ssl's own sockets are not used.
    assert found == {"tls.py": {"ssl"}, "tls_contexts.py": {"ssl"}}
    for name in found:
        text = (CHECKOUT / "demos/wire" / name).read_text(encoding="utf-8")
        assert not re.search(r"SSLSocket|wrap_socket|get_server_certificate", text)


def test_cffi_is_compats_alone() -> None:
    users = {installed_name(path).split("/")[0] for path in SOURCES if "cffi" in imported(path)}
    assert users == {"winsock_compat"}
