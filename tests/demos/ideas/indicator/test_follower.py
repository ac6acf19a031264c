"""The client's side without sockets: it ends with the server's rows, and a server that lies is found out."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indicator_kit import HOUR, OTHER_STREAM, hello_text, make_feed, page_text, random_bars, row_of, values_text

from demos.ideas.indicator.follower import Follower, error_of
from demos.ideas.indicator.protocol import FROM_CLIENT, FROM_SERVER, PAGE_ROWS, History
from demos.ideas.messages import MessageError

BARS = random_bars(3000)


class Client:
    """A follower, the rows that it has drawn since the last reset, and its number of resets."""

    def __init__(self, keep: int = 5000) -> None:
        self.drawn: list[object] = []
        self.resets = 0
        self.follower = Follower("EURUSD", "H1", keep, self._reset, self.drawn.append)

    def _reset(self) -> None:
        self.resets += 1
        self.drawn.clear()

    def connect(self) -> str:
        return FROM_CLIENT.encode(self.follower.connected("tester"))

    def take(self, text: str) -> History | None:
        return self.follower.take(FROM_SERVER.decode(text))


def exchange(feed, client, number=1):
    """Deliver messages in both directions until nothing is left to send."""
    while text := feed.next_message(number, 0):
        if request := client.take(text):
            feed.received(number, FROM_CLIENT.encode(request), 0)


def connect(feed, client, number=1):
    feed.opened(number, "127.0.0.1", 0)
    feed.received(number, client.connect(), 0)
    exchange(feed, client, number)


def assert_equal(feed, client):
    assert client.follower.is_complete
    series = client.follower.series
    expected = feed.series.rows(max(feed.series.first, series.first), feed.series.last)
    assert series.rows(series.first, series.last)[-len(expected) :] == expected
    assert client.drawn[-len(expected) :] == list(expected)


@pytest.mark.parametrize("count", [0, 1, PAGE_ROWS - 1, PAGE_ROWS, PAGE_ROWS + 1, 3 * PAGE_ROWS + 7])
def test_a_late_joiner_gets_the_whole_history(count):
    feed, client = make_feed(count), Client()
    connect(feed, client)
    assert client.follower.is_complete
    assert client.drawn == list(feed.series.rows(1, count))


def test_a_client_keeps_only_the_newest_rows():
    feed, client = make_feed(1000), Client(keep=300)
    connect(feed, client)
    assert (client.follower.series.first, client.follower.series.last) == (701, 1000)
    assert len(client.drawn) == 300


@given(st.lists(st.tuples(st.integers(1, 300), st.sampled_from(["send", "skip", "reconnect", "restart"])), max_size=12))
def test_whatever_is_lost_the_client_ends_with_the_rows_of_the_server(steps):
    feed, client, number, position = make_feed(50, keep=400), Client(keep=400), 1, 50
    connect(feed, client)
    for count, kind in steps:
        if kind == "restart":
            feed = make_feed(count, keep=400, stream=f"{number:032x}")
            position = count
        for bar in BARS[position : position + count]:
            feed.take(bar)
            if kind == "send":
                exchange(feed, client, number)
        position += count
        if kind in ("reconnect", "restart"):
            number += 1
            connect(feed, client, number)
    exchange(feed, client, number)
    if not client.follower.is_complete or client.follower.series.last < feed.series.last:
        number += 1
        connect(feed, client, number)
    assert client.follower.series.last == feed.series.last
    assert_equal(feed, client)


def test_rows_that_close_while_pages_arrive_are_not_missed():
    feed, client = make_feed(2 * PAGE_ROWS + 5), Client()
    feed.opened(1, "127.0.0.1", 0)
    feed.received(1, client.connect(), 0)
    position = 2 * PAGE_ROWS + 5
    while text := feed.next_message(1, 0):
        if position < 2 * PAGE_ROWS + 20:
            feed.take(BARS[position])
            position += 1
        if request := client.take(text):
            feed.received(1, FROM_CLIENT.encode(request), 0)
    assert client.follower.series.last == feed.series.last == 2 * PAGE_ROWS + 20
    assert_equal(feed, client)


def test_a_reconnect_asks_only_for_the_rows_that_are_missing():
    feed, client = make_feed(10), Client()
    connect(feed, client)
    for bar in BARS[10:13]:
        feed.take(bar)
    feed.opened(2, "127.0.0.1", 0)
    feed.received(2, client.connect(), 0)
    assert client.take(feed.next_message(2, 0)) == History(feed.stream, 11)
    assert client.resets == 1


def test_a_new_stream_replaces_all_rows():
    client = Client()
    connect(make_feed(10), client)
    other = make_feed(4, stream=OTHER_STREAM)
    connect(other, client)
    assert client.resets == 2
    assert client.drawn == list(other.series.rows(1, 4))


def following(count=10):
    """A client with all rows of a server that has this many."""
    client = Client(keep=1000)
    client.connect()
    assert client.take(hello_text(last=count)) is not None
    assert client.take(page_text(1, count)) is None
    return client


def test_a_row_that_comes_twice_is_taken_once():
    client = following()
    assert client.take(values_text(10)) is None
    assert client.take(values_text(7)) is None
    assert len(client.drawn) == 10


def changed(seq):
    return values_text(seq, row=[seq * HOUR, [0.5]])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (hello_text(), "hello"),
        (values_text(11, stream=OTHER_STREAM), "stream"),
        (page_text(11, 12), "unexpected"),
        (changed(10), "changed"),
        (changed(1), "changed"),
        (values_text(11, row=[10 * HOUR, [1.0]]), "malformed"),
        (values_text(11, row=[0, [1.0]]), "malformed"),
        (values_text(11, row=[11 * HOUR, [1.0, 2.0]]), "malformed"),
        (values_text(11, row=[11 * HOUR, []]), "malformed"),
    ],
)
def test_a_server_that_breaks_the_protocol_is_found_out(text, code):
    client = following()
    with pytest.raises(MessageError) as error:
        client.take(text)
    assert error.value.code == code
    assert error_of(error.value).code == code
    assert client.follower.series.last == 10


@pytest.mark.parametrize(
    "page",
    [
        page_text(11, 20, rows=[]),
        page_text(10, 20),
        page_text(11, 20, last=15),
        page_text(11, 19),
        page_text(11, 20, rows=[row_of(11)]),
        page_text(11, 20, rows=[row_of(11), *[row_of(seq) for seq in range(11, 20)]]),
        page_text(11, 20, rows=[row_of(seq) for seq in range(20, 10, -1)]),
        page_text(11, 20, rows=[[seq * HOUR, []] for seq in range(11, 21)]),
        page_text(11, 20, stream=OTHER_STREAM),
    ],
)
def test_a_page_that_is_not_the_requested_one_ends_the_connection(page):
    client = following()
    assert client.take(values_text(20)) == History(client.follower.stream, 11)
    with pytest.raises(MessageError):
        client.take(page)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (hello_text(symbol="GBPUSD"), "chart"),
        (hello_text(period="M1"), "chart"),
        (hello_text(lines=[]), "malformed"),
        (hello_text(lines=[{"name": "a", "window": 0, "color": 1, "levels": []}] * 2), "malformed"),
        (hello_text(first=12), "malformed"),
        (values_text(1), "hello"),
        (page_text(1, 10), "hello"),
    ],
)
def test_a_first_message_that_does_not_fit_ends_the_connection(text, code):
    client = Client()
    client.connect()
    with pytest.raises(MessageError) as error:
        client.take(text)
    assert error.value.code == code


@pytest.mark.parametrize(
    "text",
    [hello_text(last=9), hello_text(lines=[{"name": "b", "window": 0, "color": 1, "levels": []}])],
)
def test_a_stream_that_has_changed_at_a_reconnect_ends_the_connection(text):
    client = following()
    client.connect()
    with pytest.raises(MessageError) as error:
        client.take(text)
    assert error.value.code == "changed"


def test_a_history_without_an_end_ends_the_connection_and_the_rows_stay_limited():
    client = Client(keep=1000)
    client.connect()

    def answer(request: History | None, last: int = 500) -> None:
        while request:
            last += PAGE_ROWS
            request = client.take(page_text(request.first, last))

    with pytest.raises(MessageError, match="the history has no end"):
        answer(client.take(hello_text(last=500)))
    assert len(client.follower.series.rows(client.follower.series.first, 10**6)) <= 1000


def test_a_server_that_claims_endless_rows_is_asked_for_the_newest_ones_only():
    client = Client(keep=1000)
    client.connect()
    request = client.take(hello_text(last=2**53 - 1))
    assert request is not None
    assert request.first == 2**53 - 1000


def test_rows_that_the_server_has_removed_meanwhile_are_left_out():
    client = following()
    client.take(values_text(300))
    assert client.take(page_text(150, 300)) is None
    assert (client.follower.series.first, client.follower.series.last) == (150, 300)
    assert client.resets == 2
    assert client.drawn[0] == client.follower.series.row(150)


def test_hello_of_a_client_has_its_name():
    assert json.loads(Client().connect()) == {"type": "hello", "version": 1, "client": "tester"}
