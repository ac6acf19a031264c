"""Helpers of the trace tests: a trace of this process, runs of Python, and the traces of two programs that talk."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

import winsock
from winsock import Winsock, trace
from winsock.api import CALLS
from winsock.trace.timeline import Timeline, timeline
from winsock.trace.trace_files import read_lanes

ROOT = Path(__file__).resolve().parents[2]


class Tracing:
    """A trace of this process to a file, and its contents."""

    def __init__(self, path: Path, json: bool, preview: int = trace.PREVIEW, only: Collection[str] = CALLS) -> None:
        self.path = path
        self._json = json
        trace.start(str(path), json=json, preview=preview, only=only, argv=["program.py"])

    @property
    def calls(self) -> Winsock:
        return winsock.calls

    def text(self) -> str:
        return self.path.read_text(encoding="ascii")

    def lines(self) -> list[str]:
        """The calls without time, thread and duration."""
        return [re.sub(r"^\S+ \[[^]]*\] | <\d+\.\d{6}>$", "", line) for line in self.text().splitlines()]

    def records(self) -> list[dict[str, Any]]:
        """The JSON records of the calls that have returned."""
        return [record for record in map(json.loads, self.text().splitlines()[1:]) if "n" in record]

    def begun(self) -> list[str]:
        """The texts of the calls at their beginning."""
        records = map(json.loads, self.text().splitlines())
        return [record["text"] for record in records if "begun" in record]


def python(
    *arguments: str, cwd: Path, environment: dict[str, str] | None = None, check: bool = False
) -> subprocess.CompletedProcess[str]:
    """Runs Python with winsock from this checkout."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "compat")])
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": path} | (environment or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=check,
    )


SERVER = """\
from winsock import *
from ctypes import c_int
WSAStartup(MAKEWORD(2, 2), WSADATA())
server = socket(AF_INET, SOCK_STREAM, 0)
name = sockaddr_in(AF_INET, 0, in_addr(inet_addr("127.0.0.1")))
bind(server, name, 16), listen(server, 1), getsockname(server, name, c_int(16))
tick = socket(AF_INET, SOCK_DGRAM, 0)
name.sin_family = AF_INET
bind(tick, name, 16)
print(ntohs(name.sin_port), flush=True)
client = accept(server, None, None)
buf = bytearray(512)
while recv(client, buf, 512, 0) > 0: pass
send(client, b"bye</script>", 12, 0)
recvfrom(tick, buf, 512, 0, sockaddr_in(), c_int(16))
closesocket(client), closesocket(tick), closesocket(server), WSACleanup()
"""
CLIENT = """\
import sys
from winsock import *
WSAStartup(MAKEWORD(2, 2), WSADATA())
client = socket(AF_INET, SOCK_STREAM, 0)
name = sockaddr_in(AF_INET, htons(int(sys.argv[1])), in_addr(inet_addr("127.0.0.1")))
connect(client, name, 16)
tick = socket(AF_INET, SOCK_DGRAM, 0)
sendto(tick, b"tick", 4, 0, name, 16)
send(client, b"hello\\0", 6, 0), shutdown(client, SD_SEND)
while recv(client, bytearray(4), 4, 0) > 0: pass
closesocket(tick), closesocket(client), WSACleanup()
"""


@pytest.fixture(scope="session")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the traces of a server and a client that communicated with each other."""
    return recorded_talk(tmp_path_factory.mktemp("talk"), SERVER)


def recorded_talk(folder: Path, server_text: str) -> Path:
    """The folder, with the traces of a server with this text and of the client, which run in processes of their own."""
    (folder / "server.py").write_text(server_text, encoding="ascii")
    (folder / "client.py").write_text(CLIENT, encoding="ascii")
    command = [sys.executable, "-m", "winsock.trace", "-o", str(folder / "server.jsonl"), str(folder / "server.py")]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        assert port.isdecimal()
        python("-m", "winsock.trace", "-o", "client.jsonl", "client.py", port, cwd=folder, check=True)
        assert server.wait(60) == 0
    finally:
        server.kill()
        server.wait()
        assert server.stdout is not None
        server.stdout.close()
    return folder


@pytest.fixture(scope="session")
def drawn(talk: Path) -> Timeline:
    return timeline([*read_lanes(talk / "server.jsonl"), *read_lanes(talk / "client.jsonl")])
