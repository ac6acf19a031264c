"""Clients of the provider that break its rules: bytes, frames and connections that no library would send."""

from __future__ import annotations

import json
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from cleanup_kit import closed_after_test
from service_kit import RunningProvider
from winsock_kit import LIMIT_SECONDS

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True, length: bytes = b""
) -> bytes:
    """A frame of a client; ``length`` is the encoded length, if it is not to be the payload's."""
    if not length:
        size = len(payload)
        if size < 126:
            length = bytes([size])
        else:
            length = b"\x7e" + struct.pack(">H", size) if size < 65536 else b"\x7f" + struct.pack(">Q", size)
    first = bytes([fin << 7 | rsv << 4 | opcode, length[0] | masked << 7]) + length[1:]
    # A mask of zeros changes nothing.
    return first + (bytes(4) if masked else b"") + payload


def message(**fields: object) -> bytes:
    """A message of the protocol in a frame."""
    return frame(TEXT, json.dumps(fields).encode())


def login(name: str, **fields: object) -> bytes:
    """A login message in a frame."""
    return message(type="login", version=1, login=name, **fields)


class Client:
    """A connection to the provider's port, whose bytes the test writes; with ``tls=None`` the provider's kind."""

    def __init__(
        self, provider: RunningProvider, source: str = "127.0.0.1", *, tls: bool | None = None, buffer: int = 0
    ) -> None:
        plain = socket.socket()
        self.socket: socket.socket = plain
        closed_after_test(self)
        if buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        plain.settimeout(LIMIT_SECONDS)
        plain.bind((source, 0))
        plain.connect(("127.0.0.1", provider.port))
        context = provider.context() if tls is not False else None
        if context is not None:
            self.socket = context.wrap_socket(plain, server_hostname="localhost")
            self.socket.settimeout(LIMIT_SECONDS)
        self._input = b""

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def reset(self) -> None:
        """Close the socket with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes; the provider may have closed the connection."""
        with suppress(OSError):
            self.socket.sendall(data)

    def receive_to_end(self) -> bytes:
        """Everything until the end of the connection, orderly or not."""
        parts = [self._input]
        with suppress(ConnectionError, ssl.SSLError):
            while part := self.socket.recv(65536):
                parts.append(part)
        return b"".join(parts)

    def receive_head(self) -> bytes:
        """The head of an HTTP answer."""
        while b"\r\n\r\n" not in self._input:
            part = self.socket.recv(65536)
            assert part, self._input
            self._input += part
        head, _, self._input = self._input.partition(b"\r\n\r\n")
        return head

    def open(self) -> Client:
        """Open the WebSocket, and receive hello."""
        self.send(UPGRADE)
        assert b"101 Switching Protocols" in self.receive_head()
        assert self.receive_message()["type"] == "hello"
        return self

    def receive_message(self) -> dict[str, Any]:
        """The next text message."""
        while True:
            for opcode, payload, size in frames(self._input):
                self._input = self._input[size:]
                if opcode == TEXT:
                    return dict(json.loads(payload))
                break
            else:
                part = self.socket.recv(65536)
                assert part, "the connection has ended"
                self._input += part

    def receive_type(self, kind: str) -> dict[str, Any]:
        """The next message of this type."""
        while True:
            found = self.receive_message()
            if found["type"] == kind:
                return found

    def receive_frames(self) -> list[tuple[int, bytes]]:
        """All whole frames until the end of the connection; the server's close frame is answered."""
        found = []
        with suppress(ConnectionError, ssl.SSLError):
            while True:
                while parsed := next(frames(self._input), None):
                    opcode, payload, size = parsed
                    found.append((opcode, payload))
                    self._input = self._input[size:]
                    if opcode == CLOSE:
                        self.send(frame(CLOSE, payload[:2]))
                if not (part := self.socket.recv(65536)):
                    break
                self._input += part
        return found


def frames(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """The first frame of a server in these bytes, if it is whole: opcode, payload, and its size."""
    if len(data) < 2:
        return
    size, start = data[1], 2
    if size >= 126:
        start = 4 if size == 126 else 10
        size = int.from_bytes(data[2:start], "big") if len(data) >= start else 1 << 62
    if len(data) >= start + size:
        yield data[0] & 15, data[start : start + size], start + size


def close_code(received: list[tuple[int, bytes]]) -> int:
    """The code of the close frame, which is the last frame."""
    assert received, "the connection ended without a close frame"
    opcode, payload = received[-1]
    assert opcode == CLOSE, received
    return int.from_bytes(payload[:2], "big")


def resident(provider: RunningProvider) -> int:
    """The memory of the provider's process in bytes."""
    pages = Path(f"/proc/{provider.process.pid}/statm").read_text().split()[1]
    return int(pages) * 4096


def open_files(provider: RunningProvider) -> int:
    """The number of open files of the provider's process."""
    return len(list(Path(f"/proc/{provider.process.pid}/fd").iterdir()))
