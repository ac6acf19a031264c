"""The ctypes declarations pass handles of full width and preserve the last error."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from abi_headers import compiler, needs_compiler
from winsock_kit import LIMIT_SECONDS, Running, error_of, set_nonblocking, udp_pair

from winsock import SOCKET_ERROR, WSAENOTSOCK, WSAEWOULDBLOCK, WSAGetLastError, closesocket, recv

TESTS = Path(__file__).resolve().parents[1]
NOT_BUILT = 125
ON_WINDOWS = pytest.mark.skipif(sys.platform != "win32", reason="Ws2_32.dll is on Windows; tests/wine/run runs it")

# A SOCKET is as wide as a pointer. Windows returns small numbers, other service providers may return any number.
HANDLES = [
    4,
    2**31 - 4,
    2**31,
    2**31 + 4,
    2**32 - 4,
    2**32,
    2**32 + 8,
    0x1234_5678_9ABC_DEF0,
    2**63 - 4,
    2**63,
    2**63 + 8,
    2**64 - 8,
    2**64 - 1,
]


def on_windows(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a Python program on Windows or on Wine."""
    python = [sys.executable] if sys.platform == "win32" else [TESTS / "wine" / "run", "python"]
    done = subprocess.run(
        [*python, *arguments],
        cwd=folder,
        env=os.environ | ({"PYTHONPATH": str(TESTS.parent)} if sys.platform == "win32" else {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == NOT_BUILT:
        pytest.skip(done.stderr.strip())
    return done


def test_every_call_passes_handles_of_full_width(tmp_path: Path) -> None:
    needs_compiler(64)
    built = compiler(
        64,
        *("-DWINSOCK_API_LINKAGE=", "-Wall", "-Werror", "-shared", "-Wl,--export-all-symbols"),
        *(TESTS / "kits" / "abi_stand_in.c", "-o", tmp_path / "stand_in.dll"),
    )
    assert built.returncode == 0, built.stderr
    done = on_windows(TESTS / "kits" / "abi_stand_in.py", "stand_in.dll", *map(str, HANDLES), folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [int(line) for line in done.stdout.split()] == HANDLES


@pytest.mark.usefixtures("started")
def test_each_thread_has_its_own_last_error_after_both_have_failed() -> None:
    idle, _ = udp_pair()
    set_nonblocking(idle)
    failures: list[tuple[Callable[[], int], int]] = [
        (lambda: closesocket(1), WSAENOTSOCK),
        (lambda: recv(idle, bytearray(1), 1, 0), WSAEWOULDBLOCK),
    ]
    both = threading.Barrier(len(failures), timeout=LIMIT_SECONDS)

    def fail_often(call: Callable[[], int]) -> set[int]:
        seen = set()
        for _ in range(500):
            assert call() == SOCKET_ERROR
            both.wait()
            seen.add(WSAGetLastError())
        return seen

    threads = [Running(lambda call=call: fail_often(call)) for call, _ in failures]  # type: ignore[misc]
    assert [thread.result() for thread in threads] == [{error} for _, error in failures]


@ON_WINDOWS
@pytest.mark.usefixtures("started")
def test_the_last_error_is_that_of_the_call_even_after_the_interpreter_has_overwritten_it() -> None:
    assert error_of(closesocket(1)) == WSAENOTSOCK
    with pytest.raises(FileNotFoundError):
        os.stat("no such file")
    raw = ctypes.GetLastError()  # type: ignore[attr-defined]
    assert raw not in (0, WSAENOTSOCK)
    assert WSAGetLastError() == WSAENOTSOCK
