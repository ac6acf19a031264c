"""The rules of copying: names, factors, rounding and orders, without a terminal."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demos.copier.limits import killfile_name_problem
from demos.copier.rules import (
    MOST_ORDERS,
    Limits,
    Order,
    Rules,
    factor_problem,
    list_from_text,
    list_problem,
    lots_text,
    names_from_text,
    names_problem,
    orders,
    round_to_step,
    suffix_problem,
)
from demos.terminal.symbols import symbol_problem

LIMITS = Limits(Decimal("0.01"), Decimal(100), Decimal("0.01"))
COARSE = Limits(Decimal("0.5"), Decimal("2"), Decimal("0.1"))


def lots(text: str) -> list[Decimal]:
    return [Decimal(word) for word in text.split()]


def sizes(plan: list[Order]) -> list[str]:
    return [f"{order.lots}{f'#{order.ticket}' if order.ticket else ''}" for order in plan]


def test_the_map_names_a_symbol_and_other_symbols_get_the_suffix():
    rules = Rules({"GOLD": "XAUUSD"}, ".m")
    assert [rules.name(symbol) for symbol in ("GOLD", "EURUSD")] == ["XAUUSD", "EURUSD.m"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", {}),
        ("EURUSD=EURUSD.m", {"EURUSD": "EURUSD.m"}),
        (" A = B , C = D ,", {"A": "B", "C": "D"}),
        ("A=B,B=A", {"A": "B", "B": "A"}),
        ("Volatility 75 Index=#V75 Index.m", {"Volatility 75 Index": "#V75 Index.m"}),
        ("eurusd_i = EURUSD.m , EURUSD_i=.eur-usd", {"eurusd_i": "EURUSD.m", "EURUSD_i": ".eur-usd"}),
        (r"EURUSD=a\=b, A\,B = C\\,D=E\F", {"EURUSD": "a=b", "A,B": "C\\", "D": r"E\F"}),
    ],
)
def test_a_map_consists_of_pairs_separated_by_commas(text, names):
    assert names_from_text(text) == names
    assert names_problem(text) is None


@pytest.mark.parametrize("text", ["A", "A=", "=B", "A=B=C", "A=B,A=C", "A=B,C=B", "A=B;C=D=E"])
def test_an_invalid_map_is_reported(text):
    assert names_problem(text)


@pytest.mark.parametrize("text", ["A|B=C", "A=B|C", "A\x01=B", "<A=B", "A=B>>", f"A={'x' * 65}"])
def test_a_map_of_invalid_symbols_is_reported(text):
    assert "invalid entry" in (names_problem(text) or "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("EURUSD=a=b", r"invalid entry: 'EURUSD=a=b'; an entry has one '='; write an '=' in a name as \="),
        (
            "EURUSD=A,B",
            r"invalid entry: 'B'; an entry is SERVER=LOCAL, as in EURUSD=EURUSD.m; write a comma in a name as \,",
        ),
        (
            r"A\=B",
            r"invalid entry: 'A\=B'; an entry is SERVER=LOCAL, as in EURUSD=EURUSD.m; write a comma in a name as \,",
        ),
        (r"A\,=", r"invalid entry: 'A\,='; a symbol's name is empty"),
    ],
)
def test_an_invalid_map_is_reported_with_the_way_to_write_the_name(text, problem):
    assert names_problem(text) == problem


symbols = st.text(st.sampled_from(r"aB1 .#,=\\"), min_size=1, max_size=8).filter(lambda name: not symbol_problem(name))


def written(name: str) -> str:
    return re.sub(r"[\\,=]", r"\\\g<0>", name)


@given(st.lists(symbols, unique=True))
def test_every_valid_symbol_can_be_written_in_a_list_and_on_both_sides_of_a_map(names):
    assert list_from_text(" , ".join(map(written, names))) == names
    entries = dict(zip(names, reversed(names), strict=True))
    text = ",".join(f"{written(server)}={written(local)}" for server, local in entries.items())
    assert names_from_text(text) == entries


def test_every_valid_symbol_can_be_listed():
    names = ["Volatility 75 Index", "EURUSD.m", "eurusd", "#AAPL", "EURUSD_i"]
    text = " , ".join(names)
    assert list_from_text(text) == names
    assert list_problem(text) is None
    assert list_problem("") is None
    assert "'A|B'" in (list_problem("EURUSD,A|B") or "")


def test_a_suffix_may_contain_blanks_but_not_end_with_one():
    assert [suffix_problem(suffix) for suffix in ("", ".m", "_i", "#", " Index")] == [None] * 5
    assert suffix_problem(".m ")
    assert suffix_problem("|")


@pytest.mark.parametrize("factor", [0.0, -1.0, float("inf"), float("nan")])
def test_a_factor_is_above_zero_and_finite(factor):
    assert "use a number above 0 (--reverse inverts the direction)" in (factor_problem(factor) or "")
    assert factor_problem(0.001) is None


def test_the_list_of_symbols_contains_names_of_the_server():
    rules = Rules({"EURUSD": "E"}, only=list_from_text("EURUSD, GBPUSD,"))
    assert [rules.follows(symbol) for symbol in ("EURUSD", "GBPUSD", "E", "USDJPY")] == [True, True, False, False]
    assert rules.known() == ["E", "GBPUSD"]
    assert Rules({"A": "B"}).known() == ["B"]
    assert Rules().follows("anything")


def test_lots_are_multiplied_exactly_and_reversed():
    assert Rules(factor=Decimal("0.1")).lots(Decimal("0.30")) == Decimal("0.03")
    assert Rules(factor=Decimal("3"), reverse=True).lots(Decimal("0.10")) == Decimal("-0.30")
    assert Rules(reverse=True).lots(Decimal("-0.10")) == Decimal("0.10")


def test_the_rules_are_described_in_the_log():
    assert Rules().described() == [
        "names: as on the server",
        "symbols: all that the server sends",
        "lots: the server's times 1.00, rounded toward zero to the symbol's step",
        "direction: as on the server",
    ]
    assert Rules({"A": "B", "C": "D"}, ".m", ["A", "C"], Decimal("0.125"), True).described() == [
        "names: A is B here, C is D here, other names get the suffix .m",
        "symbols: only A, C",
        "lots: the server's times 0.125, rounded toward zero to the symbol's step",
        "direction: reversed",
    ]
    assert Rules(suffix=".m").described()[0] == "names: all names get the suffix .m"


@pytest.mark.parametrize(
    ("value", "text"), [("1E+2", "100.00"), ("0.5", "0.50"), ("-0.1250", "-0.125"), ("0", "0.00"), ("0.010", "0.01")]
)
def test_lots_are_shown_with_two_digits_or_all_they_have(value, text):
    assert lots_text(Decimal(value)) == text


@pytest.mark.parametrize(
    ("wanted", "volume"),
    [
        ("0.25", "0.25"),
        ("0.259", "0.25"),
        ("-0.259", "-0.25"),
        ("0.009", "0"),
        ("-0.009", "0"),
        ("0", "0"),
        ("1000.5", "1000.5"),
    ],
)
def test_a_volume_is_rounded_toward_zero_to_the_step(wanted, volume):
    assert round_to_step(Decimal(wanted), LIMITS) == Decimal(volume)


@pytest.mark.parametrize(("wanted", "volume"), [("0.49", "0"), ("0.5", "0.5"), ("0.59", "0.5"), ("-0.69", "-0.6")])
def test_a_volume_below_the_minimum_becomes_no_position(wanted, volume):
    assert round_to_step(Decimal(wanted), COARSE) == Decimal(volume)


@given(st.decimals(-(10**9), 10**9, places=6), st.sampled_from([LIMITS, COARSE]))
def test_a_rounded_volume_is_never_further_from_zero_nor_a_whole_step_nearer(wanted, limits):
    volume = round_to_step(wanted, limits)
    assert abs(volume) <= abs(wanted)
    assert volume * wanted >= 0
    assert volume % limits.step == 0
    assert volume == 0 or abs(volume) >= limits.minimum
    assert abs(wanted) - abs(volume) < (limits.step if volume else limits.minimum)


@pytest.mark.parametrize(
    ("dif", "position", "plan"),
    [
        ("0.25", "", ["0.25"]),
        ("-0.25", "", ["-0.25"]),
        ("-0.10", "0.25", ["-0.10"]),
        ("-0.25", "0.25", ["-0.25#1"]),
        ("-0.50", "0.25", ["-0.50"]),
        ("250", "", ["100.00", "100.00", "50.00"]),
        ("-250", "250", ["-100.00", "-100.00", "-50.00"]),
    ],
)
def test_on_a_netting_account_a_difference_is_one_order_or_several_of_the_maximum(dif, position, plan):
    positions = [(1, Decimal(position))] if position else []
    found = orders(Decimal(dif), positions, False, LIMITS)
    assert [Decimal(size.partition("#")[0]) for size in sizes(found)] == lots(
        " ".join(p.partition("#")[0] for p in plan)
    )
    assert [order.ticket for order in found] == [int(p.partition("#")[2] or 0) for p in plan]


def test_when_the_last_order_would_be_too_small_the_one_before_is_made_smaller():
    assert [order.lots for order in orders(Decimal("4.2"), [], False, COARSE)] == lots("2 1.7 0.5")


def test_where_no_such_split_exists_the_remainder_is_left_out():
    limits = Limits(Decimal(1), Decimal(1), Decimal("0.5"))
    assert [order.lots for order in orders(Decimal("1.5"), [], False, limits)] == [Decimal(1)]


def test_a_maximum_between_two_steps_is_rounded_down():
    limits = Limits(Decimal("0.1"), Decimal("0.25"), Decimal("0.1"))
    assert [order.lots for order in orders(Decimal("0.4"), [], False, limits)] == lots("0.2 0.2")


def test_a_difference_below_the_minimum_is_no_order_unless_it_closes_the_position():
    assert orders(Decimal("0.4"), [(1, Decimal("0.6"))], False, COARSE) == []
    assert orders(Decimal("-0.4"), [(1, Decimal("0.4"))], False, COARSE) == [Order(Decimal("-0.4"), 1)]
    assert orders(Decimal("-0.4"), [(1, Decimal("0.4"))], True, COARSE) == [Order(Decimal("-0.4"), 1)]


@pytest.mark.parametrize(
    ("dif", "held_by_ticket", "plan"),
    [
        ("0.25", "", ["0.25"]),
        ("0.25", "0.10", ["0.25"]),
        ("-0.15", "0.10 0.10", ["-0.10#1", "-0.05#2"]),
        ("-0.30", "0.10 0.10", ["-0.10#1", "-0.10#2", "-0.10"]),
        ("0.30", "0.10 -0.20", ["0.20#2", "0.10"]),
        ("-0.05", "0.10 -0.20", ["-0.05#1"]),
    ],
)
def test_on_a_hedging_account_opposite_positions_are_closed_first_and_the_rest_is_opened(dif, held_by_ticket, plan):
    positions = list(enumerate(lots(held_by_ticket), 1))
    assert sizes(orders(Decimal(dif), positions[::-1], True, LIMITS)) == plan


@given(
    st.integers(-4000, 4000).filter(bool),
    st.lists(st.integers(-500, 500).filter(bool), max_size=6),
    st.sampled_from([LIMITS, COARSE]),
)
def test_orders_never_exceed_the_difference_the_limits_or_the_positions(steps, volumes, limits):
    positions = [(ticket, volume * limits.step) for ticket, volume in enumerate(volumes, 1)]
    dif = steps * limits.step
    try:
        plan = orders(dif, positions, True, limits)
    except ValueError:
        assert abs(dif) > MOST_ORDERS * limits.maximum
        return
    left = dict(positions)
    for order in plan:
        assert order.lots * dif > 0
        assert abs(order.lots) <= limits.maximum
        if order.ticket:
            assert order.lots * left[order.ticket] < 0
            assert abs(order.lots) <= abs(left[order.ticket])
            left[order.ticket] += order.lots
        else:
            assert abs(order.lots) >= limits.minimum
    rest = abs(dif) - sum(abs(order.lots) for order in plan)
    # Of each position, and of what is opened, less than a minimum can be left.
    assert 0 <= rest < limits.minimum * (1 + len(positions))


def test_a_difference_that_takes_too_many_orders_is_refused():
    assert len(orders(LIMITS.maximum * MOST_ORDERS, [], False, LIMITS)) == MOST_ORDERS
    with pytest.raises(ValueError, match=r"takes more than 100 orders of at most 100\.00 lots"):
        orders(LIMITS.maximum * MOST_ORDERS + LIMITS.step, [], False, LIMITS)


@pytest.mark.parametrize("text", [",", ",,", " ", " , ,"])
def test_a_list_or_a_map_without_any_name_is_an_error_and_does_not_mean_all_symbols(text):
    assert list_problem(text) == f"invalid list: {text!r}; it has no symbol; leave the option out for all symbols"
    assert names_problem(text) == f"invalid map: {text!r}; it has no entry; leave the option out for no map"


def test_a_kill_switch_file_has_a_name_that_is_not_blank():
    assert killfile_name_problem(" ") == "invalid file name: ' '; leave the option out for no file"
    assert killfile_name_problem("stop") is None
