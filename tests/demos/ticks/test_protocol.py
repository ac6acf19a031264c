"""The datagrams of the tick programs, byte for byte as the article's programs send and read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demos.terminal.symbols import symbol_problem
from demos.ticks.protocol import (
    MAX_DATAGRAM,
    InvalidDatagram,
    Quote,
    datagram_problem,
    decode,
    encode,
    listening_port_problem,
    port_problem,
    tick_symbol_problem,
)

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
        ("Volatility 75 Index", 123456.78, 2, b"Volatility 75 Index 123456.78\0", 12_345_678),
    ],
)
def test_a_tick_is_symbol_blank_bid_and_one_nul(symbol, bid, digits, datagram, points):
    assert encode(symbol, bid, digits, 1252) == datagram
    assert decode(datagram, 1252) == Quote(symbol, points, digits)
    assert decode(datagram, 1252).text.encode("cp1252") + b"\0" == datagram


def test_the_mark_follows_the_nul_where_the_article_s_server_does_not_read():
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
        (b"", "empty datagram"),
        (b"\0", "empty datagram"),
        (b"EURUSD", "not of the form SYMBOL BID"),
        (b" 1.1", "not of the form SYMBOL BID"),
        (b"EURUSD  1.1", "not of the form SYMBOL BID"),
        (b"EUR\nUSD 1.1", "not of the form SYMBOL BID"),
        (b"X" * 65 + b" 1.1", "not of the form SYMBOL BID"),
        (b"EURUSD abc", "the price is not a positive number with at most 8 decimals"),
        (b"EURUSD ", "the price is not a positive number with at most 8 decimals"),
        (b"EURUSD 1,1", "the price is not a positive number with at most 8 decimals"),
        (b"EURUSD -1.1", "the price is not a positive number with at most 8 decimals"),
        (b"EURUSD 0.00", "the price is not a positive number with at most 8 decimals"),
        (b"EURUSD 1.", "the price is not a positive number with at most 8 decimals"),
        (b"EURUSD 1.123456789", "the price is not a positive number with at most 8 decimals"),
        (b"EURUSD 1e5", "the price is not a positive number with at most 8 decimals"),
        (b"EURUSD \xb2", "the price is not a positive number with at most 8 decimals"),
        (b"EURUSD 1.1\0rest", "unexpected bytes after the NUL"),
        (b"EURUSD 1.1\0#0123456789abcdef 0\0", "unexpected bytes after the NUL"),
        (b"EURUSD 1.1\0#0123456789abcdef 1", "unexpected bytes after the NUL"),
        (b"EURUSD 1.1\0#0123456789abcdef 1234567890123456\0", "unexpected bytes after the NUL"),
        (b"EURUSD 1.1\0#0123 1\0", "unexpected bytes after the NUL"),
        (b"EUR\x81 1.1", "bytes outside the code page"),
    ],
)
def test_an_invalid_datagram_is_reported_with_the_reason(datagram, reason):
    invalid = decode(datagram, 1252)
    assert isinstance(invalid, InvalidDatagram)
    assert invalid.reason == reason
    assert datagram_problem(datagram) == f"{reason}: '{invalid.text[:60]}'"


def test_a_tick_has_no_problem():
    assert datagram_problem(b"Volatility 75 Index 123456.78\0") is None


def test_bytes_outside_the_code_page_are_shown_in_hexadecimal():
    assert decode(b"EUR\x81 1.1", 1252) == InvalidDatagram("EUR\\x81 1.1", "bytes outside the code page")


@pytest.mark.parametrize(
    "symbol", ["EURUSD", "EURUSD.m", "#AAPL", "EURUSD_i", "eurusd", "Volatility 75 Index", "é€", "X" * 64]
)
def test_a_symbol_that_a_datagram_can_carry(symbol):
    assert tick_symbol_problem(symbol, 1252) is None
    assert decode(encode(symbol, 1.5, 5, 1252), 1252) == Quote(symbol, 150_000, 5)


@pytest.mark.parametrize(
    ("symbol", "reason"),
    [
        ("", symbol_problem("")),
        ("X" * 65, symbol_problem("X" * 65)),
        (" EURUSD", symbol_problem(" EURUSD")),
        ("EUR\0USD", symbol_problem("EUR\0USD")),
        ("EUR|USD", symbol_problem("EUR|USD")),
        ("EURЖ", "invalid symbol: 'EURЖ' has characters that code page 1252 lacks"),
    ],
)
def test_a_symbol_that_no_datagram_can_carry(symbol, reason):
    assert reason
    assert tick_symbol_problem(symbol, 1252) == reason


@given(
    symbol=st.text(min_size=1, max_size=64).filter(lambda text: tick_symbol_problem(text, 65001) is None),
    points=st.integers(1, 10**9 - 1),
    digits=st.integers(0, 8),
    number=st.integers(0, 10**15 - 1),
)
def test_decode_returns_what_encode_was_given(symbol, points, digits, number):
    run = RUN if number else ""
    datagram = encode(symbol, points / 10**digits, digits, 65001, run, number)
    assert decode(datagram, 65001) == Quote(symbol, points, digits, run, number)


@given(st.binary(max_size=MAX_DATAGRAM))
def test_any_datagram_is_a_tick_or_invalid(datagram):
    for codepage in (1252, 65001, 932):
        assert isinstance(decode(datagram, codepage), (Quote, InvalidDatagram))


# By the lowest port: a server may listen on 0, a free port.
CHECKS = (listening_port_problem, port_problem)


@pytest.mark.parametrize(("port", "lowest"), [(0, 0), (1, 1), (8082, 0), (65535, 1)])
def test_a_valid_port(port, lowest):
    assert CHECKS[lowest](port) is None


@pytest.mark.parametrize(("port", "lowest"), [(-1, 0), (0, 1), (65536, 0)])
def test_an_invalid_port_is_reported_with_the_valid_range(port, lowest):
    assert CHECKS[lowest](port) == f"invalid port: {port}; use a number from {lowest} to 65535"
