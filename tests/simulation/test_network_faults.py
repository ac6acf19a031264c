"""A fault script has a text form that keeps everything, and a random one names only what exists."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winsock.simulation import faults as faults_module
from winsock.simulation.errors import SimulationError
from winsock.simulation.faults import KINDS, Fault, format_script, format_seconds, parse_script, parse_seconds
from winsock.simulation.random_faults import RANDOM_KINDS, random_faults
from winsock.simulation.units import SECOND

SCRIPT = """\
at 30 partition server client for 15
at 50.25 partition_one_way server client
at 60 heal server client
at 100 crash server for 0.000000001
at 140 kill server/main
at 150 reset server client
at 160 nat_timeout server client 30 for 90
at 300 clock_jump client -3600
at 400 rule server client loss=0.5 latency=0.2 bandwidth=none blocked=yes queue=1000 for 10
"""


def test_a_script_that_is_parsed_and_formatted_is_the_same_text() -> None:
    assert format_script(parse_script(SCRIPT)) == SCRIPT


def test_comments_and_empty_lines_of_a_script_are_skipped() -> None:
    assert parse_script("# only a comment\n\nat 1 vanish a for 2 # gone\n") == [
        Fault(SECOND, "vanish", ("a",), duration=2 * SECOND)
    ]


def test_the_script_in_the_documentation_of_the_module_is_valid() -> None:
    assert faults_module.__doc__
    lines = [line for line in faults_module.__doc__.splitlines() if line.startswith("    at ")]
    assert {fault.kind for fault in parse_script("\n".join(lines))} >= set(KINDS) - {"appear", "restart", "thaw"}


names = st.text("abcxyz0123456789._-", min_size=1, max_size=8)
times = st.integers(0, 10**18)


@st.composite
def any_fault(draw: st.DrawFn) -> Fault:
    name = draw(st.sampled_from(sorted(KINDS)))
    kind = KINDS[name]
    targets = draw(st.lists(names, min_size=kind.targets, max_size=kind.targets, unique=True))
    if kind.process and draw(st.booleans()):
        targets = [f"{targets[0]}/{draw(names)}"]
    value = draw(st.integers(1, 10**15)) if kind.value else None
    settings = {"loss": draw(st.floats(0, 1)), "queue": draw(st.integers(1, 10**9)), "blocked": draw(st.booleans())}
    duration = draw(st.none() | st.integers(1, 10**15)) if kind.lasting else None
    return Fault(draw(times), name, tuple(targets), value, tuple(settings.items()) if kind.settings else (), duration)


@given(st.lists(any_fault()))
def test_every_script_that_is_formatted_and_parsed_has_the_same_faults(script: list[Fault]) -> None:
    assert parse_script(format_script(script)) == script


def test_settings_of_other_types_of_numbers_are_written_as_numbers() -> None:
    settings = (("loss", Fraction(1, 4)), ("queue", Fraction(2000)), ("latency", 1e-05), ("blocked", False))
    fault = Fault(0, "rule", ("a", "b"), settings=settings)  # type: ignore[arg-type]
    assert format_script([fault]) == "at 0 rule a b loss=0.25 queue=2000.0 latency=1e-05 blocked=no\n"
    assert parse_script(format_script([fault])) == [fault]


@given(st.integers(-(10**20), 10**20))
def test_seconds_as_text_keep_every_nanosecond(nanoseconds: int) -> None:
    assert parse_seconds(format_seconds(nanoseconds)) == nanoseconds


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("at 1 explode a", "unknown fault: 'explode'; the faults are partition, "),
        ("in 1 crash a", "a fault has the form 'at SECONDS FAULT TARGET … [for SECONDS]'"),
        ("at x crash a", "invalid time: 'x'; give seconds with at most nine decimals"),
        ("at 0.0000000001 crash a", "invalid time: '0.0000000001'; give seconds with at most nine decimals"),
        ("at -1 crash a", "invalid time of a fault: -1; give a time of at least 0 s"),
        ("at 1 crash a b", "crash takes one host, not 2: a b"),
        ("at 1 partition a", "partition takes two hosts, not 1: a"),
        ("at 1 partition a a", "partition takes two different hosts: 'a' is given twice"),
        ("at 1 crash a/b", "invalid target of crash: 'a/b'"),
        ("at 1 heal a b for 2", "heal has no duration; remove 'for'"),
        ("at 1 crash a for 0", "invalid duration: 0; give a time above 0 s"),
        ("at 1 clock_jump a", "clock_jump lacks its jump in seconds"),
        ("at 1 nat_timeout a b -5", "invalid limit: -5; give a number above 0"),
        ("at 1 rule a b", "rule needs settings of a link, such as loss=0.5"),
        ("at 1 crash a loss=0.5", "crash takes no settings"),
        ("at 1 rule a b loss=much", "invalid value of loss: 'much'; give a number, yes, no or none"),
        ("at 1 rule a b loss=2", "invalid loss: 2; give a probability from 0 to 1"),
        ("at 1 rule a b speed=2", "unknown setting of a link: 'speed'; the settings are latency, "),
    ],
)
def test_an_invalid_line_is_reported_with_its_number(line: str, message: str) -> None:
    with pytest.raises(SimulationError) as caught:
        parse_script(f"# first\n{line}\n")
    assert str(caught.value).startswith(f"line 2 of the fault script: {message}")


def seeded(seed: int, **changes: object) -> list[Fault]:
    options: dict[str, object] = {
        "hosts": ["a", "b"], "pairs": [("a", "b"), ("b", "c")], "processes": ["a/main"],
        "start": 10, "end": 100, "budget": 50,
    }  # fmt: skip
    return random_faults(Random(seed), **{**options, **changes})  # type: ignore[arg-type]


def test_random_faults_are_within_their_time_and_budget() -> None:
    script = seeded(1)
    assert 0 < len(script) <= 50
    assert all(fault.at >= 10 * SECOND and fault.end <= 100 * SECOND for fault in script)
    assert script == sorted(script, key=lambda fault: fault.at)


def test_random_faults_name_only_what_exists() -> None:
    for fault in (fault for seed in range(20) for fault in seeded(seed)):
        if KINDS[fault.kind].targets == 2:
            assert set(fault.targets) in ({"a", "b"}, {"b", "c"})
        else:
            assert fault.targets[0] in (["a/main"] if fault.kind == "kill" else ["a", "b"])


def test_random_faults_of_every_kind_occur() -> None:
    assert {fault.kind for seed in range(20) for fault in seeded(seed)} == set(RANDOM_KINDS)


def test_random_faults_leave_out_kinds_without_a_target() -> None:
    kinds = {fault.kind for seed in range(20) for fault in seeded(seed, pairs=[], processes=[])}
    assert kinds == {"vanish", "crash", "freeze", "clock_jump"}
    assert seeded(1, hosts=[], pairs=[], processes=[]) == []


def test_the_same_seed_gives_the_same_random_faults() -> None:
    assert seeded(7) == seeded(7) != seeded(8)


def test_random_faults_survive_their_text_form() -> None:
    assert parse_script(format_script(seeded(3))) == seeded(3)


def test_random_faults_of_an_unknown_kind_are_refused() -> None:
    with pytest.raises(SimulationError, match="unknown kind of random fault: 'heal'"):
        seeded(1, kinds={"heal"})
