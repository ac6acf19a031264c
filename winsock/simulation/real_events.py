"""The audit events that a simulated program must not cause: files, sockets, threads and processes of the machine."""

from __future__ import annotations

import os
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from .callers import STANDARD_LIBRARY, calling_process, error, refuse
from .dispatch import sources
from .process import Process

__all__ = ["PROCESS", "SOCKET", "THREAD", "add_hook", "authorize_sqlite", "check_files", "paths_in_an_open_folder"]

SOCKET = "a socket of the machine; use the calls of winsock, which reach the simulated network"
PROCESS = "a process of the machine; start a simulated one: host.start(function)"
THREAD = "a thread of the machine; start a simulated process: host.start(function)"

_SOCKET_EVENTS = (
    "socket.__new__", "socket.bind", "socket.connect", "socket.getaddrinfo", "socket.gethostbyaddr",
    "socket.gethostbyname", "socket.gethostname", "socket.getnameinfo", "socket.getservbyname", "socket.getservbyport",
    "socket.sendmsg", "socket.sendto", "socket.sethostname",
)  # fmt: skip
_PROCESS_EVENTS = (
    "os.exec", "os.fork", "os.forkpty", "os.kill", "os.killpg", "os.posix_spawn", "os.spawn", "os.startfile",
    "os.startfile/2", "os.system", "pty.spawn", "subprocess.Popen", "_winapi.CreateProcess",
)  # fmt: skip
_THREAD_EVENTS = ("_thread.start_new_thread", "_thread.start_joinable_thread")
# The positions of the paths among the arguments of events, and of the descriptors of the folders that relative paths
# start from; -1 is no descriptor.
_PATHS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    **dict.fromkeys(("os.link", "os.rename"), ((0, 1), (2, 3))),
    "os.symlink": ((1,), (2,)),
    "os.chmod": ((0,), (2,)),
    "os.chown": ((0,), (3,)),
    "os.mkdir": ((0,), (2,)),
    **dict.fromkeys(("os.remove", "os.rmdir"), ((0,), (1,))),
    "os.utime": ((0,), (3,)),
    **dict.fromkeys(("os.chdir", "os.listdir", "os.scandir", "os.truncate"), ((0,), ())),
    **dict.fromkeys(("os.setxattr", "os.removexattr"), ((0,), ())),
}

# Python reads these itself: source code for a traceback, for example.
_SOURCE_FILES = (".py", ".pyc", ".pyi", ".pyd", ".so", ".dll")
_NULL_DEVICE = os.path.normcase(os.path.abspath(os.devnull))
_EXTENDED = "\\\\?\\"  # the prefix of extended-length paths on Windows
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_hook_added = False
_in_an_open_folder = False


def add_hook() -> None:
    """Add the audit hook, which stays for the life of the process."""
    global _hook_added
    if not _hook_added:
        _hook_added = True
        sys.addaudithook(_hook)


@contextmanager
def paths_in_an_open_folder() -> Iterator[None]:
    """Meanwhile os.open gets a path that is relative to a folder which the program has been allowed to open."""
    global _in_an_open_folder
    _in_an_open_folder = True
    try:
        yield
    finally:
        _in_an_open_folder = False


def check_files(call: str, *paths: Any) -> None:
    """Errors: RealWorldCall if a program passes a path that is not on the disk of its host; None is no path."""
    if (process := calling_process()) is not None:
        for path in paths:
            if path is not None:
                _require_on_disk(process, call, _absolute(path))


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if sources and event in _CHECKS:
        _CHECKS[event](event, args)


def _refused(problem: str) -> Callable[[str, tuple[Any, ...]], None]:
    return lambda event, args: refuse(event.replace(".__new__", ".socket") + "()", problem)


def _check_open(event: str, args: tuple[Any, ...]) -> None:
    path, mode, flags = args
    if isinstance(path, int) or (_in_an_open_folder and mode is None):
        return
    if (process := calling_process()) is not None:
        name = _absolute(path)
        writes = isinstance(flags, int) and flags & _WRITES
        if os.path.normcase(name) != _NULL_DEVICE and (writes or not _belongs_to_python(name)):
            _require_on_disk(process, "open()" if mode else "os.open()", name)


def _check_sqlite(event: str, args: tuple[Any, ...]) -> None:
    _check_database(f"{event}()", os.fsdecode(args[0]))


def authorize_sqlite(action: int, first: str | None, *_: str | None) -> int:
    """Checks what a statement attaches, for a connection of a program. SQLite fails the statement if this raises."""
    if action == sqlite3.SQLITE_ATTACH:
        if first is None:
            refuse("ATTACH in SQLite", "the file is a parameter and cannot be checked; write it into the statement")
        else:
            _check_database("ATTACH in SQLite", first)
    return sqlite3.SQLITE_OK


def _check_database(call: str, database: str) -> None:
    if database.startswith("file:"):
        # As in SQLite: file:///C:/ledger and file:/C:/ledger are paths of Windows.
        database = re.sub("^//[^/]*(?=/)", "", unquote(database[5:].partition("?")[0]))
        database = re.sub("^/(?=[A-Za-z]:)", "", database)
    if database and database != ":memory:" and (process := calling_process()) is not None:
        _require_on_disk(process, call, _absolute(database))


def _check_paths(event: str, args: tuple[Any, ...]) -> None:
    paths, folders = _PATHS[event]
    if (process := calling_process()) is None or any(args[position] >= 0 for position in folders):
        return
    for position in paths:
        if not isinstance(args[position], int):
            _require_on_disk(process, f"{event}()", _absolute(args[position] or "."))


def _absolute(path: Any) -> str:
    return os.path.abspath(os.fsdecode(path)).removeprefix(_EXTENDED)


def _belongs_to_python(name: str) -> bool:
    """Whether a file is source code, or data of the standard library or of a package, which programs may read."""
    # The script that Python runs need not end in .py.
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    if name.endswith(_SOURCE_FILES) or name.startswith(STANDARD_LIBRARY) or (script and name == _absolute(script)):
        return True
    folder = os.path.dirname(name)
    while not os.path.exists(os.path.join(folder, "__init__.py")):
        if folder == os.path.dirname(folder):
            return False
        folder = os.path.dirname(folder)
    return True


def _require_on_disk(process: Process, call: str, name: str) -> None:
    """Errors: RealWorldCall for a file that is not below the disk of the process's host."""
    disk = _absolute(process.host.disk)
    for root in {disk, os.path.realpath(disk)}:
        folder = os.path.normcase(root)
        if os.path.normcase(name) == folder or os.path.normcase(name).startswith(os.path.join(folder, "")):
            return
    raise error(process, call, f"the file {name!r} of the machine; use one below the host's disk, host.disk: {disk!r}")


_CHECKS: dict[str, Callable[[str, tuple[Any, ...]], None]] = {
    "open": _check_open,
    "sqlite3.connect": _check_sqlite,
    **dict.fromkeys(_SOCKET_EVENTS, _refused(SOCKET)),
    **dict.fromkeys(_PROCESS_EVENTS, _refused(PROCESS)),
    **dict.fromkeys(_THREAD_EVENTS, _refused(THREAD)),
    **dict.fromkeys(_PATHS, _check_paths),
}
