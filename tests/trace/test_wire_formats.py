"""The bytes of the article's messages are annotated field by field, in whole and in pieces."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from winsock.trace.events import Event, Lane
from winsock.trace.timeline import timeline
from winsock.trace.wire_formats import SIGNALS, TEMPLATE, TICK, annotate, fields_of, stream_format

Named = list[tuple[str, str]]


def named(data: bytes, format: str, position: int = 0, whole: bool = True) -> Named:
    return [(field.name, field.text) for field in annotate(data, position, format, whole)]


SIGNAL = b"<<EURUSD|-10.25>>\0"
TEMPLATE_HEAD = b"EURUSD\0\xcc\xcc\xcc16385\0\xcc\xcc\xcc\xcc"
TEMPLATE_DATA = TEMPLATE_HEAD + "\ufeff<chart>\r\n</chart>\0".encode("utf-16-le")


def test_a_signal_has_marks_symbol_and_lots() -> None:
    assert annotate(SIGNAL, 0, SIGNALS) == [
        (0, 2, "begin mark", "<<"),
        (2, 8, "symbol", "EURUSD"),
        (8, 9, "separator", "|"),
        (9, 15, "lots", "-10.25"),
        (15, 17, "end mark", ">>"),
        (17, 18, "terminating zero", "\\0"),
    ]


def test_the_rest_of_an_earlier_signal_is_named() -> None:
    names = named(b"<<EURUSD|0.50>>\x0000>>\0<<EURUSD|1.00>>\0", SIGNALS)
    assert names[5:8] == [
        ("terminating zero", "\\0"),
        ("rest of an earlier message", "00>>\\0"),
        ("begin mark", "<<"),
    ]
    assert names[-3:] == [("lots", "1.00"), ("end mark", ">>"), ("terminating zero", "\\0")]


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b"<", [("begin mark (cut)", "<")]),
        (b"<<", [("begin mark", "<<")]),
        (b"<<EUR", [("begin mark", "<<"), ("symbol (cut)", "EUR")]),
        (b"<<EURUSD|", [("begin mark", "<<"), ("symbol", "EURUSD"), ("separator", "|")]),
        (b"<<EURUSD|0.", [("begin mark", "<<"), ("symbol", "EURUSD"), ("separator", "|"), ("lots (cut)", "0.")]),
    ],
)
def test_a_signal_that_is_cut_at_the_end_is_marked(first: bytes, expected: Named) -> None:
    before = named(SIGNAL, SIGNALS)
    assert named(SIGNAL + first, SIGNALS) == [*before, *expected]


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (b"USD|0.25>>\0", [("symbol (continued)", "USD"), ("separator", "|"), ("lots", "0.25"), ("end mark", ">>")]),
        (b"|0.25>>\0", [("separator", "|"), ("lots", "0.25"), ("end mark", ">>")]),
        (b"25>>\0", [("lots (continued)", "25"), ("end mark", ">>")]),
        (b">>\0", [("end mark", ">>")]),
        (b">\0", [("end mark (continued)", ">")]),
        (b"<EUR|1>>\0", [
            ("begin mark (continued)", "<"), ("symbol", "EUR"), ("separator", "|"), ("lots", "1"), ("end mark", ">>")
        ]),
        (b"\0", []),
    ],
)  # fmt: skip
def test_a_signal_that_begins_in_an_earlier_call_is_marked(last: bytes, expected: Named) -> None:
    zero = ("terminating zero", "\\0")
    assert named(last, SIGNALS, 7) == [*expected, zero]
    assert named(last + SIGNAL, SIGNALS, 7) == [*expected, zero, *named(SIGNAL, SIGNALS)]


def test_a_template_has_symbol_period_and_file() -> None:
    assert annotate(TEMPLATE_DATA, 0, TEMPLATE) == [
        (0, 6, "symbol", "EURUSD"),
        (6, 10, "padding", ""),
        (10, 15, "period", "16385 (H1)"),
        (15, 20, "padding", ""),
        (20, len(TEMPLATE_DATA), "template file", "<chart>\r\n</chart>"),
    ]


def test_a_symbol_of_ten_characters_has_no_zero_byte() -> None:
    data = b"EURUSD.pro" + TEMPLATE_HEAD[10:]
    assert named(data, TEMPLATE)[:2] == [("symbol", "EURUSD.pro"), ("period", "16385 (H1)")]


def test_templates_one_after_the_other_are_found() -> None:
    names = [name for name, _ in named(TEMPLATE_DATA + TEMPLATE_DATA, TEMPLATE)]
    assert names == ["symbol", "padding", "period", "padding", "template file"] * 2


def test_parts_of_a_template_are_marked() -> None:
    assert named(TEMPLATE_DATA[:3], TEMPLATE) == [("symbol (cut)", "EUR")]
    assert named(TEMPLATE_DATA[:12], TEMPLATE)[-1] == ("period (cut)", "16")
    assert named(TEMPLATE_DATA[3:12], TEMPLATE, 3)[0] == ("symbol (continued)", "USD")
    assert named(TEMPLATE_DATA[12:20], TEMPLATE, 12) == [("period (continued)", "385"), ("padding", "")]
    assert named(TEMPLATE_DATA[22:], TEMPLATE, 22) == [("template file", "<chart>\r\n</chart>")]
    assert named(TEMPLATE_DATA[23:], TEMPLATE, 23) == [("template file", "chart>\r\n</chart>")]


def test_a_tick_has_symbol_and_bid() -> None:
    assert named(b"EURUSD 1.10000\0", TICK) == [
        ("symbol", "EURUSD"), ("separator", " "), ("bid", "1.10000"), ("terminating zero", "\\0")
    ]  # fmt: skip
    assert named(b"US 500 12\0", TICK)[0] == ("symbol", "US 500")
    assert named(b"A 12\0#0123456789abcdef 7\0", TICK)[-1] == ("mark of tick_sender", "#0123456789abcdef 7\\0")
    assert named(b"EURUSD 1.1", TICK, whole=False)[-1] == ("bid (cut)", "1.1")
    assert named(b"EURUSD 1.1", TICK) == []


@pytest.mark.parametrize(
    "data",
    [b"", b"<", b"hello\0", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00", b'{"a": 1}\n', b"<<>>", b"<<a>>b",
     b"<html>", b"EURUSD 1.1\0", TEMPLATE_HEAD[:19], b"EURUSD\0\0\0\x0077\0\0\0\0\0\0\0\0", TEMPLATE_HEAD + b"xy",
     b"\0" * 22],
)  # fmt: skip
def test_other_streams_have_no_format(data: bytes) -> None:
    assert stream_format(data) == ""


@pytest.mark.parametrize("data", [b"", b"a", b"a b\0", b"EURUSD  \0", b"1.5\0", b"A 1\0x", b"A -1\0", b"A 1.\0", b"\0"])
def test_other_datagrams_have_no_fields(data: bytes) -> None:
    assert annotate(data, 0, TICK) == []


def test_streams_are_recognized_by_their_first_bytes() -> None:
    assert {stream_format(SIGNAL[:size]) for size in range(3, len(SIGNAL))} == {SIGNALS}
    assert stream_format(SIGNAL + b"anything") == SIGNALS
    assert stream_format(b"<<>>\0<<EURUSD|1,5>>\0" + SIGNAL) == SIGNALS
    assert {stream_format(TEMPLATE_DATA[:size]) for size in range(20, len(TEMPLATE_DATA))} == {TEMPLATE}


PIECES = st.lists(
    st.sampled_from([b"<", b"<<", b">", b">>", b"|", b"EUR", b"0.5", b"\0", b"\xb2", b"\xff\xfe", b"16385"])
)


@given(PIECES, st.integers(0, 30), st.sampled_from([SIGNALS, TEMPLATE, TICK, ""]))
@example([TEMPLATE_DATA, TEMPLATE_DATA], 0, TEMPLATE)
@example([b"\xff\xfe"] * 40, 3, TEMPLATE)
def test_fields_cover_any_data_without_gaps(pieces: list[bytes], position: int, format: str) -> None:
    data = b"".join(pieces)
    fields = annotate(data, position, format)
    if fields or format in (SIGNALS, TEMPLATE):
        ends = [0, *(field.end for field in fields)]
        assert [field.begin for field in fields] == ends[:-1]
        assert ends[-1] == len(data)
    for field in fields:
        assert field.begin < field.end
        assert len(field.text) <= 40
    stream_format(data)


@given(st.lists(st.sampled_from([SIGNAL, b"<<EURUSD|0.50>>\0"]), min_size=1), st.data())
def test_signals_in_pieces_have_the_same_boundaries(messages: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(messages)
    whole = {field.begin for field in annotate(stream, 0, SIGNALS)}
    cuts = sorted({0, *data.draw(st.lists(st.integers(0, len(stream) - 1))), len(stream)})
    begins = set()
    for begin, end in pairwise(cuts):
        begins |= {begin + field.begin for field in annotate(stream[begin:end], begin, SIGNALS)}
    assert whole <= begins
    assert begins <= whole | set(cuts)


# ---- the events of a timeline


def event(call: str, data: bytes, s: int, **ends: str) -> dict[str, Any]:
    buffer = {"bytes": len(data), "hex": data.hex()}
    return {"call": call, "args": {"s": s, "buf": buffer, "len": 512, "flags": 0}, "result": len(data)} | ends


def drawn(*calls: dict[str, Any]) -> list[Event]:
    lane = Lane("p", 1, ["p.py"], "compat", 0)
    for number, call in enumerate(calls, 1):
        lane.records.append({"n": number, "t": number, "d": 0, "pid": 1, "thread": "", "text": call["call"]} | call)
    return timeline([lane]).events


def test_the_calls_of_a_stream_have_its_format() -> None:
    ends = {"local": "127.0.0.1:1", "peer": "127.0.0.1:2"}
    connected = {"call": "connect", "args": {"s": 5}, "result": 0} | ends
    pieces = (SIGNAL[:1], SIGNAL[1:4], SIGNAL[4:])
    events = drawn(connected, *(event("recv", piece, 5) for piece in pieces), event("send", b"hello", 5))
    assert [found.format for found in events] == ["", SIGNALS, SIGNALS, SIGNALS, ""]
    assert [[field.name for field in fields_of(found)] for found in events[1:]] == [
        ["begin mark (cut)"],
        ["begin mark (continued)", "symbol (cut)"],
        ["symbol (continued)", "separator", "lots", "end mark", "terminating zero"],
        [],
    ]


def test_a_datagram_of_a_tick_has_fields() -> None:
    bound = {"call": "socket", "args": {"type": "SOCK_DGRAM"}, "result": 5}
    events = drawn(bound, event("sendto", b"EURUSD 1.1\0", 5), event("recvfrom", b"hello", 5))
    assert [len(fields_of(found)) for found in events] == [0, 4, 0]
