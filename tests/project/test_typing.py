"""Type checkers and programs find an editable installation, and `from winsock import *` has no type errors."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from typing_programs import PREPARATION, RIGHT_PROGRAMS, WRONG_STATEMENTS

import winsock

pytest.importorskip("mypy", reason="the extra `test` installs mypy")
pytest.importorskip("pyright", reason="the extra `test` installs pyright")

CHECKOUT = Path(__file__).resolve().parents[2]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")

# Uses the calls whose types differ: buffers, pointers to integers, sets, structures, results that may be None.
EVERYDAY = """\
from ctypes import POINTER, c_int
from winsock import *

def main() -> int:
    data = WSADATA()
    if WSAStartup(MAKEWORD(2, 2), data) != 0:
        return 1
    s = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
    if ioctlsocket(s, FIONBIO, u_long(1)) == SOCKET_ERROR:
        return WSAGetLastError()
    name = sockaddr_in()
    name.sin_family = AF_INET
    name.sin_addr.s_addr = inet_addr("127.0.0.1")
    for form in (name, bytearray(name), bytes(name)):
        bind(s, form, 16)
    getsockname(s, name, c_int(16))
    print(name, name == sockaddr_in(), inet_ntoa(name.sin_addr), ntohs(name.sin_port))
    small, large = fd_set(), fd_set_sized(1000)()
    FD_ZERO(small)
    FD_SET(s, small)
    FD_SET(s, large)
    ready = select(0, small, None, large, timeval(0, 1))
    if FD_ISSET(s, small):
        FD_CLR(s, small)
    polled = (WSAPOLLFD * 2)(WSAPOLLFD(s, POLLIN))
    WSAPoll(polled, 1, 0)
    result = POINTER(addrinfo)()
    if getaddrinfo("localhost", "80", addrinfo(ai_family=AF_INET), result) == 0:
        print(result.contents.ai_addrlen)
        freeaddrinfo(result)
    host = gethostbyname("localhost")
    if host is not None:
        print(host.h_name, host.h_addr[0])
    setsockopt(s, SOL_SOCKET, SO_LINGER, linger(1, 5), 4)
    error = WSAError(WSAGetLastError())
    print(error.meaning, error.value + 1, WSAErrorDescript(error))
    buf = bytearray(512)
    count = recvfrom(s, buf, len(buf), 0, sockaddr_storage(), c_int(128))
    send(s, memoryview(buf)[:count], count, 0)
    return closesocket(s) + WSACleanup() + ready

raise SystemExit(main())
"""


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """The output of a command that must succeed; it runs without the PYTHONPATH of the tests."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=cwd, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Installed(NamedTuple):
    """A clone named winsock, and the Python of an environment where it is installed with -e."""

    clone: Path
    python: Path


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("parent")
    clone, venv = folder / "winsock", folder / "venv"
    ignored = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd", "_libc.c")
    for name in ("winsock", "compat", "demos"):
        shutil.copytree(CHECKOUT / name, clone / name, ignore=ignored)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, clone)
    return Installed(clone, environment_with(clone, venv, "--editable"))


def environment_with(clone: Path, venv: Path, *options: str) -> Path:
    """The Python of a new virtual environment where a clone is installed; no compiler is used, to save time."""
    run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=clone)
    python = venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    run(*pip, *options, clone, cwd=clone, CC="/bin/false", WINSOCK_COMPAT_ACCELERATOR="0")
    return python


def readme_program(name: str) -> str:
    block = re.search(rf"```python\n(# {name}\n.*?)```", README, re.DOTALL)
    assert block, f"the README has no {name}"
    return block[1]


# The README's programs, one that uses many types, and one that uses every exported name.
TEXTS = {name: readme_program(name) for name in ("server.py", "client.py")} | {
    "everyday.py": EVERYDAY,
    "star_names.py": "from winsock import *\n\n" + "".join(f"print({name})\n" for name in winsock.__all__),
    "imported_names.py": "".join(f"from winsock import {name}\n" for name in winsock.__all__),
    "qualified_names.py": "import winsock\n\n" + "".join(f"print(winsock.{name})\n" for name in winsock.__all__),
    **RIGHT_PROGRAMS,
}


def write_programs(folder: Path) -> None:
    for name, text in TEXTS.items():
        (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture(params=["elsewhere", "parent folder of the clone"])
def programs(request: pytest.FixtureRequest, installed: Installed, tmp_path: Path) -> Iterator[Path]:
    """A folder with programs."""
    folder = tmp_path if request.param == "elsewhere" else installed.clone.parent
    write_programs(folder)
    yield folder
    for name in TEXTS:
        (folder / name).unlink()


def check_with_mypy(python: Path, programs: Path, platform: str) -> None:
    cache = python.parents[1] / "mypy_cache"
    options = ["--strict", "--platform", platform, "--python-executable", python, "--cache-dir", cache]
    printed = run(sys.executable, "-m", "mypy", *options, *TEXTS, cwd=programs)
    assert f"no issues found in {len(TEXTS)} source files" in printed


def check_with_pyright(python: Path, programs: Path, platform: str) -> None:
    options = ["--pythonpath", python, "--pythonplatform", platform]
    printed = run(sys.executable, "-m", "pyright", *options, *TEXTS, cwd=programs)
    assert "0 errors" in printed
    assert set(re.findall(r"warning: .*\((\w+)\)", printed)) == {"reportWildcardImportFromLibrary"}


@pytest.mark.parametrize("platform", ["linux", "win32"])
def test_mypy_strict_finds_no_error_in_programs_with_a_star_import(
    installed: Installed, programs: Path, platform: str
) -> None:
    check_with_mypy(installed.python, programs, platform)


@pytest.mark.parametrize("platform", ["Linux", "Windows"])
def test_pyright_finds_no_error_in_programs_with_a_star_import(
    installed: Installed, programs: Path, platform: str
) -> None:
    check_with_pyright(installed.python, programs, platform)


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_a_type_checker_reports_each_wrong_statement(installed: Installed, tmp_path: Path, checker: str) -> None:
    first = PREPARATION.count("\n") + 1
    (tmp_path / "wrong.py").write_text(PREPARATION + "\n".join(WRONG_STATEMENTS) + "\n", encoding="utf-8")
    cache = installed.python.parents[1] / "mypy_cache"
    options = {
        "mypy": ["--strict", "--python-executable", installed.python, "--cache-dir", cache],
        "pyright": ["--pythonpath", installed.python],
    }
    done = subprocess.run(
        [sys.executable, "-m", checker, *options[checker], "wrong.py"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    reported = {int(line) for line in re.findall(r"wrong\.py:(\d+):[\d: -]*error", done.stdout)}
    silent = [text for number, text in enumerate(WRONG_STATEMENTS, first) if number not in reported]
    assert silent == []
    assert min(reported) >= first


def test_type_checkers_find_an_installation_that_is_not_editable(installed: Installed, tmp_path: Path) -> None:
    python = environment_with(installed.clone, tmp_path / "venv")
    write_programs(tmp_path)
    check_with_mypy(python, tmp_path, sys.platform)
    check_with_pyright(python, tmp_path, "Windows" if sys.platform == "win32" else "Linux")


def test_a_program_in_the_parent_folder_of_a_clone_named_winsock_finds_the_package(
    installed: Installed, tmp_path: Path
) -> None:
    parent = installed.clone.parent
    (parent / "program.py").write_text("from winsock import *\nimport winsock\nprint(winsock.__file__, htons(1))\n")
    found = f"{installed.clone / 'winsock' / '__init__.py'} 256"
    assert run(installed.python, "program.py", cwd=parent).strip() == found
    assert run(installed.python, "-c", (parent / "program.py").read_text(), cwd=parent).strip() == found
    assert run(installed.python, parent / "program.py", cwd=tmp_path).strip() == found
    for folder in (parent, tmp_path, installed.clone):
        assert run(installed.python, "-m", "winsock", cwd=folder).startswith(f"winsock {winsock.__version__}")
        assert "signal_client" in run(installed.python, "-m", "demos", "list", cwd=folder)
