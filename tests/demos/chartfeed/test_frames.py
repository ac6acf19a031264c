"""The frames of a connection that stays open, byte for byte."""

from __future__ import annotations

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


def test_a_frame_that_is_larger_than_any_template_ends_the_reading():
    reader = FrameReader()
    reader.feed((MAX_BYTES + 1).to_bytes(4, "big") + frame(b"x"))
    assert reader.next() is None
    assert str(MAX_BYTES + 1) in reader.problem
    assert reader.next() is None


def test_a_subscribers_hello_is_not_the_beginning_of_an_http_request():
    assert HELLO == b"<<TPL|1>>\0"
