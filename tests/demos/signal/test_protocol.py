"""Signal messages to bytes and back."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demos.signal.protocol import (
    LONGEST,
    MOST_DROPPED,
    Reader,
    Signal,
    Unreadable,
    encode,
    step_problem,
    symbol_problem,
)
from demos.wire.codepages import codepage_problem


def everything(reader: Reader) -> list[Signal | Unreadable]:
    return list(iter(reader.next, None))


def messages(*pieces: bytes, codepage: int = 1252) -> list[Signal | Unreadable]:
    reader = Reader(codepage)
    found = []
    for piece in pieces:
        reader.feed(piece)
        found += everything(reader)
    assert not reader.problem
    return found


def eurusd(lots: str) -> Signal:
    return Signal("EURUSD", Decimal(lots))


@pytest.mark.parametrize(
    ("lots", "text"),
    [
        (0.0, b"0.00"),
        (0.25, b"0.25"),
        (-10.25, b"-10.25"),
        (1234.5, b"1234.50"),
        (100000.0, b"100000.00"),
        (0.1 + 0.2, b"0.30"),
    ],
)
def test_a_message_is_marks_symbol_lots_of_two_digits_and_a_nul(lots, text):
    assert encode("EURUSD", lots, 1252) == b"<<EURUSD|" + text + b">>\0"


@pytest.mark.parametrize("lots", [-0.0, 0.1 + 0.2 - 0.3 - 2.8e-17 * 2, -2.8e-17])
def test_s23_a_hedged_sum_that_misses_zero_is_sent_as_zero_without_a_sign(lots):
    assert encode("EURUSD", lots, 1252) == b"<<EURUSD|0.00>>\0"


@pytest.mark.parametrize("lots", [0.004, 0.125, float("nan")])
def test_s8_a_volume_finer_than_two_digits_is_refused_and_not_rounded(lots):
    with pytest.raises(ValueError, match=r"a message cannot carry .* lots: it has two digits"):
        encode("EURUSD", lots, 1252)


def test_text_is_in_the_code_page():
    assert encode("é€", 1.0, 1252) == b"<<\xe9\x80|1.00>>\0"
    assert encode("Ж", 1.0, 1251) == b"<<\xc6|1.00>>\0"
    assert messages(b"<<\xe9\x80|1.00>>") == [Signal("é€", Decimal("1.00"))]
    assert messages(b"<<\xd0\x96|1.00>>", codepage=65001) == [Signal("Ж", Decimal("1.00"))]


@pytest.mark.parametrize(
    ("symbol", "reason"),
    [
        ("EUR|USD", "cannot contain '|'"),
        ("EUR<<USD", "cannot contain '<<'"),
        ("EUR>>USD", "cannot contain '>>'"),
        ("EUR\0USD", "no control characters"),
        ("EURЖ", "code page 1252 cannot encode"),
        ("<EURUSD", "cannot begin with '<'"),
        ("", "is empty"),
        ("X" * 65, "at most 64 characters"),
    ],
)
def test_s9_a_symbol_that_no_message_can_carry_is_reported(symbol, reason):
    assert reason in (symbol_problem(symbol, 1252) or "")


@pytest.mark.parametrize(
    "symbol", ["EURUSD", "EURUSD.m", "#AAPL", "A<B>C", "é", "X" * 64, "Volatility 75 Index", "eurusd_i"]
)
def test_every_valid_symbol_is_received_as_it_was_sent(symbol):
    assert symbol_problem(symbol, 1252) is None
    assert messages(encode(symbol, -0.5, 1252)) == [Signal(symbol, Decimal("-0.50"))]


def test_a_symbol_must_fit_into_a_message_in_its_code_page():
    assert symbol_problem("é" * 64, 65001) is None
    assert "is too long for a message" in (symbol_problem("\U0001d11e" * 64, 65001) or "")


@pytest.mark.parametrize("step", [0.01, 0.1, 1.0, 0.25])
def test_steps_of_two_digits_can_be_sent(step):
    assert step_problem(step) is None


@pytest.mark.parametrize("step", [0.001, 0.015, 0.0])
def test_s8_finer_steps_cannot_be_sent(step):
    assert "two digits" in (step_problem(step) or "")


def test_a_code_page_must_encode_the_marks_as_ascii_does():
    assert [codepage_problem(page) for page in (1252, 1251, 437, 932, 65001)] == [None] * 5
    assert "unknown code page" in (codepage_problem(12345) or "")
    assert "does not encode the marks" in (codepage_problem(500) or "")


def test_s1_messages_that_arrive_together_are_all_read():
    three = b"<<EURUSD|0.10>>\0<<EURUSD|0.20>>\0<<EURUSD|0.30>>\0"
    assert messages(three) == [eurusd("0.10"), eurusd("0.20"), eurusd("0.30")]


def test_s2_a_piece_that_begins_with_the_nul_of_the_message_before_is_read():
    assert messages(b"<<EURUSD|0.10>>", b"\0<<EURUSD|0.20>>") == [eurusd("0.10"), eurusd("0.20")]


def test_s3_the_stale_tail_behind_a_shorter_message_is_ignored():
    stream = b"<<EURUSD|100000.00>>\0" + b"<<EURUSD|0.50>>\x0000>>\0" + b"<<EURUSD|0.75>>\0.00>>\0"
    assert messages(stream) == [eurusd("100000.00"), eurusd("0.50"), eurusd("0.75")]


def test_s4_an_end_mark_before_the_begin_mark_ends_nothing():
    assert messages(b">><<EURUSD|1", b".50>>") == [eurusd("1.50")]


def test_s6_text_without_marks_is_dropped():
    assert messages(b"hello", b"\0\0<", b"<EURUSD|1.00>>", b"bye<<") == [eurusd("1.00")]


@pytest.mark.parametrize(
    "body",
    [
        b"EURUSD|abc",
        b"EURUSD|",
        b"EURUSD| ",
        b"EURUSD|1,5",
        b"EURUSD|0x1",
        b"EURUSD|1.5.0",
        b"EURUSD|nan",
        b"EURUSD|inf",
        b"EURUSD|0.004",
        b"EURUSD|1e9",
        b"EURUSD|1e99",
        b"EURUSD|" + b"9" * 200,
        b"EURUSD|0." + b"0" * 200 + b"1",
        b"EURUSD|\xb2",
    ],
)
def test_s7_an_unreadable_volume_is_not_zero(body):
    [found] = messages(b"<<" + body + b">>")
    assert isinstance(found, Unreadable)
    assert found.reason == "no volume of two digits"


@pytest.mark.parametrize(
    ("text", "lots"),
    [("0.5", "0.50"), (" 0.75", "0.75"), ("+1", "1.00"), ("1e0", "1.00"), ("-.5", "-0.50"), ("3.", "3.00")],
)
def test_volumes_may_be_written_as_the_original_client_understands_them(text, lots):
    assert messages(f"<<EURUSD|{text}>>".encode()) == [eurusd(lots)]


def test_s23_minus_zero_is_zero():
    [found] = messages(b"<<EURUSD|-0.00>>")
    assert found == eurusd("0.00")
    assert not found.lots.is_signed()


@pytest.mark.parametrize("body", [b"EURUSD", b"EUR|USD|1.00", b"|1.00", b"EUR\0USD|1.00", b"EURUSD|1\x00.00", b"\0"])
def test_text_that_is_not_symbol_and_lots_is_reported_and_skipped(body):
    found = messages(b"<<" + body + b">><<EURUSD|0.10>>")
    assert found == [Unreadable(body.decode(), "not of the form SYMBOL|LOTS"), eurusd("0.10")]


def test_bytes_that_the_code_page_lacks_are_reported_escaped():
    assert messages(b"<<\x81|1.00>>") == [Unreadable("\\x81|1.00", "bytes that the code page lacks")]


def test_an_empty_message_is_ignored():
    assert messages(b"<<>><<EURUSD|0.10>>") == [eurusd("0.10")]


def test_a_begin_mark_in_an_unfinished_message_starts_a_new_one():
    assert messages(b"<<EURUSD|0.<<EUR<<<EURUSD|0.25>>") == [eurusd("0.25")]


def problem_after(*pieces: bytes) -> str:
    reader = Reader(1252)
    for piece in pieces:
        reader.feed(piece)
        everything(reader)
    return reader.problem


def test_an_unfinished_message_may_have_256_bytes_and_no_more():
    assert LONGEST == 256
    assert problem_after(b"<<" + b"x" * 254) == ""
    assert problem_after(b"<<" + b"x" * 255) == "a message longer than 256 bytes"
    assert problem_after(b"<<" + b"x" * 254, b"x") == "a message longer than 256 bytes"


def test_64_kib_may_arrive_without_a_message_and_no_more():
    assert MOST_DROPPED == 65536
    assert problem_after(b"x" * 65536) == ""
    assert problem_after(b"x" * 65537) == "64 KiB without a message"
    assert problem_after(b"x" * 65536, b"x") == "64 KiB without a message"
    assert problem_after(b"x" * 60000, b"<<EURUSD|1.00>>", b"x" * 60000) == ""
    assert problem_after(b"<" * 65539) == "64 KiB without a message"


def test_messages_before_a_problem_are_returned_and_none_after_it():
    reader = Reader(1252)
    reader.feed(b"<<EURUSD|0.10>>" + b"x" * 65537 + b"<<EURUSD|0.20>>")
    assert everything(reader) == [eurusd("0.10")]
    assert reader.problem
    assert reader.next() is None


PARTS = st.sampled_from([b"<", b">", b"<<", b">>", b"\0", b"|", b"1.00", b"EURUSD", b"<<EURUSD|0.25>>\0", b"x" * 120])


@given(st.lists(PARTS, max_size=30), st.data())
def test_pieces_of_any_size_give_the_same_messages(parts, data):
    stream = b"".join(parts)
    whole, cut = Reader(1252), Reader(1252)
    whole.feed(stream)
    found = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        cut.feed(stream[:size])
        found += everything(cut)
        stream = stream[size:]
    assert found == everything(whole)
    assert cut.problem == whole.problem


@given(st.binary(max_size=600))
def test_arbitrary_bytes_never_raise_an_exception(stream):
    reader = Reader(932)
    reader.feed(stream)
    everything(reader)
