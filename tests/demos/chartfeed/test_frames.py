"""The frames of a connection that stays open, byte for byte."""

from __future__ import annotations

import pytest

from demos.chartfeed.frames import HELLO, FrameReader, frame
from demos.template.protocol import MAX_BYTES


def test_a_frame_is_a_length_in_network_order_and_a_message():
    assert frame(b"abc") == b"\0\0\0\x03abc"
    assert frame(b"") == b"\0\0\0\0"


def test_frames_are_read_wherever_the_stream_is_cut():
    data = frame(b"one") + frame(b"") + frame(b"three")
    for cut in range(len(data) + 1):
        reader = FrameReader()
        got = []
        for piece in (data[:cut], data[cut:]):
            reader.feed(piece)
            while (each := reader.next()) is not None:
                got.append(each)
        assert got == [b"one", b"", b"three"]
        assert reader.problem == ""


class CountedBuffer(bytearray):
    """Counts the bytes that are moved or copied."""

    work = 0

    def __delitem__(self, key: object) -> None:
        before = len(self)
        super().__delitem__(key)
        self.work += len(self) if len(self) < before else 0

    def __iadd__(self, data: bytes) -> CountedBuffer:
        self.work += len(data)
        return super().__iadd__(data)


@pytest.mark.parametrize(
    ("message", "size"),
    [
        (b"", 4),
        (b"", 1),
        (b"", 65536),
        (b"x", 65536),
        (b"x" * 1000, 65536),
        (b"x" * 70_000, 65536),
        (b"x" * 70_000, 13),
    ],
)
def test_reading_frames_takes_work_in_proportion_to_their_size(message, size):
    data = frame(message) * (200_000 // len(frame(message)))
    reader = FrameReader()
    reader._buffer = CountedBuffer()
    count = 0
    for begin in range(0, len(data), size):
        reader.feed(data[begin : begin + size])
        while reader.next() is not None:
            count += 1
    assert count == len(data) // len(frame(message))
    assert reader._buffer.work <= 4 * len(data)


def test_a_frame_that_is_larger_than_any_template_ends_the_reading():
    reader = FrameReader()
    reader.feed((MAX_BYTES + 1).to_bytes(4, "big") + frame(b"x"))
    assert reader.next() is None
    assert str(MAX_BYTES + 1) in reader.problem
    assert reader.next() is None


def test_a_subscribers_hello_is_not_the_beginning_of_an_http_request():
    assert HELLO == b"<<TPL|1>>\0"
