#!/usr/bin/env python3
"""Build a Windows Python on Wine in a cache folder, from the registries of Debian and PyPI alone.

    tests/wine/build.py             Wine 10 of Debian 13, unpacked into the cache folder
    tests/wine/build.py --system    the system's own Wine (8 on Debian 12), installed if it is missing

The folder is $WINSOCK_WINE, by default ~/.cache/winsock-wine. Completed steps are kept: a second run returns at once,
and a run after an interruption continues with the unfinished step. apt verifies every Debian package by the signature
of the archive, pip verifies every wheel by the sha256 in packages.txt or python.txt.
"""

from __future__ import annotations

import argparse
import fcntl
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import wine
from debian import install, run, step, unpack

HERE = Path(__file__).resolve().parent
COMPILERS = {
    "x86_64-w64-mingw32-gcc": "gcc-mingw-w64-x86-64-win32",
    "i686-w64-mingw32-gcc": "gcc-mingw-w64-i686-win32",
}
PYTHON_C = """\
#include <wchar.h>
__declspec(dllimport) int Py_Main(int argc, wchar_t **argv);
int wmain(int argc, wchar_t **argv) {
    return Py_Main(argc, argv);
}
"""
PYTHON_DEF = "LIBRARY python311.dll\nEXPORTS\nPy_Main\n"
# Parts of the standard library of a Linux Python that Windows cannot use or that the distribution has added.
LEFT_OUT = shutil.ignore_patterns("*-packages", "lib-dynload", "test", "config-3*", "sitecustomize.py")
SETTINGS = (
    (r"HKCU\Software\Wine", "Version", "win10"),
    # Wine must not open windows on a developer's desktop.
    (r"HKCU\Software\Wine\Drivers", "Graphics", "null"),
)
GREETING = """\
import ctypes, platform, pytest, hypothesis, rich, coverage, MetaTrader5
ctypes.WinDLL("Ws2_32.dll")
version = ctypes.CDLL("ntdll").wine_get_version
version.restype = ctypes.c_char_p
print("Python", platform.python_version(), "on Wine", version().decode())
"""


def fetch_wheels(folder: Path) -> None:
    """Download the wheels of both lists for the Windows Python."""
    target = ["--platform", "win_amd64", "--python-version", "3.11", "--only-binary=:all:", "--no-deps"]
    lists = [argument for path in wine.PINNED for argument in ("--requirement", path)]
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download", "--require-hashes"]
    run([*pip, *target, *lists, "--dest", folder])


def may_enter() -> bool:
    """Whether this user may create a mount namespace; containers often forbid it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "usr").mkdir()
        child = os.fork()
        if child == 0:
            try:
                wine.enter(Path(folder))
            except OSError:
                os._exit(1)
            os._exit(0)
        return os.waitpid(child, 0)[1] == 0


def make_debian(folder: Path) -> None:
    unpack("trixie", ["wine", "wine64", "libc-bin"], folder, dependencies=True)
    # The installation script of the package copies zlib to the libraries of Wine and marks it as a builtin DLL.
    dll = (folder / "usr/x86_64-w64-mingw32/lib/zlib1.dll").read_bytes()
    marked = dll[:64] + b"Wine builtin DLL".ljust(32, b"\0") + dll[96:]
    (folder / "usr/lib/x86_64-linux-gnu/wine/x86_64-windows/zlib1.dll").write_bytes(marked)


def standard_library(scratch: Path) -> Path:
    """The standard library of a CPython 3.11 on this machine, or of Debian 12."""
    ask = "import sys, sysconfig; print(sys.version_info[:2] == (3, 11) and sysconfig.get_path('stdlib'))"
    for interpreter in (sys.executable, "python3.11"):
        try:
            folder = Path(run([interpreter, "-I", "-c", ask]).strip())
        except (FileNotFoundError, RuntimeError):
            continue  # for example a pyenv shim, which exists but fails
        if folder.is_dir():
            return folder
    unpack("bookworm", ["libpython3.11-minimal", "libpython3.11-stdlib"], scratch, dependencies=False)
    return scratch / "usr/lib/python3.11"


def unpack_python(wheel: zipfile.ZipFile, folder: Path) -> None:
    (folder / "DLLs").mkdir()
    for member in wheel.namelist():
        name = member.removeprefix("deploy_libs/")
        # The files api-ms-win-… are parts of Windows, which Wine has too.
        if name != member and not name.startswith("api-ms-"):
            beside_program = name.lower().startswith(("python", "vcruntime"))
            (folder / ("" if beside_program else "DLLs") / name).write_bytes(wheel.read(member))


def make_stable_abi(folder: Path, scratch: Path) -> None:
    """Create python3.dll, which packages with Python's stable ABI load: each name is a forward to python311.dll."""
    listing = run(["x86_64-w64-mingw32-objdump", "-p", folder / "python311.dll"])
    table = listing.partition("[Ordinal/Name Pointer] Table")[2]
    names = re.findall(r"^\s+\[\s*\d+\].*?\s([A-Za-z_]\w*)$", table, re.MULTILINE)
    forwards = "".join(f"{name} = python311.{name}\n" for name in names)
    (scratch / "python3.def").write_text(f"LIBRARY python3.dll\nEXPORTS\n{forwards}")
    compiler = ["x86_64-w64-mingw32-gcc", "-shared", "-nostdlib", "-Wl,--entry=0"]
    run([*compiler, "-o", folder / "python3.dll", "python3.def"], folder=scratch)


def make_python(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        scratch = Path(name)
        fetch_wheels(scratch)
        shutil.copytree(standard_library(scratch / "debian"), folder / "Lib", ignore=LEFT_OUT)
        for path in scratch.glob("*.whl"):
            with zipfile.ZipFile(path) as wheel:
                if path.name.startswith("panda3d-"):
                    unpack_python(wheel, folder)
                else:
                    wheel.extractall(folder / "Lib/site-packages")
        (scratch / "python.c").write_text(PYTHON_C)
        (scratch / "python.def").write_text(PYTHON_DEF)
        run(["x86_64-w64-mingw32-dlltool", "-d", "python.def", "-l", "libpython311.a"], folder=scratch)
        compiler = ["x86_64-w64-mingw32-gcc", "-O2", "-s", "-municode"]
        run([*compiler, "python.c", "-o", folder / "python.exe", "-L.", "-lpython311"], folder=scratch)
        make_stable_abi(folder, scratch)


def make_prefix(folder: Path, debian: bool) -> None:
    loader, server = wine.programs(debian)
    environment = wine.wine_environment(debian) | {"WINEPREFIX": str(folder)}

    def call(*command: str) -> None:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            preexec_fn=lambda: wine.become_wine(debian),
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with exit code {done.returncode}")

    call(loader, "wineboot", "--init")
    for key, name, value in SETTINGS:
        call(loader, "reg", "add", key, "/v", name, "/d", value, "/f")
    # wineserver writes the registry when it ends.
    call(server, "--kill")
    call(server, "--wait")


def record(which: str) -> None:
    wine.RECORD.write_text(json.dumps({"recipe": wine.recipe(), "wine": which}))


def remove_outdated() -> None:
    """Remove what another recipe built, and the prefix, which belongs to the Wine that created it."""
    if wine.recorded().get("recipe") != wine.recipe():
        for folder in (wine.DEBIAN, wine.PYTHON, wine.CACHE / "pycache"):
            shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(wine.PREFIX, ignore_errors=True)
    record("")


def check_tools() -> None:
    """Install missing compilers.

    Errors: RuntimeError if another program is missing.
    """
    for program in ("apt-get", "dpkg-deb"):
        if not shutil.which(program):
            raise RuntimeError(f"{program} is missing; this script needs Debian or a distribution derived from it")
    missing = [package for program, package in COMPILERS.items() if not shutil.which(program)]
    if missing:
        install(missing)
    if importlib.util.find_spec("pip") is None:
        raise RuntimeError(f"{sys.executable} has no pip; install python3-pip, or use the python of a venv")


def unpack_wine() -> bool:
    """Whether Wine 10 of Debian 13 is unpacked and can be used; if not, the message says why."""
    try:
        if not may_enter():
            raise RuntimeError("this user may not create a mount namespace")
        step("fetching Wine 10 from Debian 13", make_debian, wine.DEBIAN)
    except RuntimeError as error:
        print(f"tests/wine: {error}; using the system's Wine instead", flush=True)
        return False
    return True


def build(system: bool) -> None:
    remove_outdated()
    check_tools()
    debian = not system and unpack_wine()
    if not debian and not all(wine.programs(debian=False)):
        install(["wine", "wine64"])
    step("fetching CPython 3.11 for Windows and the packages of the tests", make_python, wine.PYTHON)
    step("creating the Wine prefix", lambda folder: make_prefix(folder, debian), wine.PREFIX)
    record("debian" if debian else "system")
    try:
        print(f"tests/wine: {run([HERE / 'run', 'python', '-c', GREETING]).strip()}", flush=True)
    except RuntimeError:
        record("")
        raise


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", action="store_true", help="use the Wine of the system")
    system = parser.parse_args().system
    try:
        wine.CACHE.mkdir(parents=True, exist_ok=True)
        with (wine.CACHE / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            built = wine.built()
            if not built or (system and built != "system"):
                build(system)
    except (OSError, RuntimeError) as error:
        wine.fail(str(error))
    print(f"tests/wine: {wine.CACHE} is ready for tests/wine/run")
    return 0


if __name__ == "__main__":
    sys.exit(main())
