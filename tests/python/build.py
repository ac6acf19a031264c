#!/usr/bin/env python3
"""Make a virtual environment with a newer CPython, from Debian's packages alone; nothing is installed in the system.

    tests/python/build.py               CPython 3.13 of Debian 13
    tests/python/build.py 3.14          CPython 3.14 of Debian's testing release

The packages are unpacked into a folder of $WINSOCK_PYTHONS, by default ~/.cache/winsock-pythons. The virtual
environment is created there too, unless --venv names another folder. Completed steps are kept: a second run returns at
once. apt verifies every package by the signature of the archive. Root is needed only to install a C compiler if it is
missing.

CPython of Debian 13 needs a newer C library than Debian 12 has. So the script compiles a program of its own that calls
libpython, with the unpacked dynamic linker as its ELF interpreter and the unpacked libraries as its DT_RPATH, which
extension modules inherit. Child processes such as the compiler use the system's C library.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import platform
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "wine"))

from debian import SCRIPT, install, run, step, unpack  # noqa: E402 - its folder is on the path only now

SUITES = {"3.13": "trixie", "3.14": "testing"}
CACHE = Path(
    os.environ.get("WINSOCK_PYTHONS") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "winsock-pythons")
)
# Increase this number with every change that requires a new build.
RECIPE = 1
LIBRARIES = Path("usr/lib/x86_64-linux-gnu")
PYTHON_C = """\
int Py_BytesMain(int argc, char **argv);
int main(int argc, char **argv) {
    return Py_BytesMain(argc, argv);
}
"""
GREETING = """\
import ctypes, lzma, platform, sqlite3, ssl, sys
print("Python", platform.python_version(), "on", *platform.libc_ver())
"""


def check_tools() -> None:
    """Install a missing compiler.

    Errors: RuntimeError if the machine cannot run the packages or another program is missing.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise RuntimeError(f"this script needs Linux on x86_64, not {sys.platform} on {platform.machine()}")
    for program in ("apt-get", "dpkg-deb"):
        if not shutil.which(program):
            raise RuntimeError(f"{program} is missing; this script needs Debian or a distribution derived from it")
    if not shutil.which("cc"):
        install(["gcc", "libc6-dev"])


def unpack_python(version: str, target: Path, folder: Path) -> None:
    """Unpack CPython into folder, which will be renamed to target, and compile its program."""
    packages = [f"libpython{version}", f"libpython{version}-dev", "python3-pip-whl"]
    unpack(SUITES[version], packages, folder, dependencies=True)
    # In its place Debian has a file that includes this one from /usr/include.
    headers = folder / "usr/include"
    shutil.copy(headers / f"x86_64-linux-gnu/python{version}/pyconfig.h", headers / f"python{version}/pyconfig.h")
    source = folder / "python.c"
    source.write_text(PYTHON_C)
    options = [
        "--allow-shlib-undefined",  # the symbols of the newer C library
        "--disable-new-dtags",  # DT_RPATH: DT_RUNPATH is not inherited
        f"-rpath={target / LIBRARIES}",
        f"--dynamic-linker={target / LIBRARIES}/ld-linux-x86-64.so.2",
    ]
    library = folder / LIBRARIES / f"libpython{version}.so"
    linked = [f"-Wl,{option}" for option in options]
    run(["cc", "-O2", source, library, *linked, "-o", folder / f"usr/bin/python{version}"])


def make_environment(version: str, python: Path, venv: Path) -> None:
    """Create a virtual environment with pip, or keep the one that works."""
    program = venv / "bin/python"
    try:
        run([program, "-m", "pip", "--version"])
        current = run([program, "-c", "import sys; print(sys.base_prefix)"]).strip()
    except (FileNotFoundError, RuntimeError):
        current = ""
    if current == str(python / "usr"):
        return
    print(f"{SCRIPT}: creating {venv}", flush=True)
    run([python / f"usr/bin/python{version}", "-I", "-m", "venv", "--without-pip", "--clear", venv])
    # Debian keeps the wheel of pip apart from ensurepip, which looks for it in /usr.
    (wheel,) = (python / "usr/share/python-wheels").glob("pip-*.whl")
    run([program, wheel / "pip", "install", "--quiet", "--no-index", wheel])


def build(version: str, venv: Path | None) -> Path:
    """Make everything that is missing and return the environment's python."""
    cache = CACHE.expanduser().absolute()
    cache.mkdir(parents=True, exist_ok=True)
    python = cache / f"{version}-{RECIPE}"
    venv = (venv or cache / f"venv-{version}").absolute()
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        check_tools()
        title = f"fetching CPython {version} from Debian {SUITES[version]}"
        step(title, lambda folder: unpack_python(version, python, folder), python)
        make_environment(version, python, venv)
    return venv / "bin/python"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version", nargs="?", choices=SUITES, default="3.13", help="the CPython (default: 3.13)")
    parser.add_argument("--venv", type=Path, metavar="FOLDER", help="where the virtual environment is created")
    options = parser.parse_args()
    try:
        program = build(options.version, options.venv)
        greeting = run([program, "-c", GREETING]).strip()
    except (OSError, RuntimeError) as error:
        print(f"{SCRIPT}: {error}", file=sys.stderr)
        return 1
    print(f'{SCRIPT}: {greeting}; install with {program} -m pip install -e ".[test]"')
    return 0


if __name__ == "__main__":
    sys.exit(main())
