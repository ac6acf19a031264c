"""compat's two modes: cffi API mode with a compiled module, ABI mode without one, an error if the module is broken."""

from __future__ import annotations

import importlib
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


def test_a_compiled_module_of_another_system_is_reported(copy: Path) -> None:
    """The compiler checks its numbers when it is built; loading compares them with the declarations."""
    modules = list((ROOT / "compat" / "winsock_compat" / "posix").glob("_libc*.so"))
    if not modules:
        pytest.skip("this checkout runs in ABI mode: there is no compiled module to change")
    shutil.copy(modules[0], copy / "winsock_compat" / "posix")
    declarations = copy / "winsock_compat" / "posix" / "declarations.py"
    declarations.write_text(declarations.read_text().replace("NUMBERS = {", "SO_UNHEARD_OF = 99\nNUMBERS = {"))
    done = imported(copy)
    assert done.returncode == 1
    assert "SO_UNHEARD_OF" in done.stderr


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
