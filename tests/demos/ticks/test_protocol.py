"""The tick pair's datagrams, byte for byte as the article's programs send and read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demos.ticks.protocol import LONGEST, Quote, Refused, decode, encode, symbol_problem

RUN = "0123456789abcdef"


@pytest.mark.parametrize(
    ("symbol", "bid", "digits", "datagram", "points"),
    [
        ("EURUSD", 1.1, 5, b"EURUSD 1.10000\0", 110_000),
        ("USDJPY", 110.5, 3, b"USDJPY 110.500\0", 110_500),
        ("XAUUSD", 1315.46, 2, b"XAUUSD 1315.46\0", 131_546),
        ("EURUSD", 12.0, 0, b"EURUSD 12\0", 12),
        ("é€", 0.5, 1, b"\xe9\x80 0.5\0", 5),
        ("US Tech 100", 15000.25, 2, b"US Tech 100 15000.25\0", 1_500_025),
    ],
)
def test_a_tick_is_symbol_blank_bid_and_one_nul(symbol, bid, digits, datagram, points):
    assert encode(symbol, bid, digits, 1252) == datagram
    assert decode(datagram, 1252) == Quote(symbol, points, digits)


def test_a_number_of_our_own_stands_behind_the_nul_where_the_original_does_not_look():
    datagram = encode("EURUSD", 1.1, 5, 1252, RUN, 17)
    assert datagram == b"EURUSD 1.10000\0#0123456789abcdef 17\0"
    assert datagram.partition(b"\0")[0] == b"EURUSD 1.10000"
    assert decode(datagram, 1252) == Quote("EURUSD", 110_000, 5, RUN, 17)


@pytest.mark.parametrize("datagram", [b"EURUSD 1.1", b"EURUSD 1.1\0", b"EURUSD 1.1\0\0\0"])
def test_a_tick_may_end_without_a_nul_or_with_several(datagram):
    assert decode(datagram, 1252) == Quote("EURUSD", 11, 1)


def test_the_code_page_can_be_another():
    assert decode("Ж 1\0".encode("cp1251"), 1251) == Quote("Ж", 1, 0)
    assert encode("Ж", 1.0, 0, 65001) == "Ж 1\0".encode()


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", "an empty datagram"),
        (b"\0", "an empty datagram"),
        (b"EURUSD", "not of the form SYMBOL BID"),
        (b" 1.1", "not of the form SYMBOL BID"),
        (b"EURUSD  1.1", "not of the form SYMBOL BID"),
        (b"EUR\nUSD 1.1", "not of the form SYMBOL BID"),
        (b"X" * 65 + b" 1.1", "not of the form SYMBOL BID"),
        (b"EURUSD abc", "no price above 0 of at most 8 digits"),
        (b"EURUSD ", "no price above 0 of at most 8 digits"),
        (b"EURUSD 1,1", "no price above 0 of at most 8 digits"),
        (b"EURUSD -1.1", "no price above 0 of at most 8 digits"),
        (b"EURUSD 0.00", "no price above 0 of at most 8 digits"),
        (b"EURUSD 1.", "no price above 0 of at most 8 digits"),
        (b"EURUSD 1.123456789", "no price above 0 of at most 8 digits"),
        (b"EURUSD 1e5", "no price above 0 of at most 8 digits"),
        (b"EURUSD \xb2", "no price above 0 of at most 8 digits"),
        (b"EURUSD 1.1\0rest", "more behind the text"),
        (b"EURUSD 1.1\0#0123456789abcdef 0\0", "more behind the text"),
        (b"EURUSD 1.1\0#0123456789abcdef 1", "more behind the text"),
        (b"EURUSD 1.1\0#0123456789abcdef 1234567890123456\0", "more behind the text"),
        (b"EURUSD 1.1\0#0123 1\0", "more behind the text"),
        (b"EUR\x81 1.1", "bytes that the code page lacks"),
    ],
)
def test_what_is_no_tick_is_refused_with_its_reason(datagram, reason):
    refused = decode(datagram, 1252)
    assert isinstance(refused, Refused)
    assert refused.reason == reason


def test_bytes_that_the_code_page_lacks_are_shown_as_such():
    assert decode(b"EUR\x81 1.1", 1252) == Refused("EUR\\x81 1.1", "bytes that the code page lacks")


@pytest.mark.parametrize("symbol", ["EURUSD", "EURUSD.m", "#AAPL", "US Tech 100", "é€", "X" * 64])
def test_a_symbol_that_a_datagram_can_carry(symbol):
    assert symbol_problem(symbol, 1252) is None
    assert decode(encode(symbol, 1.5, 5, 1252), 1252) == Quote(symbol, 150_000, 5)


@pytest.mark.parametrize(
    ("symbol", "reason"),
    [
        ("", "1 to 64 letters"),
        ("X" * 65, "1 to 64 letters"),
        (" EURUSD", "begins or ends with a blank"),
        ("EUR\0USD", "not printable"),
        ("EURЖ", "code page 1252 lacks"),
    ],
)
def test_a_symbol_that_no_datagram_can_carry(symbol, reason):
    assert reason in (symbol_problem(symbol, 1252) or "")


@given(
    symbol=st.text(min_size=1, max_size=64).filter(lambda text: symbol_problem(text, 65001) is None),
    points=st.integers(1, 10**9 - 1),
    digits=st.integers(0, 8),
    number=st.integers(0, 10**15 - 1),
)
def test_what_is_written_is_read_again(symbol, points, digits, number):
    run = RUN if number else ""
    datagram = encode(symbol, points / 10**digits, digits, 65001, run, number)
    assert decode(datagram, 65001) == Quote(symbol, points, digits, run, number)


@given(st.binary(max_size=LONGEST))
def test_whatever_comes_is_a_tick_or_refused(datagram):
    for codepage in (1252, 65001, 932):
        assert isinstance(decode(datagram, codepage), (Quote, Refused))
