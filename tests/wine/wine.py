"""Where the Windows Python lives, and how a process comes to run in it."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import NoReturn

CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("WINSOCK_WINE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "winsock-wine"))
CACHE = CACHE.expanduser().absolute()
DEBIAN = CACHE / "debian"
PYTHON = CACHE / "python"
PREFIX = CACHE / "prefix"
RECORD = CACHE / "build.json"
PINNED = [Path(__file__).with_name(name) for name in ("python.txt", "packages.txt")]
# Raised with every other change to what is built.
RECIPE = 1
# What a Linux program says of itself, its desktop or its own Python, and a Windows program would take for its own.
LINUX_ONLY = (
    "DISPLAY",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONEXECUTABLE",
    "PYTHONHOME",
    "TMPDIR",
    "VIRTUAL_ENV",
    "WAYLAND_DISPLAY",
    "WINEARCH",
    "WINELOADER",
)

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None, use_errno=True)


def fail(text: str, code: int = 1) -> NoReturn:
    print(f"tests/wine: {text}", file=sys.stderr)
    raise SystemExit(code)


def recipe() -> str:
    """What a build must have been made by to be of use to this checkout."""
    return hashlib.sha256(b"".join([str(RECIPE).encode(), *(path.read_bytes() for path in PINNED)])).hexdigest()


def recorded() -> dict[str, str]:
    """What the last build that began in CACHE wrote down about itself: its recipe and, once complete, its Wine."""
    try:
        return dict(json.loads(RECORD.read_text()))
    except FileNotFoundError:
        return {}


def built() -> str:
    """Which Wine the complete and current build in CACHE runs on, 'debian' or 'system'; '' if there is none."""
    record = recorded()
    return record.get("wine", "") if record.get("recipe") == recipe() else ""


def windows_path(path: str | os.PathLike[str]) -> str:
    return "Z:" + os.path.abspath(path).replace("/", "\\")


def checked(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def enter(tree: Path) -> None:
    """Let this process, and it alone, see tree/usr as /usr; everything else stays as it is.

    Root needs a mount namespace for that, any other user a user namespace around it, in which it keeps its own id.
    """
    uid, gid = os.getuid(), os.getgid()
    try:
        checked(libc.unshare(CLONE_NEWNS))
    except PermissionError:
        checked(libc.unshare(CLONE_NEWNS | CLONE_NEWUSER))
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    checked(libc.mount(None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None))
    checked(libc.mount(os.fsencode(tree / "usr"), b"/usr", None, ctypes.c_ulong(MS_BIND | MS_REC), None))


def become_wine(debian: bool) -> None:
    """What a child process does between fork and exec: it also ends when its parent does.

    It stays on one processor, and what it starts with it. Wine asks wineserver about every call on a socket, and a
    processor that has fallen asleep in between answers five times later than the one that asks.
    """
    if debian:
        enter(DEBIAN)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    checked(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))


def programs(debian: bool) -> tuple[str, str]:
    """The paths of wine and wineserver, as a child that called become_wine sees them."""
    if debian:
        return "/usr/lib/wine/wine64", "/usr/lib/wine/wineserver64"
    # Debian 12 keeps both in a folder of their own and puts scripts around them on the path.
    path = os.pathsep.join(["/usr/lib/wine", os.environ.get("PATH", os.defpath)])
    server = shutil.which("wineserver64", path=path) or shutil.which("wineserver", path=path)
    loader = shutil.which("wine64", path=path) or shutil.which("wine", path=path)
    return loader or "", server or ""


def wine_environment(debian: bool) -> dict[str, str]:
    """This process's environment as a program under Wine is to see it."""
    environment = dict(os.environ)
    for name in [*LINUX_ONLY, *(name for name in environment if name.startswith("COVERAGE_"))]:
        environment.pop(name, None)
    environment["WINEPREFIX"] = str(PREFIX)
    # Neither .NET nor HTML, whose absence would be asked about, nor entries in a desktop's menu.
    environment["WINEDLLOVERRIDES"] = "mscoree,mshtml=;winemenubuilder.exe=d"
    environment.setdefault("WINEDEBUG", "-all")
    # File names are UTF-8, whatever the caller's locale; Windows' own code page stays 1252.
    environment["LC_ALL"] = "C.UTF-8"
    environment["WINESERVER"] = programs(debian)[1]
    paths = [str(CHECKOUT), *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    environment["PYTHONPATH"] = ";".join(map(windows_path, paths))
    # A Linux CPython 3.11 on the same checkout gives its compiled files the same names, with other paths inside.
    environment["PYTHONPYCACHEPREFIX"] = windows_path(CACHE / "pycache")
    if environment.get("WINSOCK_SHARED"):
        environment["WINSOCK_SHARED"] = windows_path(environment["WINSOCK_SHARED"])
    return environment
