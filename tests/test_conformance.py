"""The scenarios of tests/conformance on the backend at hand: on compat as on Windows, under Wine as recorded there."""

from __future__ import annotations

import pytest
from conformance import host, recordings
from conformance.runner import collect, differences, run

SCENARIOS = collect()
ENTRIES = recordings.load()
WINE = host.wine_version()


@pytest.mark.parametrize("name", SCENARIOS)
def test_answers(name: str) -> None:
    if WINE not in (None, recordings.version()):
        pytest.skip(f"recorded from Wine {recordings.version()}, and this is Wine {WINE}")
    assert differences(run(SCENARIOS[name]), recordings.expected(ENTRIES[name], host.side())) == []


def test_each_scenario_is_recorded_and_each_recording_has_its_scenario() -> None:
    assert list(ENTRIES) == list(SCENARIOS)


@pytest.mark.parametrize("name", ENTRIES)
def test_a_recorded_scenario_came_to_its_end(name: str) -> None:
    assert ENTRIES[name]["wine"][-1][0] not in ("stopped", "hangs")


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if "windows" in entry])
def test_where_windows_differs_there_is_a_source(name: str) -> None:
    wine = {label: answer for label, *answer in ENTRIES[name]["wine"]}
    for difference in ENTRIES[name]["windows"]:
        assert difference["answers"] != [wine[difference["label"]]]
        assert difference["source"].startswith(("https://learn.microsoft.com/", "Wine test-suite"))
