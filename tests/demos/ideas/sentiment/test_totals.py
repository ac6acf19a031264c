"""Which totals are published: they reveal no participant's volumes, and nobody moves one beyond the bound.

The histories are random: participants join, leave, fall silent and change their volumes at any time.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demos.ideas.sentiment.participants import participant
from demos.ideas.sentiment.protocol import CLIENT, SERVER, ClientHello, Total, Totals, Volume, Volumes
from demos.ideas.sentiment.room import Room, Rules
from demos.ideas.sentiment.totals import FEWEST, MOST_REMEMBERED, Contributions, PublishedTotals, total_of

LONG = 60_000
NAMES = "abcdef"


def volume(long: int, short: int = 0) -> Volume:
    return Volume(Decimal(long), Decimal(short))


def present(**lots: int) -> dict[str, dict[str, Volume]]:
    return {"EURUSD": {name: volume(each) for name, each in lots.items() if each}}


# ---- the rules, step by step


@pytest.mark.parametrize("least", [-1, 0, 1, 2])
def test_fewer_than_three_participants_cannot_be_configured(least):
    with pytest.raises(ValueError, match="use 3 or more"):
        PublishedTotals(least)


def test_a_total_needs_three_participants_with_positions():
    totals = PublishedTotals()
    assert totals.update(present(a=1, b=2), set("abc")) == {}
    assert totals.update(present(a=1, b=2, c=4), set("abc")) == {"EURUSD": Total(Decimal(7), Decimal(0), 3)}


def test_a_total_stays_until_three_participants_have_changed():
    totals = PublishedTotals()
    first = totals.update(present(a=1, b=2, c=4), set("abc"))
    assert totals.update(present(a=9, b=2, c=4), set("abc")) == first
    assert totals.update(present(a=9, b=9, c=4), set("abc")) == first
    assert totals.update(present(a=9, b=9, c=9), set("abc"))["EURUSD"].long == 27


def test_a_participant_that_joins_or_closes_its_position_is_a_change_like_any_other():
    totals = PublishedTotals()
    first = totals.update(present(a=1, b=2, c=4), set("abcd"))
    assert totals.update(present(a=1, b=2, c=4, d=8), set("abcd")) == first
    assert totals.update(present(a=1, b=2, c=0, d=8), set("abcd")) == first
    assert totals.update(present(a=0, b=2, c=0, d=8, e=3), set("abcde"))["EURUSD"].long == 13


def test_no_total_is_published_from_the_leave_of_a_participant_to_the_third_change():
    totals = PublishedTotals()
    first = totals.update(present(a=1, b=2, c=4, d=8), set("abcd"))
    assert totals.update(present(a=1, b=2, c=4), set("abc")) == {}
    assert totals.update(present(a=2, b=2, c=4), set("abc")) == {}
    assert totals.update(present(a=1, b=2, c=4, d=8), set("abcd")) == first
    assert totals.update(present(a=2, b=3, c=4), set("abc"))["EURUSD"].long == 9


def test_a_moment_in_which_everyone_is_disconnected_does_not_reveal_a_change():
    totals = PublishedTotals()
    totals.update(present(a=1, b=2, c=4), set("abc"))
    assert totals.update({}, set()) == {}
    assert totals.update(present(a=1, b=3, c=4), set("abc"))["EURUSD"].long == 7


def test_invented_symbols_do_not_fill_the_memory_and_the_published_ones_are_remembered():
    totals = PublishedTotals()
    first = totals.update(present(a=1, b=2, c=4), set("abc"))
    for number in range(12):
        names = [f"S{number} {each}" for each in range(MOST_REMEMBERED // 10)]
        invented = dict.fromkeys(names, present(d=1, e=1, f=1)["EURUSD"])
        totals.update({**present(a=9, b=2, c=4), **invented}, set("abcdef"))
    assert len(totals._last) == MOST_REMEMBERED
    assert totals.update(present(a=9, b=9, c=4), set("abc")) == first


# ---- random histories


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[dict[str, Volume], set[str]]]:
    """The contributions and the counting participants at each publication."""
    lots = st.integers(0, 3)
    found = []
    for _ in range(draw(st.integers(1, 12))):
        counting = draw(st.sets(st.sampled_from(NAMES)))
        volumes = {name: volume(draw(lots), draw(lots)) for name in sorted(counting)}
        found.append(({name: each for name, each in volumes.items() if each}, counting))
    return found


@given(histories(), st.integers(FEWEST, 4))
def test_each_total_sums_over_enough_participants_that_are_all_still_here(history, least):
    totals = PublishedTotals(least)
    seen: list[Contributions] = []
    for now, counting in history:
        seen.append(now)
        total = totals.update({"EURUSD": now}, counting).get("EURUSD")
        if total is not None:
            assert total.clients >= least
            assert any(total == total_of(each) and each.keys() <= counting for each in seen)


class Watched(PublishedTotals):
    """Records the contributions behind each publication."""

    def __init__(self, least: int) -> None:
        super().__init__(least)
        self.record: list[Contributions | None] = []

    def _shown(self, name: str, now: Contributions, counting: Set[str]) -> Contributions | None:
        found = super()._shown(name, now, counting)
        self.record.append(None if found is None else dict(found))
        return found


@given(histories(), st.integers(FEWEST, 4))
def test_two_successive_totals_differ_in_no_participant_or_in_enough_of_them(history, least):
    totals = Watched(least)
    for now, counting in history:
        totals.update({"EURUSD": now}, counting)
    last: Contributions | None = None
    for shown in totals.record:
        if shown is None:
            continue
        if last is not None:
            changed = [name for name in last.keys() | shown.keys() if last.get(name) != shown.get(name)]
            assert len(changed) == 0 or len(changed) >= least
        last = shown


# ---- what a participant sees of the others

CLIENTS = {1: "192.0.2.1", 2: "192.0.2.2", 3: "192.0.2.3", 4: "192.0.2.4", 5: "192.0.2.5"}
OBSERVER = 1


@st.composite
def actions(draw: st.DrawFn) -> list[tuple[str, int, int, int]]:
    """A history of a room: (what, client, long, short)."""
    kinds = st.sampled_from(["volumes", "volumes", "volumes", "leave", "join", "publish", "silence"])
    each = st.tuples(kinds, st.sampled_from(list(CLIENTS)), st.integers(0, 5), st.integers(0, 5))
    return draw(st.lists(each, min_size=5, max_size=40))


def seen_by_observer(script: list[tuple[str, int, int, int]], roles: Mapping[int, int]) -> list[str]:
    """What the observer is sent when each client plays the role of another one."""
    room, now, here = Room(Rules(silence_ms=LONG)), 0, set()
    texts: list[str] = []

    def join(client: int) -> None:
        here.add(client)
        room.opened(client, CLIENTS[client], now)
        room.received(client, CLIENT.encode(ClientHello(1, f"client {client}")), now)

    for client in CLIENTS:
        join(client)
    for what, role, long, short in [*script, ("publish", OBSERVER, 0, 0)]:
        client = roles.get(role, role)
        now += 1000
        if what == "join" and client not in here:
            join(client)
        elif what == "leave" and client in here and client != OBSERVER:
            here.remove(client)
            room.closed(client, "", now)
        elif what == "volumes" and client in here:
            room.received(client, CLIENT.encode(Volumes({"EURUSD": volume(long, short)})), now)
        elif what == "silence":
            now += LONG // 4
        elif what == "publish":
            room.publish(now, now)
        while (text := room.next_message(OBSERVER, now)) is not None:
            texts.append(text)
    return texts


@settings(max_examples=200)
@given(actions(), st.permutations([2, 3, 4, 5]))
def test_a_participant_is_sent_the_same_when_the_others_exchange_their_volumes(script, permuted):
    """So nothing that it is sent says whose volumes are whose."""
    roles = dict(zip([2, 3, 4, 5], permuted, strict=True))
    assert seen_by_observer(script, {}) == seen_by_observer(script, roles)


@settings(max_examples=200)
@given(st.lists(st.integers(1, 50), min_size=4, max_size=4), st.integers(-20, 20))
def test_a_participant_is_sent_the_same_when_lots_move_from_one_of_the_others_to_another(lots, moved):
    """So for each other participant it cannot exclude other volumes than the real ones."""

    def texts(*volumes: int) -> list[str]:
        script = [("volumes", client, each, 0) for client, each in zip((1, 2, 3, 4), volumes, strict=True)]
        return seen_by_observer([*script, ("publish", 1, 0, 0)], {})

    a, b, c, d = lots
    moved = max(min(moved, c - 1), 1 - b)
    assert texts(a, b, c, d) == texts(a, b + moved, c - moved, d)


# ---- the bound

absurd = st.decimals(0, Decimal(10) ** 14, places=4, allow_nan=False, allow_infinity=False)


@settings(max_examples=200)
@given(st.lists(st.tuples(absurd, absurd), min_size=1, max_size=10), st.integers(1, 4))
def test_absurd_volumes_of_one_participant_move_a_total_by_the_bound_at_most(attempts, connections):
    """However large they are, however often they are sent, and by however many connections of one address."""
    rules = Rules()
    room = Room(rules)
    honest = {number: f"192.0.2.{number}" for number in range(1, 5)}
    attackers = dict.fromkeys(range(10, 10 + connections), "198.51.100.1")
    for client, address in {**honest, **attackers}.items():
        room.opened(client, address, 0)
        room.received(client, CLIENT.encode(ClientHello(1, f"client {client}")), 0)
    for number, (long, short) in enumerate(attempts):
        for client in honest:
            room.received(client, CLIENT.encode(Volumes({"EURUSD": volume(client + number, 1)})), number)
        for client in attackers:
            room.received(client, CLIENT.encode(Volumes({"EURUSD": Volume(long, short)})), number)
        room.publish(number, number)
        honest_long = sum(client + number for client in honest)
        total = room.totals["EURUSD"]
        assert honest_long <= total.long <= honest_long + rules.most_lots
        assert len(honest) <= total.short <= len(honest) + rules.most_lots


@given(st.text(), st.text(), st.sampled_from(["192.0.2.1", "2001:db8::1", "2001:db8::ffff:1", "::ffff:192.0.2.1"]))
def test_names_do_not_make_participants_but_on_this_computer(one, other, address):
    assert participant(address, one) == participant(address, other)
    for loopback in ("127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"):
        assert (participant(loopback, one) == participant(loopback, other)) == (one == other)
        assert participant(loopback, one) != participant(address, one)


def test_an_ipv6_network_is_one_participant():
    assert participant("2001:db8::1", "") == participant("2001:db8::ffff:0:0:1%2", "")
    assert participant("2001:db8::1", "") != participant("2001:db8:0:1::1", "")
    assert participant("::ffff:192.0.2.1", "") == participant("192.0.2.1", "")


def test_the_totals_of_a_message_are_those_with_the_most_participants():
    room = Room(Rules())
    many = [f"S{number:04}" for number in range(60)]
    for client in range(60):
        room.opened(client, f"192.0.2.{client + 1}", 0)
        room.received(client, CLIENT.encode(ClientHello(1, "x")), 0)
        chosen = [many[(client + step) % len(many)] for step in range(50)]
        room.received(client, CLIENT.encode(Volumes({name: volume(1) for name in chosen})), 0)
    room.publish(0, 0)
    assert len(room.totals) == len(many)
    room.next_message(0, 0)
    message = SERVER.decode(str(room.next_message(0, 0)))
    assert isinstance(message, Totals)
    assert list(message.totals) == sorted(many)
