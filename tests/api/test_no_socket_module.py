"""winsock does not need Python's own network modules, which embedded Pythons often lack."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
REMOVED = ("_socket", "socket", "_select", "select", "selectors", "_ssl", "ssl", "asyncio")

WITHOUT = f"""\
import sys

class Removed:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in {REMOVED}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Removed)
for name in {REMOVED}:
    sys.modules.pop(name, None)
"""
ROUND_TRIP = """\
from ctypes import c_int, sizeof
from winsock import *

assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
server = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
address = sockaddr_in(sin_family=AF_INET)
address.sin_addr.s_addr = inet_addr("127.0.0.1")
assert bind(server, address, sizeof(address)) == 0, WSAGetLastError()
assert listen(server, 1) == 0, WSAGetLastError()
assert getsockname(server, address, c_int(sizeof(address))) == 0, WSAGetLastError()
client = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
assert connect(client, address, sizeof(address)) == 0, WSAGetLastError()
accepted = accept(server, None, None)
assert accepted != INVALID_SOCKET, WSAGetLastError()

def send_and_receive(source, target, message):
    assert send(source, message, len(message), 0) == len(message), WSAGetLastError()
    assert shutdown(source, SD_SEND) == 0, WSAGetLastError()
    fds = fd_set()
    FD_SET(target, fds)
    assert select(0, fds, None, None, timeval(10, 0)) == 1, WSAGetLastError()
    poll = WSAPOLLFD(target, POLLIN)
    assert WSAPoll(poll, 1, 10_000) == 1, WSAGetLastError()
    buf = bytearray(64)
    assert recv(target, buf, len(buf), MSG_WAITALL) == len(message), WSAGetLastError()
    return bytes(buf[:len(message)])

print(send_and_receive(client, accepted, b"there").decode(), send_and_receive(accepted, client, b"back").decode())
assert gethostbyname("127.0.0.1").h_addrtype == AF_INET
for s in client, accepted, server:
    assert closesocket(s) == 0, WSAGetLastError()
assert WSACleanup() == 0
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "compat")])
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=CHECKOUT,
        env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", REMOVED)
def test_a_module_that_was_removed_cannot_be_imported(name: str) -> None:
    done = python(f"{WITHOUT}import {name}")
    assert done.stderr.splitlines()[-1] == f"ModuleNotFoundError: No module named '{name}'"


def test_a_tcp_round_trip_works_without_pythons_network_modules() -> None:
    done = python(f"{WITHOUT}{ROUND_TRIP}print(sorted(sys.modules.keys() & {set(REMOVED)}))")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["there back", "[]"]
