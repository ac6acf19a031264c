"""The frames of a connection that stays open, to bytes and back: an addition of this project to the article's message.

The client sends HELLO first. From then on the server sends one frame for each change of the chart: four bytes of length
in network order, then a message of demos.template.protocol with that length. A frame of length 0 is a keep-alive.
"""

from __future__ import annotations

import struct

from demos.template.protocol import MAX_BYTES

# No HTTP request begins like this, and an original client sends nothing.
HELLO = b"<<TPL|1>>\0"

_LENGTH = struct.Struct("!I")


def frame(message: bytes) -> bytes:
    """A message behind its length; an empty message is a keep-alive."""
    return _LENGTH.pack(len(message)) + message


class FrameReader:
    """Takes the bytes of a connection in pieces of any size and returns the messages in them."""

    def __init__(self) -> None:
        self.problem = ""
        self._buffer = bytearray()
        self._position = 0

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        # Once for all frames that were taken, so that many small frames do not move the bytes behind them each time.
        del self._buffer[: self._position]
        self._position = 0
        self._buffer += data

    def next(self) -> bytes | None:
        """The next message, which may be empty, or None until more bytes arrive.

        Once ``problem`` is set the peer is not a template server, and no further message is returned.
        """
        begin = self._position + _LENGTH.size
        if self.problem or len(self._buffer) < begin:
            return None
        [length] = _LENGTH.unpack_from(self._buffer, self._position)
        if length > MAX_BYTES:
            self.problem = f"the peer announces a message of {length} bytes, above the limit of {MAX_BYTES}"
        if self.problem or len(self._buffer) < begin + length:
            return None
        self._position = begin + length
        return bytes(self._buffer[begin : self._position])
