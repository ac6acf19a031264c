"""The server's side without sockets: what each client is sent, and clients that break the rules."""

from __future__ import annotations

import json

import pytest
from indicator_kit import OTHER_STREAM, STREAM, make_feed, random_bars

from demos.ideas.indicator.protocol import FROM_CLIENT, FROM_SERVER, PAGE_ROWS, ClientHello, History
from demos.ideas.messages import Error, MessageError

HELLO = FROM_CLIENT.encode(ClientHello(1, "tester"))


def messages(feed, client=1, now=0):
    """What the client is sent now."""
    found = []
    while text := feed.next_message(client, now):
        found.append(FROM_SERVER.decode(text))
    return found


def ask(feed, first, client=1, now=0, stream=STREAM):
    feed.received(client, FROM_CLIENT.encode(History(stream, first)), now)


def greeted(feed, client=1):
    feed.opened(client, "127.0.0.1", 0)
    feed.received(client, HELLO, 0)
    return messages(feed, client)


def test_a_client_gets_nothing_before_its_hello():
    feed = make_feed(5)
    feed.opened(1, "127.0.0.1", 0)
    feed.take(random_bars(6)[-1])
    assert messages(feed) == []


def test_the_hello_describes_the_stream_the_chart_and_the_lines():
    feed = make_feed(5)
    [hello] = greeted(feed)
    assert (hello.stream, hello.symbol, hello.period) == (STREAM, "EURUSD", "H1")
    assert (hello.first, hello.last) == (1, 5)
    assert hello.lines == feed.indicators.lines
    assert "client 1 of 127.0.0.1 is tester" in feed.reports


def test_an_empty_stream_can_be_followed_from_its_first_row():
    feed = make_feed()
    [hello] = greeted(feed)
    assert (hello.first, hello.last) == (1, 0)
    feed.take(random_bars(1)[0])
    [values] = messages(feed)
    assert values.seq == 1


def test_each_new_row_is_sent_once_and_a_slow_client_gets_the_newest_one_only():
    feed = make_feed(5)
    greeted(feed)
    assert messages(feed) == []
    bars = random_bars(9)
    for bar in bars[5:8]:
        feed.take(bar)
    assert [values.seq for values in messages(feed)] == [8]
    feed.take(bars[8])
    [values] = messages(feed)
    assert (values.seq, values.row) == (9, feed.series.newest)
    assert messages(feed) == []


def test_history_comes_in_full_pages_up_to_the_newest_row():
    feed = make_feed(PAGE_ROWS + 10)
    greeted(feed)
    ask(feed, 1)
    [page] = messages(feed)
    assert (page.first, page.last, page.rows) == (1, PAGE_ROWS + 10, feed.series.rows(1, PAGE_ROWS))
    ask(feed, PAGE_ROWS + 1)
    [page] = messages(feed)
    assert (page.first, len(page.rows)) == (PAGE_ROWS + 1, 10)


def test_a_page_begins_with_the_first_row_that_is_kept():
    feed = make_feed(25, keep=10)
    [hello] = greeted(feed)
    assert (hello.first, hello.last) == (16, 25)
    ask(feed, 3)
    [page] = messages(feed)
    assert (page.first, len(page.rows)) == (16, 10)


def test_a_later_request_replaces_the_one_that_waits():
    feed = make_feed(20)
    greeted(feed)
    for first in (1, 5, 9):
        ask(feed, first)
    assert [page.first for page in messages(feed)] == [9]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x", "malformed"),
        ('{"type":"hello","version":7,"client":"x"}', "version"),
        ('{"type":"what"}', "type"),
        (HELLO, "hello"),
        (FROM_CLIENT.encode(History(OTHER_STREAM, 1)), "stream"),
        (FROM_CLIENT.encode(History(STREAM, 6)), "unexpected"),
        (FROM_CLIENT.encode(History(STREAM, 2**53 - 1)), "unexpected"),
        (json.dumps({"type": "history", "stream": STREAM, "first": 1, "x": "y" * 5000}), "too-large"),
    ],
)
def test_a_client_that_breaks_the_protocol_is_ended_with_the_reason(text, code):
    feed = make_feed(5)
    greeted(feed)
    with pytest.raises(MessageError) as error:
        feed.received(1, text, 0)
    assert error.value.code == code


def test_history_before_the_hello_is_refused():
    feed = make_feed(5)
    feed.opened(1, "127.0.0.1", 0)
    with pytest.raises(MessageError, match="history was requested before the server's hello"):
        ask(feed, 1)


def test_a_flood_of_requests_ends_the_client_and_a_minute_later_more_are_allowed():
    feed = make_feed(5, keep=1000)
    greeted(feed)
    allowed = 2 * (1000 // PAGE_ROWS + 1) + 100
    for _ in range(allowed):
        ask(feed, 1)
    with pytest.raises(MessageError, match=f"more than {allowed} requests in 60 s"):
        ask(feed, 1, now=59_999)
    ask(feed, 1, now=60_000)
    assert len(messages(feed)) == 1


def test_clients_are_independent_and_an_error_that_one_reports_ends_it():
    feed = make_feed(5)
    greeted(feed, 1)
    greeted(feed, 2)
    with pytest.raises(MessageError, match="the client reports changed: no") as error:
        feed.received(1, FROM_CLIENT.encode(Error("changed", "no")), 0)
    assert error.value.code == "reported"
    feed.closed(1, "gone", 0)
    ask(feed, 1, client=2)
    assert len(messages(feed, 2)) == 1
    assert feed.reports[-1] == "client 1 of 127.0.0.1 has left: gone"


def test_an_error_before_the_hello_ends_its_client_too():
    feed = make_feed(5)
    feed.opened(1, "127.0.0.1", 0)
    with pytest.raises(MessageError, match="the client reports changed: no"):
        feed.received(1, FROM_CLIENT.encode(Error("changed", "no")), 0)
