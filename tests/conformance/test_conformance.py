"""Runs the conformance scenarios on this backend: compat must answer like Windows, ws2_32 on Wine as recorded there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import winsock
from conformance import coverage, kit, mutations, recordings, report, runner
from conformance.recorder import Recorder
from conformance.reference_system import reference_system, wine_version
from conformance.runner import Scenario, collect, differences, run
from winsock import CALLS, SOCKET_ERROR

SCENARIOS = collect()
ENTRIES = recordings.load()
WINE = wine_version()


pytestmark = [
    pytest.mark.skipif(
        WINE not in (None, recordings.version()),
        reason=f"recorded on Wine {recordings.version()}; this is Wine {WINE}",
    ),
    pytest.mark.usefixtures("unstarted"),
]


def disagreements(name: str) -> list[str]:
    return differences(run(SCENARIOS[name]), recordings.expected(ENTRIES[name], reference_system()))


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_answers_of_a_scenario_are_those_expected(name: str) -> None:
    assert disagreements(name) == []


def test_every_scenario_is_recorded_and_every_recording_has_a_scenario() -> None:
    assert list(ENTRIES) == list(SCENARIOS)


def test_no_recorded_scenario_failed_or_hung() -> None:
    assert [name for name, entry in ENTRIES.items() if entry["wine"][-1][0] in ("stopped", "hangs")] == []


def test_every_difference_of_windows_has_a_source() -> None:
    for name, entry in ENTRIES.items():
        wine = {label: answer for label, *answer in entry["wine"]}
        for difference in entry.get("windows", ()):
            where = f"{name}: {difference['label']}"
            assert difference["answers"], where
            assert difference["answers"] != [wine[difference["label"]]], where
            known = ("https://learn.microsoft.com/", "https://github.com/", "Wine test-suite")
            assert difference["source"].startswith(known), where


def test_there_are_500_scenarios_and_every_call_is_in_at_least_five() -> None:
    assert len(SCENARIOS) >= 500
    uses = coverage.uses(SCENARIOS.values())
    assert {call: uses[call] for call in CALLS if uses[call] < 5} == {}


def test_every_documented_error_is_covered_or_cannot_be_caused_on_loopback() -> None:
    assert coverage.listed() - coverage.reached(ENTRIES) == set(coverage.UNPROVOKED)


def test_wrong_missing_and_unexpected_observations_are_reported() -> None:
    expected: recordings.Expected = [("recv", [[4], [0]]), ("send", [["WSAENOTCONN"]])]
    assert differences([["recv", 0], ["send", "WSAENOTCONN"]], expected) == []
    assert differences([["recv", 5], ["accept", "a socket"]], expected) == [
        "recv: expected 4 or 0, got 5",
        "send: expected WSAENOTCONN, but not observed",
        "accept: not expected, got a socket",
    ]


def test_a_scenario_that_exceeds_the_time_limit_is_recorded_as_hanging(monkeypatch: pytest.MonkeyPatch) -> None:
    def waits_forever(see: Recorder) -> None:
        see("recv", winsock.recv(kit.bound_udp(), bytearray(1), 1, 0))

    monkeypatch.setattr(runner, "WATCHDOG_SECONDS", 0.2)
    assert run(Scenario("waits_forever", "", waits_forever, frozenset()))[0] == ["hangs"]


def test_a_scenario_that_fails_is_recorded_as_stopped() -> None:
    def fails(see: Recorder) -> None:
        kit.done(SOCKET_ERROR)

    assert run(Scenario("fails", "", fails, frozenset())) == [["stopped", "AssertionError: failed with 0"]]


def test_a_new_recording_keeps_the_answers_and_the_reports_of_windows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(recordings, "FOLDER", tmp_path)
    windows = {"label": "recv", "answers": [["WSAENOTCONN"]], "source": "Wine test-suite"}
    others = {"windows": [windows], "windows report": [{"label": "recv", "answer": ["WSAENOTCONN"], "reports": ["x"]}]}
    recordings.write(tmp_path / "streams.json", "9.0", {"a": {"wine": [["recv", 0]], **others}})
    recordings.save("streams", "10.0", {"a": [["recv", 1, "x"]], "b": [["send", 2]]})
    assert recordings.version() == "10.0"
    assert recordings.load() == {
        "a": {"wine": [["recv", 1, "x"]], **others},
        "b": {"wine": [["send", 2]]},
    }


# Mutation tests: each of the tests below breaks one answer on purpose, which the scenarios must detect.


def replace_call(monkeypatch: pytest.MonkeyPatch, call: str, broken: mutations.Call) -> None:
    """Replaces a call in the scenarios alone. A scenario that hangs then counts as having detected it."""
    monkeypatch.setattr(runner, "WATCHDOG_SECONDS", 2)
    for module in runner.modules():
        if hasattr(module, call):
            monkeypatch.setattr(module, call, broken)


def detected(call: str) -> Iterator[str]:
    """The scenarios that make the call and now observe something else."""
    return (name for name, scenario in SCENARIOS.items() if call in scenario.calls and disagreements(name))


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_does_nothing_is_detected(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    replace_call(monkeypatch, call, mutations.refusing(call))
    assert next(detected(call), None) is not None


# The other calls cannot fail.
@pytest.mark.parametrize("call", sorted({call for call, _ in coverage.listed()}))
def test_a_wrong_error_is_detected(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    replace_call(monkeypatch, call, mutations.mistaken(call))
    assert next(detected(call), None) is not None


@pytest.mark.parametrize(
    ("call", "broken", "scenario"),
    [
        ("recv", mutations.reset_as_end, "each_call_after_a_reset_reports_it"),
        ("recv", mutations.cut_silently, "a_datagram_larger_than_the_buffer"),
        ("accept", mutations.without_mode, "the_mode_of_the_listener_is_inherited"),
        ("select", mutations.without_exceptions, "a_connect_that_fails"),
        ("getsockopt", mutations.with_four_bytes, "switches_of_one_byte"),
        ("bind", mutations.shared, "tcp_next_to_a_default_wildcard"),
        ("send", mutations.half, "bytes_arrive_as_sent"),
        ("htons", mutations.in_big_endian_order, "ports_in_network_order"),
    ],
)
def test_a_small_mistake_is_detected(
    monkeypatch: pytest.MonkeyPatch, call: str, broken: mutations.Call, scenario: str
) -> None:
    assert disagreements(scenario) == []
    replace_call(monkeypatch, call, broken)
    assert disagreements(scenario) != []


def test_the_notes_match_the_recordings() -> None:
    """To update the notes: python -m tests.conformance notes"""
    assert report.in_notes() == report.generated()
