#!/usr/bin/env python3
"""Build a Windows Python under Wine in a cache folder, from Debian's and PyPI's registries alone.

    tests/wine/build.py             Wine 10 of Debian 13, unpacked into the cache folder
    tests/wine/build.py --system    the machine's own Wine (8 on Debian 12), installed if it is missing

The folder is $WINSOCK_WINE, else ~/.cache/winsock-wine. What is complete is kept: a second run returns at once, and
after an interruption the next one goes on where it stopped. apt checks every Debian package against the archive's
signature, pip every wheel against the sha256 beside its name.
"""

from __future__ import annotations

import argparse
import fcntl
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import wine
from debian import run, unpack

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
# Of a Linux Python's library: what is not for Windows, or is a distribution's own.
LEFT_OUT = shutil.ignore_patterns("*-packages", "lib-dynload", "test", "config-3*", "sitecustomize.py")
SETTINGS = (
    (r"HKCU\Software\Wine", "Version", "win10"),
    # No window is ever shown, also on a developer's desktop.
    (r"HKCU\Software\Wine\Drivers", "Graphics", "null"),
)
GREETING = """\
import ctypes, platform, pytest, hypothesis, rich, coverage, MetaTrader5
ctypes.WinDLL("Ws2_32.dll")
version = ctypes.CDLL("ntdll").wine_get_version
version.restype = ctypes.c_char_p
print("Python", platform.python_version(), "on Wine", version().decode())
"""


def step(title: str, make: Callable[[Path], None], target: Path) -> None:
    """Make the folder target, whole or not at all."""
    if target.exists():
        return
    begin = time.monotonic()
    print(f"tests/wine: {title} …", end="", flush=True)
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        make(partial)
    except RuntimeError:
        print(" failed", flush=True)
        raise
    partial.rename(target)
    print(f" {time.monotonic() - begin:.0f} s", flush=True)


def install(packages: list[str]) -> None:
    if os.getuid() != 0:
        raise RuntimeError(f"missing on this machine; as root: apt-get install {' '.join(packages)}")
    print(f"tests/wine: installing {' '.join(packages)} …", end="", flush=True)
    begin = time.monotonic()
    command: list[str | Path] = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        run([*command, "--simulate"])
    except RuntimeError:
        run(["apt-get", "update", "--quiet"])
    run(command, environment=environment)
    print(f" {time.monotonic() - begin:.0f} s", flush=True)


def fetch_wheels(folder: Path) -> None:
    """The wheels of both lists, for the Windows Python and not for the one that runs this."""
    target = ["--platform", "win_amd64", "--python-version", "3.11", "--only-binary=:all:", "--no-deps"]
    lists = [argument for path in wine.PINNED for argument in ("--requirement", path)]
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download", "--require-hashes"]
    run([*pip, *target, *lists, "--dest", folder])


def may_enter() -> bool:
    """Whether this user may have a mount namespace here; containers often forbid it."""
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
    # What the package's installation script does: copy zlib beside Wine's own libraries, marked as one of them.
    dll = (folder / "usr/x86_64-w64-mingw32/lib/zlib1.dll").read_bytes()
    marked = dll[:64] + b"Wine builtin DLL".ljust(32, b"\0") + dll[96:]
    (folder / "usr/lib/x86_64-linux-gnu/wine/x86_64-windows/zlib1.dll").write_bytes(marked)


def standard_library(scratch: Path) -> Path:
    """The Lib of a CPython 3.11 on this machine, else of Debian 12."""
    ask = "import sys, sysconfig; print(sys.version_info[:2] == (3, 11) and sysconfig.get_path('stdlib'))"
    for interpreter in (sys.executable, "python3.11"):
        try:
            folder = Path(run([interpreter, "-I", "-c", ask]).strip())
        except (FileNotFoundError, RuntimeError):
            continue  # a pyenv shim, for one, exists and fails
        if folder.is_dir():
            return folder
    unpack("bookworm", ["libpython3.11-minimal", "libpython3.11-stdlib"], scratch, dependencies=False)
    return scratch / "usr/lib/python3.11"


def unpack_python(wheel: zipfile.ZipFile, folder: Path) -> None:
    (folder / "DLLs").mkdir()
    for member in wheel.namelist():
        name = member.removeprefix("deploy_libs/")
        # Those named api-ms-win-… are parts of Windows, and so of Wine.
        if name != member and not name.startswith("api-ms-"):
            beside_program = name.lower().startswith(("python", "vcruntime"))
            (folder / ("" if beside_program else "DLLs") / name).write_bytes(wheel.read(member))


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
    # Its end writes the registry.
    call(server, "--kill")
    call(server, "--wait")


def record(which: str) -> None:
    wine.RECORD.write_text(json.dumps({"recipe": wine.recipe(), "wine": which}))


def build(system: bool) -> None:
    if wine.recorded().get("recipe") != wine.recipe():
        for folder in (wine.DEBIAN, wine.PYTHON, wine.CACHE / "pycache"):
            shutil.rmtree(folder, ignore_errors=True)
    # A prefix belongs to the Wine that made it.
    shutil.rmtree(wine.PREFIX, ignore_errors=True)
    record("")
    for program in ("apt-get", "dpkg-deb"):
        if not shutil.which(program):
            raise RuntimeError(f"there is no {program} here; this needs Debian, or a system made from it")
    missing = [package for program, package in COMPILERS.items() if not shutil.which(program)]
    if missing:
        install(missing)
    if importlib.util.find_spec("pip") is None:
        raise RuntimeError(f"{sys.executable} has no pip; install python3-pip, or run this with a venv's python")
    if not system:
        try:
            if not may_enter():
                raise RuntimeError("this user may have no mount namespace here")
            step("fetching Wine 10 from Debian 13", make_debian, wine.DEBIAN)
        except RuntimeError as error:
            print(f"tests/wine: {error}; going on with the machine's own Wine", flush=True)
            system = True
    if system and not all(wine.programs(debian=False)):
        install(["wine", "wine64"])
    step("fetching CPython 3.11 for Windows and what the tests import", make_python, wine.PYTHON)
    step("starting Windows for the first time", lambda folder: make_prefix(folder, not system), wine.PREFIX)
    record("system" if system else "debian")
    try:
        print(f"tests/wine: {run([HERE / 'run', 'python', '-c', GREETING]).strip()}", flush=True)
    except RuntimeError:
        record("")
        raise


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", action="store_true", help="use the machine's own Wine")
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
