"""The messages of the indicator feed: both directions, and texts that are refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indicator_kit import HOUR, STREAM, hello_text, make_feed, page_text, values_text

from demos.ideas.indicator.protocol import (
    FROM_CLIENT,
    FROM_SERVER,
    MOST_FROM_CLIENT,
    MOST_FROM_SERVER,
    PAGE_ROWS,
    ClientHello,
    History,
    Page,
    Values,
)
from demos.ideas.indicator.series import LARGEST_VALUE, MOST_LINES, Row, Series, csv_text, usable
from demos.ideas.messages import Error, MessageError

VALUES = st.one_of(st.none(), st.floats(-LARGEST_VALUE, LARGEST_VALUE))
ROWS = st.builds(Row, st.integers(0, 4_000_000_000_000), st.lists(VALUES, max_size=MOST_LINES).map(tuple))


@given(ROWS, st.integers(1, 2**53 - 1))
def test_values_arrive_bit_by_bit_as_they_were_sent(row, seq):
    found = FROM_SERVER.decode(FROM_SERVER.encode(Values(STREAM, seq, row)))
    assert found == Values(STREAM, seq, row)
    assert [str(each) for each in found.row.values] == [str(each) for each in row.values]


@given(st.lists(ROWS, max_size=5), st.integers(1, 10**9))
def test_a_page_arrives_as_it_was_sent(rows, first):
    page = Page(STREAM, first, first + 10, tuple(rows))
    assert FROM_SERVER.decode(FROM_SERVER.encode(page)) == page


@pytest.mark.parametrize("message", [ClientHello(1, "name"), History(STREAM, 7), Error("flood", "too fast")])
def test_a_message_of_a_client_arrives_as_it_was_sent(message):
    assert FROM_CLIENT.decode(FROM_CLIENT.encode(message)) == message


def test_the_largest_page_fits_into_a_message():
    row = Row(253_402_300_799_999, (-123456789012.34567,) * MOST_LINES)
    assert len(FROM_SERVER.encode(Page(STREAM, 1, 2**53 - 1, (row,) * PAGE_ROWS))) < MOST_FROM_SERVER


def test_the_messages_of_the_tests_are_accepted():
    for text in (hello_text(), values_text(5), page_text(1, 10)):
        FROM_SERVER.decode(text)


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e13", "true", '"1"', "[]", "{}"]
)
def test_a_value_that_is_not_a_number_within_the_limits_is_refused(value):
    text = values_text(5).replace(repr(5 / 7), value)
    assert value in text
    with pytest.raises(MessageError, match=r"not a number|not JSON"):
        FROM_SERVER.decode(text)


@pytest.mark.parametrize("value", ["9" * 400, "1" + "0" * 5000])
def test_a_number_with_many_digits_is_refused(value):
    with pytest.raises(MessageError):
        FROM_SERVER.decode(values_text(5).replace(repr(5 / 7), value))


@pytest.mark.parametrize(
    "text",
    [
        values_text(0),
        values_text(2**53),
        values_text(5, stream="x"),
        values_text(5, row=[5]),
        values_text(5, row=[-1, [1.0]]),
        values_text(5, row=[2**60, [1.0]]),
        values_text(5, row=[5, [0.0] * (MOST_LINES + 1)]),
        values_text(5, row=[5, 1.0]),
        page_text(1, 10, rows=[[1, [1.0]]] * (PAGE_ROWS + 1)),
        page_text(1, 10, rows={}),
        page_text(1, 10, first=0),
        hello_text(period="H5"),
        hello_text(symbol="a|b"),
        hello_text(lines=[{"name": "a\nb", "window": 0, "color": 1, "levels": []}]),
        hello_text(lines=[{"name": "\ud800", "window": 0, "color": 1, "levels": []}]),
        hello_text(lines=[{"name": "a", "window": 5, "color": 1, "levels": []}]),
        hello_text(lines=[{"name": "a", "window": 0, "color": -1, "levels": []}]),
        hello_text(lines=[{"name": "a", "window": 0, "color": 1, "levels": [1e300]}]),
        hello_text(lines=[{"name": "a", "window": 0, "color": 1, "levels": [1.0] * 9}]),
        hello_text(lines=[{"name": str(number), "window": 0, "color": 1, "levels": []} for number in range(17)]),
        "[]",
        "{",
        '{"type":"login"}',
        "[" * 100_000,
        values_text(5)[:-1] + ',"seq":6}',
        page_text(1, 10) + " " * MOST_FROM_SERVER,
    ],
)
def test_a_text_that_is_no_message_of_a_server_is_refused_as_a_whole(text):
    with pytest.raises(MessageError):
        FROM_SERVER.decode(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"hello","version":1}',
        '{"type":"hello","version":2,"client":"x"}',
        json.dumps({"type": "hello", "version": 1, "client": "x" * 65}),
        json.dumps({"type": "history", "stream": STREAM, "first": 0}),
        json.dumps({"type": "history", "stream": STREAM, "first": "1"}),
        json.dumps({"type": "history", "stream": STREAM.upper(), "first": 1}),
        json.dumps({"type": "history", "stream": STREAM, "first": 1, "x": "y" * MOST_FROM_CLIENT}),
        values_text(5),
    ],
)
def test_a_text_that_is_no_message_of_a_client_is_refused(text):
    with pytest.raises(MessageError):
        FROM_CLIENT.decode(text)


def test_a_series_keeps_the_newest_rows_with_their_numbers():
    series = Series(3)
    assert (series.first, series.last) == (1, 0)
    for seq in range(1, 6):
        series.append(Row(seq * HOUR, (float(seq),)))
    assert (series.first, series.last) == (3, 5)
    assert [row.values[0] for row in series.rows(3, 9)] == [3.0, 4.0, 5.0]
    assert [row.values[0] for row in series.rows(4, 1)] == [4.0]
    assert series.row(5) == series.newest
    series.restart(100)
    assert (series.first, series.last) == (100, 99)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e13, None])
def test_a_value_that_cannot_be_sent_is_no_value(value):
    assert usable(value) is None
    assert usable(-1e12) == -1e12


def test_the_csv_file_has_the_exact_values_and_blanks_where_there_is_none():
    feed = make_feed(4, "sma:3:median,rsi:2")
    lines = csv_text(feed.indicators.lines, feed.series).splitlines()
    assert lines[0] == 'time,"SMA(3,median)",RSI(2)'
    assert lines[1] == "0,,"
    row = feed.series.newest
    assert lines[4] == f"{row.time},{row.values[0]!r},{row.values[1]!r}"
