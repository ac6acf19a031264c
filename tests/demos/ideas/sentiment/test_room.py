"""The sentiment server's logic: who counts, how long, and what each client is sent."""

from __future__ import annotations

from decimal import Decimal

import pytest

from demos.ideas.messages import MessageError
from demos.ideas.sentiment.protocol import (
    CLIENT,
    MOST_SYMBOLS,
    SERVER,
    ClientHello,
    FromServer,
    ServerHello,
    SideTotal,
    Total,
    Totals,
    Volume,
    Volumes,
)
from demos.ideas.sentiment.room import Room, Rules
from demos.ideas.sentiment.volumes import bounded_volumes

SILENCE = 60_000


def joined(room: Room, *clients: int, now: int = 0) -> None:
    """Let clients connect from an address each and say hello."""
    for client in clients:
        room.opened(client, f"192.0.2.{client}", now)
        room.received(client, CLIENT.encode(ClientHello(1, f"client {client}")), now)


def sends(room: Room, client: int, lots: str, now: int = 0, symbol: str = "EURUSD") -> None:
    room.received(client, CLIENT.encode(Volumes({symbol: Volume(Decimal(lots))})), now)


def messages(room: Room, client: int) -> list[FromServer]:
    """All messages that there are for a client."""
    found = []
    while (text := room.next_message(client, 0)) is not None:
        found.append(SERVER.decode(text))
    return found


def long(room: Room) -> Decimal | None:
    total = room.totals.get("EURUSD")
    return None if total is None or total.long is None else total.long.lots


def test_the_first_message_states_the_rules():
    room = Room(Rules("name", 500, SILENCE, Decimal("12.5"), 4))
    room.opened(1, "192.0.2.1", 0)
    assert messages(room, 1) == [ServerHello(1, "name", 500, SILENCE, Decimal("12.5"), MOST_SYMBOLS, 4)]


def test_each_client_is_sent_the_newest_totals_only():
    room = Room(Rules())
    joined(room, 1, 2, 3)
    for client in (1, 2, 3):
        sends(room, client, "1")
    room.publish(0, 1000)
    first = messages(room, 1)
    assert [type(each) for each in first] == [ServerHello, Totals]
    for number in range(3):
        room.publish(number, 2000 + number)
    [last] = messages(room, 1)
    assert isinstance(last, Totals)
    assert (last.seq, last.time, last.totals["EURUSD"].long) == (4, 2002, SideTotal(Decimal(3), 3))
    assert messages(room, 1) == []


def test_a_client_without_a_hello_is_sent_no_totals():
    room = Room(Rules())
    joined(room, 1, 2, 3)
    room.opened(4, "192.0.2.4", 0)
    room.publish(0, 0)
    assert [type(each) for each in messages(room, 4)] == [ServerHello]


def test_a_client_counts_until_its_connection_ends():
    room = Room(Rules())
    joined(room, 1, 2, 3, 4)
    for client in (1, 2, 3, 4):
        sends(room, client, "1")
    room.publish(0, 0)
    assert long(room) == 4
    room.closed(4, "", 1)
    room.publish(1, 1)
    assert long(room) is None
    for client in (1, 2, 3):
        sends(room, client, "2")
    room.publish(2, 2)
    assert long(room) == 6


def test_a_client_counts_until_it_has_sent_no_volumes_for_the_stated_time_and_again_afterwards():
    room = Room(Rules(silence_ms=SILENCE))
    joined(room, 1, 2, 3, 4)
    for client in (1, 2, 3, 4):
        sends(room, client, "1")
    for client in (1, 2, 3):
        sends(room, client, "1", SILENCE // 2)
    room.publish(SILENCE - 1, 0)
    assert long(room) == 4
    assert room.participants == 4
    room.publish(SILENCE, 0)
    assert long(room) is None
    assert room.participants == 3
    sends(room, 4, "1", SILENCE + 1)
    room.publish(SILENCE + 1, 0)
    assert long(room) == 4


def test_the_volumes_of_all_connections_of_an_address_count_as_one_participants():
    room = Room(Rules(most_lots=Decimal(10)))
    joined(room, 1, 2, 3)
    for client in (1, 2, 3):
        sends(room, client, "1")
    for client in (7, 8):
        room.opened(client, "192.0.2.3", 0)
        room.received(client, CLIENT.encode(ClientHello(1, "x")), 0)
    sends(room, 7, "2")
    room.publish(0, 0)
    assert room.totals["EURUSD"] == Total(SideTotal(Decimal(5), 3))


def test_volumes_above_the_bound_count_as_the_bound():
    room = Room(Rules(most_lots=Decimal("2.5")))
    joined(room, 1, 2, 3)
    for client, lots in ((1, "1"), (2, "2.5"), (3, "99999999999999")):
        sends(room, client, lots)
    room.publish(0, 0)
    assert long(room) == 6


def test_long_and_short_are_counted_separately():
    room = Room(Rules())
    joined(room, 1, 2, 3, 4, 5)
    for client, sides in ((1, ("1", "0.5")), (2, ("0", "2")), (3, ("3", "0")), (4, ("2", "0")), (5, ("0", "3"))):
        both = Volume(*map(Decimal, sides))
        room.received(client, CLIENT.encode(Volumes({"EURUSD": both})), 0)
    room.publish(0, 0)
    assert room.totals["EURUSD"] == Total(SideTotal(Decimal(6), 3), SideTotal(Decimal("5.5"), 3))


@pytest.mark.parametrize(("local_names", "participants"), [(True, 3), (False, 1)])
def test_behind_a_proxy_on_this_computer_names_do_not_make_participants(local_names, participants):
    room = Room(Rules(local_names=local_names))
    for client in range(3):
        room.opened(client, "127.0.0.1", 0)
        room.received(client, CLIENT.encode(ClientHello(1, f"client {client}")), 0)
        sends(room, client, "1")
    room.publish(0, 0)
    assert room.participants == participants
    assert long(room) == (3 if local_names else None)


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"volumes","volumes":{"EURUSD":{"long":"-1","short":"0"}}}',
        '{"type":"volumes","volumes":{"EURUSD":{"long":"1e9","short":"0"}}}',
        '{"type":"volumes","volumes":{"EURUSD":{"long":"NaN","short":"0"}}}',
        '{"type":"volumes","volumes":{"EURUSD":{"long":1,"short":"0"}}}',
        '{"type":"volumes","volumes":{"EURUSD":{"long":"1000000000000000","short":"0"}}}',
        '{"type":"volumes","volumes":{"EURUSD":{"long":"0.123456789","short":"0"}}}',
        '{"type":"volumes","volumes":{"EURUSD":{"long":"1"}}}',
        '{"type":"volumes","volumes":{"":{"long":"1","short":"0"}}}',
        '{"type":"volumes","volumes":{"A":{"long":"1","short":"0"},"A":{"long":"1","short":"0"}}}',
        '{"type":"volumes","volumes":[]}',
        '{"type":"volumes"}',
        '{"type":"totals","seq":1,"time":0,"totals":{}}',
        '{"type":"hello","version":1,"client":"again"}',
        '{"type":"volumes","volumes":{' + ",".join(f'"S{n}":{{"long":"1","short":"0"}}' for n in range(51)) + "}}",
        "x" * 20_000,
    ],
)
def test_an_invalid_message_is_an_error_and_changes_nothing(text):
    room = Room(Rules())
    joined(room, 1, 2, 3)
    for client in (1, 2, 3):
        sends(room, client, "1")
    with pytest.raises(MessageError):
        room.received(3, text, 0)
    room.publish(0, 0)
    assert long(room) == 3


def test_volumes_before_a_hello_are_an_error():
    room = Room(Rules())
    room.opened(1, "192.0.2.1", 0)
    with pytest.raises(MessageError, match="the first message must be a hello"):
        sends(room, 1, "1")


def test_a_client_sends_the_chosen_symbols_and_the_largest_of_too_many():
    positions = {f"S{number:03}": (Decimal(number), Decimal(1)) for number in range(100)}
    message = bounded_volumes(positions, (), MOST_SYMBOLS)
    assert list(message.volumes) == [f"S{number:03}" for number in range(50, 100)]
    assert CLIENT.decode(CLIENT.encode(message)) == message
    assert list(bounded_volumes(positions, ("S003", "OTHER"), MOST_SYMBOLS).volumes) == ["S003"]
