"""Which totals are published: they reveal no participant's volumes, and nobody moves one beyond the bound.

The histories are random: participants join, leave, fall silent and change their volumes at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demos.ideas.sentiment import published_volumes
from demos.ideas.sentiment import totals as totals_module
from demos.ideas.sentiment.participants import participant
from demos.ideas.sentiment.protocol import CLIENT, SERVER, ClientHello, SideTotal, Total, Totals, Volume, Volumes
from demos.ideas.sentiment.room import Room, Rules
from demos.ideas.sentiment.totals import FEWEST, MEMORY_MS, PublishedTotals

LONG = 60_000
NAMES = "abcdef"


def volume(long: int, short: int = 0) -> Volume:
    return Volume(Decimal(long), Decimal(short))


# ---- the rule, step by step


class Longs:
    """The published totals of the long positions in EURUSD."""

    def __init__(self, least: int = FEWEST) -> None:
        self.totals = PublishedTotals(least)

    def update(self, counting: str, now: int = 0, /, **lots: int) -> int | None:
        """The lots of the total when these participants count and hold these lots."""
        held = {name: Decimal(each) for name, each in lots.items() if each}
        total = self.totals.update({("EURUSD", "long"): held}, set(counting), now).get("EURUSD", Total())
        assert total.short is None
        return None if total.long is None else int(total.long.lots)


@pytest.mark.parametrize("least", [-1, 0, 1, 2])
def test_fewer_than_three_participants_cannot_be_configured(least):
    with pytest.raises(ValueError, match="use 3 or more"):
        PublishedTotals(least)


def test_a_total_needs_three_participants_with_positions():
    longs = Longs()
    assert longs.update("abc", a=1, b=2) is None
    assert longs.update("abc", a=1, b=2, c=4) == 7


def test_a_side_with_fewer_than_three_participants_has_no_total():
    """Three participants hold positions, but only one of them is long."""
    totals = PublishedTotals()
    held = {("EURUSD", "long"): {"a": Decimal(7)}, ("EURUSD", "short"): dict.fromkeys("bcd", Decimal(1))}
    assert totals.update(held, set("abcd"), 0) == {"EURUSD": Total(None, SideTotal(Decimal(3), 3))}


def test_a_side_stays_as_it_is_until_three_participants_have_changed_on_this_side():
    totals = PublishedTotals()
    first = dict.fromkeys("abcd", Decimal(1))
    totals.update({("EURUSD", "long"): first, ("EURUSD", "short"): first}, set("abcd"), 0)
    shorts = {**first, "b": Decimal(2), "c": Decimal(3), "d": Decimal(4)}
    held = {("EURUSD", "long"): {**first, "a": Decimal(9)}, ("EURUSD", "short"): shorts}
    found = totals.update(held, set("abcd"), 0)["EURUSD"]
    assert (found.long, found.short) == (SideTotal(Decimal(4), 4), SideTotal(Decimal(10), 4))


def test_a_total_stays_until_three_participants_have_new_volumes():
    longs = Longs()
    assert longs.update("abc", a=1, b=2, c=4) == 7
    assert longs.update("abc", a=9, b=2, c=4) == 7
    assert longs.update("abc", a=9, b=9, c=4) == 7
    assert longs.update("abc", a=9, b=9, c=9) == 27


def test_a_volume_that_an_earlier_total_had_of_the_participant_is_not_new():
    """Else the first and the third total would differ in one participant."""
    longs = Longs()
    assert longs.update("abcd", a=1, b=2, c=4, d=1) == 8
    assert longs.update("abcd", a=2, b=3, c=5, d=1) == 11
    assert longs.update("abcd", a=1, b=2, c=6, d=1) is None
    assert longs.update("abcd", a=3, b=5, c=6, d=1) == 15


def test_a_total_that_differs_in_three_participants_is_not_published_any_more():
    longs = Longs()
    assert longs.update("abcd", a=1, b=2, c=4, d=8) == 15
    assert longs.update("abcd", a=1, b=2) == 15
    assert longs.update("abcd", a=1) is None
    assert longs.update("abcd", a=1, b=2, c=4) == 15


def test_a_participant_that_joins_counts_as_new_and_one_that_closes_its_position_does_not():
    longs = Longs()
    assert longs.update("abcd", a=1, b=2, c=4) == 7
    assert longs.update("abcd", a=1, b=2, c=4, d=8) == 7
    assert longs.update("abcd", a=1, b=2, c=0, d=8) == 7
    assert longs.update("abcde", a=0, b=2, c=0, d=8, e=3) is None
    assert longs.update("abcdef", a=0, b=2, c=0, d=8, e=3, f=1) == 14


def test_no_total_is_published_from_the_leave_of_a_participant_to_the_third_new_volume():
    longs = Longs()
    assert longs.update("abcd", a=1, b=2, c=4, d=8) == 15
    assert longs.update("abc", a=1, b=2, c=4) is None
    assert longs.update("abc", a=2, b=2, c=4) is None
    assert longs.update("abcd", a=1, b=2, c=4, d=8) == 15
    assert longs.update("abc", a=2, b=3, c=5) == 10


def test_the_leave_of_a_participant_without_a_position_on_the_side_changes_nothing():
    longs = Longs()
    assert longs.update("abcd", a=1, b=2, c=4) == 7
    assert longs.update("abc", a=1, b=2, c=4) == 7


def test_a_moment_in_which_everyone_is_disconnected_does_not_reveal_a_change():
    longs = Longs()
    assert longs.update("abc", a=1, b=2, c=4) == 7
    assert longs.update("") is None
    assert longs.update("abc", a=1, b=3, c=4) == 7


# ---- the memory


def test_volumes_are_remembered_for_the_stated_time_after_their_total_was_published_last():
    longs = Longs()
    assert longs.update("abc", 0, a=1, b=2, c=4) == 7
    assert longs.update("abc", MEMORY_MS - 1, a=2, b=3, c=5) == 10
    assert longs.update("abc", MEMORY_MS, a=1, b=2, c=4) is None
    assert longs.update("abc", 2 * MEMORY_MS - 1, a=1, b=2, c=4) is None
    assert longs.update("abc", 2 * MEMORY_MS, a=1, b=2, c=4) == 7


def test_the_volumes_of_a_total_that_is_still_published_are_not_forgotten():
    longs = Longs()
    assert longs.update("abcdefg", 0, a=1, b=2, c=4) == 7
    for day in range(1, 6):
        assert longs.update("abcdefg", day * MEMORY_MS, a=1, b=2, c=4) == 7
    assert longs.update("abcdefg", 6 * MEMORY_MS, a=1, b=2, c=4, d=1, e=1) == 7
    assert longs.update("abcdefg", 6 * MEMORY_MS, a=1, b=2, c=4, d=1, e=1, f=1) == 10


def test_a_total_that_was_not_published_for_the_stated_time_does_not_return_without_new_volumes():
    longs = Longs()
    assert longs.update("abc", 0, a=1, b=2, c=4) == 7
    assert longs.update("", MEMORY_MS) is None
    assert longs.update("", 2 * MEMORY_MS) is None
    assert longs.totals._last == {}
    assert longs.update("abc", 2 * MEMORY_MS, a=1, b=2, c=4) is None
    assert longs.update("", 3 * MEMORY_MS) is None
    assert len(longs.totals._volumes) == 0


def test_a_full_memory_publishes_nothing_new_instead_of_forgetting(monkeypatch):
    monkeypatch.setattr(published_volumes, "MOST_REMEMBERED", 6)
    longs = Longs()
    assert longs.update("abc", 0, a=1, b=2, c=4) == 7
    assert longs.update("abc", 0, a=2, b=3, c=5) == 10
    assert longs.update("abc", 0, a=3, b=4, c=6) is None
    assert longs.update("abc", MEMORY_MS, a=3, b=4, c=6) is None
    assert longs.update("abc", 2 * MEMORY_MS, a=3, b=4, c=6) == 13


def test_a_participant_with_too_many_volumes_is_left_out_of_new_totals(monkeypatch):
    monkeypatch.setattr(published_volumes, "MOST_OF_ONE", 1)
    longs = Longs()
    assert longs.update("abcdef", a=1, b=2, c=4) == 7
    assert longs.update("abcdef", a=9, b=2, c=4, d=1, e=2, f=4) == 7


# ---- random histories


# The lots of each participant are its digit in the total: so a total says which volumes it is the sum of.
BASE = 5
SIDES = [(name, side) for name in ("EURUSD", "XAUUSD") for side in ("long", "short")]


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, list[int]]]:
    """For each publication: the participants that count, with a digit for each side. Few differ from the last time."""
    digits = st.lists(st.integers(0, BASE - 1), min_size=len(SIDES), max_size=len(SIDES))
    state: dict[str, list[int]] = {name: draw(digits) for name in NAMES}
    here = set(NAMES)
    found = []
    for _ in range(draw(st.integers(2, 25))):
        for name in draw(st.lists(st.sampled_from(NAMES), max_size=5)):
            state[name] = draw(digits)
        here ^= draw(st.sets(st.sampled_from(NAMES), max_size=1))
        found.append({name: state[name] for name in sorted(here)})
    return found


def published(
    history: list[dict[str, list[int]]], least: int
) -> dict[tuple[str, str], list[tuple[int, dict[str, int]]]]:
    """What an observer sees of each side: times, and the volumes behind the total, without those that are 0."""
    totals = PublishedTotals(least)
    seen: dict[tuple[str, str], list[tuple[int, dict[str, int]]]] = {side: [] for side in SIDES}
    for now, state in enumerate(history):
        present = {
            side: {
                name: Decimal(digits[number] * BASE ** NAMES.index(name))
                for name, digits in state.items()
                if digits[number]
            }
            for number, side in enumerate(SIDES)
        }
        found = totals.update(present, set(state), now)
        for side in SIDES:
            total: SideTotal | None = getattr(found.get(side[0], Total()), side[1])
            if total is not None:
                each = {name: int(total.lots) // BASE**number % BASE for number, name in enumerate(NAMES)}
                shown = {name: digit for name, digit in each.items() if digit}
                assert total.clients == len(shown)
                assert shown.keys() <= state.keys()
                changed = [
                    name for name in NAMES if present[side].get(name, 0) != each[name] * BASE ** NAMES.index(name)
                ]
                assert len(changed) < least
                seen[side].append((now, shown))
    return seen


def different(totals: Iterable[dict[str, int]]) -> list[dict[str, int]]:
    """The totals, each once."""
    found: list[dict[str, int]] = []
    for total in totals:
        if total not in found:
            found.append(total)
    return found


def rank(rows: list[list[int]]) -> int:
    """The rank of a matrix, exactly."""
    left, found = [[Fraction(each) for each in row] for row in rows], 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((row for row in left if row[column]), None)
        if pivot is None:
            continue
        found += 1
        left.remove(pivot)
        left = [
            [each - row[column] / pivot[column] * other for each, other in zip(row, pivot, strict=True)] for row in left
        ]
    return found


def concerns_only(totals: list[dict[str, int]], few: Set[str]) -> bool:
    """Whether sums and differences of totals, each as often as one likes, yield a result about these few alone.

    Each volume of each participant is an unknown: a column. Such a result exists if the totals depend on each other
    as soon as the columns of the few are left out.
    """
    columns = sorted({item for total in totals for item in total.items()})
    rows = [[int(total.get(name) == lots) for name, lots in columns] for total in totals]
    others = [number for number, (name, _) in enumerate(columns) if name not in few]
    return rank(rows) > rank([[row[number] for number in others] for row in rows])


def check_totals(totals: list[dict[str, int]], least: int) -> None:
    """Check that no sum and no difference of the totals concerns fewer than ``least`` participants."""
    assert all(len(total) >= least for total in totals)
    for one, other in combinations(totals, 2):
        assert sum(one.get(name) != other.get(name) for name in NAMES) >= least
    for few in combinations(NAMES, least - 1):
        assert not concerns_only(totals, set(few))


@settings(max_examples=150)
@given(histories(), st.integers(FEWEST, 4))
def test_no_sum_or_difference_of_published_totals_concerns_too_few_participants_of_a_side(history, least):
    for shown in published(history, least).values():
        check_totals(different(total for _, total in shown), least)


@settings(max_examples=75)
@given(histories(), st.integers(1, 6))
def test_the_same_holds_for_totals_within_the_time_of_the_memory_when_volumes_are_forgotten(history, memory):
    with mock.patch.object(totals_module, "MEMORY_MS", memory):
        sides = published(history, FEWEST)
    for shown in sides.values():
        for begin in range(len(history)):
            check_totals(different(total for time, total in shown if begin <= time <= begin + memory), FEWEST)


def test_the_check_of_the_random_histories_finds_what_three_totals_reveal_together():
    first, second = {"a": 1, "b": 1, "c": 1, "d": 1}, {"a": 2, "b": 2, "c": 2, "d": 1}
    assert not concerns_only([first, second], {"a", "b"})
    assert concerns_only([first, second, {"a": 1, "b": 1, "c": 3, "d": 1}], {"c"})
    assert concerns_only(
        [first, second, {"a": 1, "b": 2, "c": 1, "d": 1}, {"a": 2, "b": 1, "c": 2, "d": 1}], {"b", "c"}
    )


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
            room.received(
                client, CLIENT.encode(Volumes({"EURUSD": volume(client + number, client + 2 * number)})), number
            )
        for client in attackers:
            room.received(client, CLIENT.encode(Volumes({"EURUSD": Volume(long, short)})), number)
        room.publish(number, number)
        honest_long = sum(client + number for client in honest)
        honest_short = sum(client + 2 * number for client in honest)
        total = room.totals["EURUSD"]
        assert total.long is not None
        assert total.short is not None
        assert honest_long <= total.long.lots <= honest_long + rules.most_lots
        assert honest_short <= total.short.lots <= honest_short + rules.most_lots


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
