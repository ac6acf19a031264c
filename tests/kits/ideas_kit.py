"""For the tests of the ideas: programs on a stage, and peers in the same thread that write bytes of their own.

until() lets the terminal go on by a timer event at a time and waits a moment for the system in each; every wait has a
time limit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from cleanup_kit import closed_after_test
from hostile_kit import CLOSE, TEXT, UPGRADE, frame, frames
from signal_kit import Script, Stage, dial, reset
from winsock_kit import LIMIT_SECONDS, set_nonblocking

from winsock import (
    INVALID_SOCKET,
    SOCKET_ERROR,
    WSAEWOULDBLOCK,
    WSAGetLastError,
    closesocket,
    recv,
    send,
)

PROGRAMS = Path(__file__).resolve().parents[1] / "data" / "programs"
TIMER_MS = 10


def hub_stage(**inputs: object) -> Stage:
    """The program hub_echo."""
    return Stage(str(PROGRAMS / "hub_echo.py"), timer_ms=TIMER_MS, **inputs)


def link_stage(port: int, **inputs: object) -> Stage:
    """The program link_probe; the server's port is that of 127.0.0.1."""
    return Stage(str(PROGRAMS / "link_probe.py"), timer_ms=TIMER_MS, **{"url": f"ws://127.0.0.1:{port}", **inputs})


def until(stage: Stage, condition: Callable[[], object]) -> Script:
    """Let the terminal go on until the condition is true."""
    pause = threading.Event()
    end = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < end, f"the condition did not become true: {stage.texts[-10:]}"
        pause.wait(0.001)
        yield


def pass_time(seconds: float) -> Script:
    """Let the terminal's time pass."""
    for _ in range(int(seconds * 1000 / TIMER_MS)):
        yield


def served(stage: Stage) -> Script:
    """Let the terminal go on until the program's hub listens."""
    yield from until(stage, lambda: stage.record.of("serving"))


def port_served(stage: Stage) -> int:
    """The port of the program's hub."""
    return int(str(stage.record.of("serving")[-1]["port"]))


class Peer:
    """A connection to a hub, whose bytes the test writes; reading does not wait."""

    def __init__(self, port: int) -> None:
        self.socket = dial(port)
        closed_after_test(self)
        set_nonblocking(self.socket)
        self.ended = False
        self.error = 0
        self.received = b""
        self._head = b""
        self._frames: list[tuple[int, bytes]] = []

    def close(self) -> None:
        """Close the socket."""
        if self.socket != INVALID_SOCKET:
            closesocket(self.socket)
            self.socket = INVALID_SOCKET

    def reset(self) -> None:
        """Close the socket with a reset."""
        reset(self.socket)
        self.socket = INVALID_SOCKET

    def send(self, data: bytes) -> int:
        """Send bytes, as many as the system takes now; their number."""
        return max(send(self.socket, data, len(data), 0), 0)

    def say(self, text: str) -> None:
        """Send a text message."""
        data = frame(TEXT, text.encode())
        assert self.send(data) == len(data)

    def read(self) -> bytes:
        """The bytes so far that are not in frames()."""
        buf = bytearray(65536)
        while not self.ended:
            size = recv(self.socket, buf, len(buf), 0)
            if size == SOCKET_ERROR:
                error = WSAGetLastError()
                if error == WSAEWOULDBLOCK:
                    break
                self.ended, self.error = True, error
            elif size == 0:
                self.ended = True
            else:
                self.received += buf[:size]
        return self.received

    def frames(self) -> list[tuple[int, bytes]]:
        """The frames so far, behind the head of the answer."""
        self.read()
        if not self._head and b"\r\n\r\n" in self.received:
            self._head, _, self.received = self.received.partition(b"\r\n\r\n")
        while self._head and (parsed := next(frames(self.received), None)):
            opcode, payload, size = parsed
            self._frames.append((opcode, payload))
            self.received = self.received[size:]
        return self._frames

    def texts(self) -> list[str]:
        """The text messages so far."""
        return [payload.decode() for opcode, payload in self.frames() if opcode == TEXT]

    def close_code(self) -> int:
        """The code of the close frame; 0 before it."""
        codes = [int.from_bytes(payload[:2], "big") for opcode, payload in self.frames() if opcode == CLOSE]
        return codes[0] if codes else 0


def connect(stage: Stage) -> Peer:
    """A peer that has requested the WebSocket."""
    peer = Peer(port_served(stage))
    peer.send(UPGRADE)
    return peer


def opened(stage: Stage, *peers: Peer) -> Script:
    """Let the terminal go on until each peer has received its first message."""
    yield from until(stage, lambda: all(peer.texts() for peer in peers))
