"""A merge adds a report as evidence: nothing that is documented or recorded changes, also not by a second merge."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from report_kit import (
    NOTHING,
    SCENARIO,
    content,
    copied_tree,
    differences_page,
    last_cells,
    made_up_report,
    written,
)  # fmt: skip

from tests.conformance import recordings
from tests.windows_facts.facts import collect
from tests.windows_report import __main__, form, merging, notes
from tests.windows_report.__main__ import main
from tests.windows_report.resuming import CHECKOUT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return copied_tree(tmp_path)


def test_a_report_becomes_a_side_of_the_recordings_next_to_the_others(root: Path) -> None:
    before = notes.load_recordings(root)
    report = made_up_report()
    merging.merge(report, root)
    name = merging.report_id(report)
    assert re.fullmatch(r"10\.0\.22631-[0-9a-f]{8}", name)
    after = notes.load_recordings(root)
    for scenario, entry in after.items():
        assert notes.observations(entry, name) == report["parts"]["scenarios"]["seen"][scenario]
        assert {side: rows for side, rows in entry.items() if side != notes.SIDE} == before[scenario]
    assert list(after) == list(before)


def test_a_second_merge_of_a_report_changes_nothing(root: Path) -> None:
    report = made_up_report()
    lines = merging.merge(report, root)
    once = content(root)
    assert merging.merge(copy.deepcopy(report), root) == lines
    assert content(root) == once


def test_only_the_expected_files_change(root: Path) -> None:
    before = content(root)
    merging.merge(made_up_report(), root)
    after = content(root)
    changed = {name for name in after if after[name] != before.get(name)}
    recorded = {name for name in after if name.startswith(notes.RECORDINGS)}
    assert changed == {notes.FIGURES, notes.DIFFERENCES, notes.REPORTS, *recorded}


def test_reports_that_agree_share_their_rows(root: Path) -> None:
    reports = [made_up_report(), made_up_report(windows="Windows 10 (10.0.19045)")]
    for report in reports:
        merging.merge(report, root)
    (row, *_) = notes.load_recordings(root)[SCENARIO][notes.SIDE]
    assert row["reports"] == sorted(map(merging.report_id, reports))


def test_a_contradiction_is_listed_and_does_not_change_what_is_expected(root: Path) -> None:
    report = made_up_report()
    seen = report["parts"]["scenarios"]["seen"][SCENARIO]
    seen[0] = [seen[0][0], "WSAEFAULT"]
    (fact, *_) = report["parts"]["facts"]["results"]
    report["parts"]["facts"]["results"][fact] = {"outcome": "different", "detail": ["<b>", "|"]}
    expected = recordings.expected(notes.load_recordings(root)[SCENARIO], "windows")
    lines = merging.merge(report, root)
    found = [line for line in lines if line.startswith("contradiction")]
    assert len(found) == 2
    assert found[0].startswith(f"contradiction in {SCENARIO}: {seen[0][0]}: expected ")
    assert found[0].endswith("got WSAEFAULT")
    assert found[1] == f'contradiction in the fact {fact}: different, ["<b>", "|"]'
    assert recordings.expected(notes.load_recordings(root)[SCENARIO], "windows") == expected
    page = differences_page(root)
    assert "Results that contradict what is expected of Windows: 2." in page
    assert f"| {SCENARIO.replace('_', chr(92) + '_')} | ` {seen[0][0]}: expected " in page
    assert '| ` different: ["<b>", "\\|"] ` |' in page


def test_an_observation_that_a_report_lacks_is_a_contradiction(root: Path) -> None:
    report = made_up_report()
    report["parts"]["scenarios"]["seen"][SCENARIO] = [["hangs"]]
    lines = merging.merge(report, root)
    assert any(line.startswith(f"contradiction in {SCENARIO}") and "but not observed" in line for line in lines)
    assert f"contradiction in {SCENARIO}: hangs: not expected, got " in lines


def test_the_notes_list_the_reports_and_the_tests_that_failed(root: Path) -> None:
    assert "No report from a real Windows has been merged" in differences_page(root)
    report = made_up_report()
    merging.merge(report, root)
    page = differences_page(root)
    assert "No report" not in page
    name = merging.report_id(report)
    assert f"| {name} | Windows 11 (10.0.22631) | 3.12.4 | 0a0a0a0a0a | 1,812 of 1,813 tests | " in page
    assert f"- ` tests/api/test_udp.py::test_a `: failed ({name})" in page


def test_a_report_in_which_everything_fails_does_not_fill_the_notes(root: Path) -> None:
    report = made_up_report()
    (failure,) = report["parts"]["tests"]["failures"]
    report["parts"]["tests"]["failures"] = [failure | {"test": f"tests/api/test_{n}.py::x"} for n in range(1000)]
    merging.merge(report, root)
    page = differences_page(root)
    assert "Tests that failed: 1000." in page
    assert page.count("- ` tests/api/") == 200
    assert "And 800 more." in page


# ---- the last column of notes/figures.md


def test_the_last_column_says_not_yet_until_a_report_exists(root: Path) -> None:
    assert set(last_cells(root).values()) == {notes.NOT_YET, NOTHING}
    namespaces = [cell for name, cell in last_cells(root).items() if "network namespaces" in name]
    assert namespaces == [NOTHING]  # no report from Windows can have these facts
    for pattern in ("calls, structures", "recorded scenarios", "facts", "versions of CPython", "demos,"):
        assert [cell for name, cell in last_cells(root).items() if re.match(pattern, name)] == [notes.NOT_YET]


def test_a_report_fills_the_cells_for_what_it_has_run(root: Path) -> None:
    merging.merge(made_up_report(), root)
    cells = {name.partition(",")[0]: cell for name, cell in last_cells(root).items()}
    number = len(notes.load_recordings(root))
    system = "Windows 11 (10.0.22631)"
    assert cells["calls"] == f"{system}: 1,500 of 1,501 tests"
    (scenarios,) = (cell for name, cell in cells.items() if name.endswith("recorded scenarios"))
    assert scenarios == f"{system}: {number} of {number} scenarios, 10 of 10 tests"
    (facts,) = (cell for name, cell in cells.items() if name.startswith("facts"))
    assert facts == f"{system}: {len(collect())} of {len(collect())} facts"
    assert cells["versions of CPython"] == f"{system}: 3.12.4"
    assert cells["demos"] == f"{system}: 302 of 302 tests, 2 of 2 runs of the pairs"
    assert cells["original MQL5 programs as peers"] == notes.NOT_YET
    assert [cell for name, cell in cells.items() if name.startswith("layouts")] == [notes.NOT_YET]


def test_the_newest_report_of_each_system_counts(root: Path) -> None:
    old, new, other = (
        made_up_report(),
        made_up_report(python="3.13.1"),
        made_up_report(windows="Windows 10 (10.0.19045)"),
    )
    new["made"] = "2024-11-30"
    for report in (new, old, other):
        merging.merge(report, root)
    (cell,) = (cell for name, cell in last_cells(root).items() if name.startswith("versions of CPython"))
    assert sorted(cell.split("; ")) == ["Windows 10 (10.0.19045): 3.12.4", "Windows 11 (10.0.22631): 3.13.1"]


@pytest.mark.parametrize("change", [{"selection": ["tests/api"]}, {"problem": "interrupted by Ctrl-C"}])
def test_a_part_that_is_not_complete_does_not_count(root: Path, change: dict[str, Any]) -> None:
    report = made_up_report()
    for part in report["parts"].values():
        part.update(change)
    lines = merging.merge(report, root)
    assert set(last_cells(root).values()) == {notes.NOT_YET, NOTHING}
    assert sum("does not count in notes/figures.md" in line for line in lines) == len(form.PARTS)


def test_a_fact_that_was_skipped_is_not_kept(root: Path) -> None:
    report = made_up_report()
    results = report["parts"]["facts"]["results"]
    (fact, *_) = results
    results[fact] = {"outcome": "skipped", "detail": "needs a network namespace"}
    merging.merge(report, root)
    assert notes.load_reports(root)["facts"].keys() == results.keys() - {fact}


# ---- files of the clone that a merge cannot change


@pytest.mark.parametrize(
    ("file", "old", "new", "error"),
    [
        (notes.DIFFERENCES, "<!-- end of the reports -->", "", "the line <!-- end of the reports --> is missing"),
        (notes.DIFFERENCES, "<!-- generated: python -m tests.windows_report", "<!--", "the line <!-- generated: "),
        (notes.FIGURES, "## What was proven where", "", 'the table "What was proven where" is missing'),
        (notes.FIGURES, "| versions of CPython", "| Python", "has no row like versions of CPython"),
        (notes.REPORTS, "{", "<<<<<<<", "reports.json is not ASCII text with JSON: "),
        (notes.REPORTS, "facts", "fact", "an object with the keys facts and reports is required"),
        (f"{notes.RECORDINGS}/text.json", "{", "", "text.json is not ASCII text with JSON: "),
    ],
)
def test_an_error_is_one_line_and_leaves_every_file_as_it_was(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    file: str, old: str, new: str, error: str,
) -> None:  # fmt: skip
    text = (root / file).read_text(encoding="utf-8")
    assert old in text
    (root / file).write_text(text.replace(old, new), encoding="utf-8", newline="\n")
    before = content(root)
    report = written(made_up_report(), tmp_path / "report.json")
    monkeypatch.setattr(__main__, "CHECKOUT", root)
    for options in ([], ["--try", str(tmp_path / "copy")]):
        assert main(["merge", str(report), *options]) == 1
        shown = capsys.readouterr()
        assert error in shown.err
        assert f"nothing was merged: {file}" in shown.err
        assert (shown.out, shown.err.count("\n")) == ("", 1)
        assert content(root) == before
        assert not (tmp_path / "copy").exists()


def test_a_file_that_cannot_be_written_leaves_every_file_as_it_was(root: Path) -> None:
    planned = merging.plan(made_up_report(), root)
    before = content(root)
    with pytest.raises(FileNotFoundError):
        merging.write({**planned.files, "missing/x": ""}, root)
    assert content(root) == before


# ---- the command


def test_the_command_refuses_a_file_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.json").write_bytes(b"{}")
    missing, folder = tmp_path / "missing.json", tmp_path / "tree"
    wine = written(made_up_report(wine="10.0"), tmp_path / "wine.json")
    good = written(made_up_report(), tmp_path / "good.json")
    folder.mkdir()
    cases = [
        ([tmp_path / "x.json"], "not a report"),
        ([missing], "missing.json: No such file"),
        ([wine], "made on Wine 10.0"),
        ([good, "--try", folder], "exists"),
    ]
    for words, error in cases:
        assert main(["merge", *map(str, words)]) == 1
        shown = capsys.readouterr()
        assert shown.out == ""
        assert error in shown.err
        assert shown.err.count("\n") == 1


def test_with_try_the_command_merges_into_a_copy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (CHECKOUT / notes.REPORTS).read_bytes()
    wine = written(made_up_report(wine="10.0"), tmp_path / "wine.json")
    assert main(["merge", str(wine), "--try", str(tmp_path / "tree")]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("wine-10.0.22631-")
    assert "Wine 10.0: 1,500 of 1,501 tests" in last_cells(tmp_path / "tree").values()
    assert (CHECKOUT / notes.REPORTS).read_bytes() == before


# ---- this clone


def test_the_notes_match_the_merged_reports() -> None:
    """After a merge by hand: python -m tests.windows_report merge FILE"""
    text = (CHECKOUT / notes.DIFFERENCES).read_text(encoding="utf-8")
    reports, entries = notes.load_reports(CHECKOUT), notes.load_recordings(CHECKOUT)
    assert notes.in_notes(text) == notes.generated(reports, entries)
    figures = (CHECKOUT / notes.FIGURES).read_text(encoding="utf-8")
    assert notes.with_cells(figures, notes.cells(reports, entries)) == figures


def test_no_report_from_wine_has_been_merged_into_the_clone() -> None:
    reports = notes.load_reports(CHECKOUT)["reports"]
    assert [name for name, report in reports.items() if report["system"]["wine"]] == []
