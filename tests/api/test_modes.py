"""compat's two modes: cffi API mode with compiled modules, ABI mode without; broken and outdated ones are errors."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

import winsock

pytestmark = pytest.mark.posix_only("compat and its cffi module are for POSIX systems")

ROOT = Path(__file__).parents[2]
SHOW = "import winsock; w = winsock; print(w.calls.MODE, w.calls.ACCELERATED, w.WSAStartup(0x202, w.WSADATA()))"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The two packages, without a compiled module."""
    for package in (ROOT / "winsock", ROOT / "compat" / "winsock_compat"):
        shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    return tmp_path


def imported(folder: Path) -> subprocess.CompletedProcess[str]:
    # -S: an editable install would help out with this checkout's own module.
    paths = [str(folder), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    program = f"import sys; sys.path[:0] = {paths!r}; {SHOW}"
    return subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, timeout=60)


def test_without_a_compiled_module_cffi_abi_mode_is_used(copy: Path) -> None:
    done = imported(copy)
    assert (done.returncode, done.stdout, done.stderr) == (0, "abi False 0\n", "")


def test_a_broken_compiled_module_is_reported(copy: Path) -> None:
    (copy / "winsock_compat" / "posix" / "_libc.abi3.so").write_bytes(b"no module")
    done = imported(copy)
    assert done.returncode == 1
    assert "ImportError" in done.stderr
    assert "_libc.abi3.so" in done.stderr


def compiled_modules() -> list[Path]:
    """The compiled modules of this checkout, by their paths in the package."""
    package = ROOT / "compat" / "winsock_compat"
    modules = [path.relative_to(package) for path in [*package.glob("_*.so"), *package.glob("posix/_*.so")]]
    if not modules:
        pytest.skip("this checkout runs in ABI mode: there is no compiled module")
    return modules


def copy_compiled_modules(copy: Path) -> None:
    for module in compiled_modules():
        shutil.copy(ROOT / "compat" / "winsock_compat" / module, copy / "winsock_compat" / module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("_libc", "winsock_compat/posix/declarations.py"),
        ("_libc", "winsock_compat/build.py"),
        ("_accelerator", "winsock_compat/state/flags.py"),
        ("_accelerator", "winsock_compat/accelerator/accelerator.c"),
        ("_accelerator", "winsock_compat/accelerator/macros.py"),
        ("_accelerator", "winsock/constants.py"),
        ("_accelerator", "winsock/errors.py"),
    ],
)
def test_a_compiled_module_that_was_built_from_other_sources_is_refused(copy: Path, module: str, source: str) -> None:
    if not any(path.name.startswith(module) for path in compiled_modules()):
        pytest.skip(f"this checkout has no compiled {module}")
    copy_compiled_modules(copy)
    with (copy / source).open("a") as file:
        file.write("\n")
    done = imported(copy)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.search(
        rf"^ImportError: \S*{module}\S*\.so was built from other sources than the present \S+(, \S+)+: "
        r"install winsock again \(in a clone: python -m pip install -e \.\)$",
        done.stderr,
        re.MULTILINE,
    )
    assert source in done.stderr


def test_a_compiled_module_is_used_where_its_sources_are_the_same_or_are_missing(copy: Path) -> None:
    copy_compiled_modules(copy)
    accelerated = any(path.name.startswith("_accelerator") for path in compiled_modules())
    expected = (0, f"api {accelerated} 0\n", "")
    done = imported(copy)
    assert (done.returncode, done.stdout, done.stderr) == expected
    (copy / "winsock_compat" / "accelerator" / "accelerator.c").unlink()
    (copy / "winsock_compat" / "build.py").unlink()
    done = imported(copy)
    assert (done.returncode, done.stdout, done.stderr) == expected


def test_a_number_that_this_systems_headers_define_differently_is_reported(copy: Path) -> None:
    """API mode reads the headers' numbers when it is built; loading compares them with the declarations."""
    compiled_modules()
    package = copy / "winsock_compat"
    declarations = package / "posix" / "declarations.py"
    declarations.write_text(declarations.read_text().replace("SO_ERROR = 4 if LINUX", "SO_ERROR = 5 if LINUX"))
    program = f"import runpy; runpy.run_path({str(package / 'build.py')!r})['ffibuilder'].compile({str(copy)!r})"
    built = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=110)
    if built.returncode and "compil" in built.stderr:
        pytest.skip("there is no C compiler")
    assert built.returncode == 0, built.stderr
    done = imported(copy)
    assert done.returncode == 1
    assert "SO_ERROR" in done.stderr


def test_a_broken_accelerator_is_reported(copy: Path) -> None:
    (copy / "winsock_compat" / "_accelerator.abi3.so").write_bytes(b"no module")
    done = imported(copy)
    assert done.returncode == 1
    assert "ImportError" in done.stderr
    assert "_accelerator.abi3.so" in done.stderr


def test_the_accelerator_understands_the_ctypes_objects_of_this_python() -> None:
    """Otherwise it would leave every call with one to the reference."""
    calls: Any = winsock.calls
    if not calls.ACCELERATED:
        pytest.skip("this checkout runs without the accelerator")
    assert importlib.import_module("winsock_compat.accelerator").LAYOUT_KNOWN


@pytest.mark.parametrize("first", ["winsock", "winsock.structures", "winsock_compat", "winsock_compat.calls.sockets"])
def test_the_two_packages_can_be_imported_in_any_order(first: str) -> None:
    program = f"import {first}, winsock_compat, winsock; print(winsock_compat.recv is winsock.recv)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_the_command_prints_the_mode() -> None:
    done = subprocess.run([sys.executable, "-m", "winsock"], capture_output=True, text=True, timeout=60, cwd=ROOT)
    calls: Any = winsock.calls
    accelerated = "with" if calls.ACCELERATED else "without"
    backend = f"compat (cffi {calls.MODE.upper()} mode, {accelerated} the accelerator)"
    assert f"winsock {winsock.__version__}, backend {backend}" in done.stdout
