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
# Increase this number with every other change that requires a new build.
RECIPE = 2
# Variables about the Linux session or a Linux Python, which a program on Wine must not see.
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
    """A hash of everything that determines the build; a build with another hash is outdated."""
    return hashlib.sha256(b"".join([str(RECIPE).encode(), *(path.read_bytes() for path in PINNED)])).hexdigest()


def recorded() -> dict[str, str]:
    """What the last build in CACHE recorded: its recipe and, if it is complete, which Wine it uses."""
    try:
        return dict(json.loads(RECORD.read_text()))
    except FileNotFoundError:
        return {}


def built() -> str:
    """Which Wine the build in CACHE uses, 'debian' or 'system'; '' if the build is missing or outdated."""
    record = recorded()
    return record.get("wine", "") if record.get("recipe") == recipe() else ""


def windows_path(path: str | os.PathLike[str]) -> str:
    return "Z:" + os.path.abspath(path).replace("/", "\\")


def checked(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def enter(tree: Path) -> None:
    """Mount tree/usr as /usr for this process alone.

    That requires a mount namespace, and for users other than root a user namespace, in which they keep their id.
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
    """Prepare a child process between fork and exec: it ends when its parent does.

    It and its children stay on one processor. Wine sends a request to wineserver for every call on a socket; if that
    runs on another processor, which is idle in between, the answer takes five times as long.
    """
    if debian:
        enter(DEBIAN)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    checked(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))


def programs(debian: bool) -> tuple[str, str]:
    """The paths of wine and wineserver, as a child that called become_wine sees them."""
    if debian:
        return "/usr/lib/wine/wine64", "/usr/lib/wine/wineserver64"
    # Debian 12 has both in this folder, and scripts that call them on the path.
    path = os.pathsep.join(["/usr/lib/wine", os.environ.get("PATH", os.defpath)])
    server = shutil.which("wineserver64", path=path) or shutil.which("wineserver", path=path)
    loader = shutil.which("wine64", path=path) or shutil.which("wine", path=path)
    return loader or "", server or ""


def wine_environment(debian: bool) -> dict[str, str]:
    """The environment of a program on Wine, made from the environment of this process."""
    environment = dict(os.environ)
    for name in [*LINUX_ONLY, *(name for name in environment if name.startswith("COVERAGE_"))]:
        environment.pop(name, None)
    environment["WINEPREFIX"] = str(PREFIX)
    # No questions about missing .NET and HTML packages, and no entries in the menu of the desktop.
    environment["WINEDLLOVERRIDES"] = "mscoree,mshtml=;winemenubuilder.exe=d"
    environment.setdefault("WINEDEBUG", "-all")
    # File names are UTF-8 in every locale of the caller; the code page of Windows is still 1252.
    environment["LC_ALL"] = "C.UTF-8"
    environment["WINESERVER"] = programs(debian)[1]
    # winsock.simulation reads the modules of winsock_compat, which an installation on Windows has too.
    own = [str(CHECKOUT), str(CHECKOUT / "compat")]
    paths = [*own, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    environment["PYTHONPATH"] = ";".join(map(windows_path, paths))
    # A CPython 3.11 on Linux would use the same names for its bytecode caches, which contain other paths.
    environment["PYTHONPYCACHEPREFIX"] = windows_path(CACHE / "pycache")
    if environment.get("WINSOCK_SHARED"):
        environment["WINSOCK_SHARED"] = windows_path(environment["WINSOCK_SHARED"])
    return environment
