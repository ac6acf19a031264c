"""A merge adds a report as evidence: nothing that is documented or recorded changes, also not by a second merge."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_kit import content, copied_tree, made_up_report, written

from tests.conformance import recordings
from tests.windows_facts.facts import collect
from tests.windows_report import __main__, evidence, form, merging, notes
from tests.windows_report.__main__ import main
from tests.windows_report.form import ReportError
from tests.windows_report.resuming import CHECKOUT
from winsock.command_line import printable

SCENARIO = "an_unbound_socket_receives_nothing"  # Wine and Windows differ in it
# In a cell of the README's table that no run on this system can fill.
NOTHING = "\N{EN DASH}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return copied_tree(tmp_path)


def last_cells(root: Path) -> dict[str, str]:
    """The last cell of each row of the README's table, by the first cell."""
    text = (root / notes.README).read_text(encoding="utf-8").partition("### What was proven where")[2]
    table = text.partition("| --- |")[2].partition("\n\n")[0]
    return {row.strip("| ").split(" | ")[0]: row.strip("| ").split(" | ")[-1] for row in table.splitlines()[1:]}


def differences_page(root: Path) -> str:
    return notes.in_notes((root / notes.DIFFERENCES).read_text(encoding="utf-8"))


def test_a_report_becomes_a_side_of_the_recordings_beside_the_others(root: Path) -> None:
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
    assert changed == {notes.README, notes.DIFFERENCES, notes.REPORTS, *recorded}


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


# ---- the README's last column


def test_the_last_column_says_not_yet_until_a_report_exists(root: Path) -> None:
    assert set(last_cells(root).values()) == {notes.NOT_YET, NOTHING}
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
    assert sum("does not count in the README" in line for line in lines) == len(form.PARTS)


def test_a_fact_that_was_skipped_is_not_kept(root: Path) -> None:
    report = made_up_report()
    results = report["parts"]["facts"]["results"]
    (fact, *_) = results
    results[fact] = {"outcome": "skipped", "detail": "needs a network namespace"}
    merging.merge(report, root)
    assert notes.load_reports(root)["facts"].keys() == results.keys() - {fact}


# ---- names that the clone does not have


def test_unknown_scenarios_are_named_and_ignored(root: Path) -> None:
    report = made_up_report()
    report["parts"]["scenarios"]["seen"]["of_another_version"] = [["recv", 0]]
    assert "unknown scenarios, ignored: of_another_version" in merging.merge(report, root)


def test_unknown_names_of_every_part_are_named_and_ignored(root: Path) -> None:
    report = made_up_report()
    parts = report["parts"]
    parts["facts"]["results"]["an_invented_fact"] = {"outcome": "as on Windows", "detail": 1}
    parts["pairs"]["jobs"]["invented"] = {"exit_code": 0, "seconds": 1, "summary": {}}
    parts["tests"]["counts"]["tests/invented"] = {"passed": 1000}
    parts["tests"]["counts"]["tests/api/../api"] = {"passed": 1000}
    parts["tests"]["failures"].append({"test": "https://evil.example/x", "outcome": "failed", "message": ""})
    lines = merging.merge(report, root)
    assert [line for line in lines if line.startswith("unknown ")] == [
        "unknown folders of tests, ignored: tests/api/../api, tests/invented",
        "unknown facts, ignored: an_invented_fact",
        "unknown runs of pairs, ignored: invented",
        "unknown tests, ignored: https://evil.example/x",
    ]
    changed = content(root)
    assert [name for name, raw in changed.items() if b"invented" in raw or b"evil.example" in raw] == []
    assert "2 of 2 runs of the pairs" in changed["README.md"].decode()
    assert f"{len(collect())} of {len(collect())} facts" in changed["README.md"].decode()
    assert "1,812 of 1,813 tests" in differences_page(root)


def test_invented_facts_alone_fill_no_cell(root: Path) -> None:
    report = made_up_report()
    invented = {f"invented_{n:03}": {"outcome": "as on Windows", "detail": None} for n in range(900)}
    report["parts"] = {"facts": {**report["parts"]["facts"], "results": invented}}
    lines = merging.merge(report, root)
    assert lines[-1].startswith("unknown facts, ignored: invented_000, invented_001, ")
    assert lines[-1].endswith(", invented_009 and 890 more")
    assert set(last_cells(root).values()) == {notes.NOT_YET, NOTHING}


def test_the_result_of_a_fact_decides_and_not_what_the_report_says_about_it(root: Path) -> None:
    report = made_up_report()
    results = report["parts"]["facts"]["results"]
    claimed, denied, *_ = results
    results[claimed] = {"outcome": "as on Windows", "detail": "invented"}
    results[denied]["outcome"] = "different"
    lines = merging.merge(report, root)
    assert [line for line in lines if line.startswith("contradiction")] == [
        f'contradiction in the fact {claimed}: different, "invented"'
    ]
    (facts,) = (cell for name, cell in last_cells(root).items() if name.startswith("facts"))
    assert facts.endswith(f": {len(collect()) - 1} of {len(collect())} facts")


# ---- links and mentions

HOSTILE = [
    "https://evil.example/phish @torvalds",
    "www.evil.example",
    "a@evil.example",
    "` @torvalds `` www.evil.example ``` <b> `",
    "```` @torvalds",
    "@torvalds `",
    "\\` @torvalds | www.evil.example \\| https://evil.example",
    "[x](https://evil.example) ![x](//evil.example) <https://evil.example> #1 GH-1",
]
# A code span: a run of backticks, and the next run of the same length.
CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")


def outside_code(line: str) -> str:
    return CODE.sub("", line)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_link_or_mention_comes_out_of_a_report(text: str, root: Path) -> None:
    before = {outside_code(line) for line in (root / notes.DIFFERENCES).read_text(encoding="utf-8").splitlines()}
    report = made_up_report()
    parts = report["parts"]
    parts["tests"]["failures"] = [{"test": f"tests/api/x.py::{text}", "outcome": "failed", "message": text}]
    parts["scenarios"]["seen"][SCENARIO] = [[text, text]]
    (fact, *_) = parts["facts"]["results"]
    parts["facts"]["results"][fact] = {"outcome": "different", "detail": [text]}
    parts["pairs"]["jobs"]["signal"] |= {"summary": {"problem": text}, "last_lines": [text], "exit_code": 1}
    for part in parts.values():
        part["problem"] = text
    form.check(json.dumps(report).encode("ascii"))
    merging.merge(report, root)
    shown = (root / notes.DIFFERENCES).read_text(encoding="utf-8") + (root / notes.README).read_text(encoding="utf-8")
    assert shown.count("torvalds") + shown.count("evil.example") >= 3
    outside = [line for line in map(outside_code, differences_page(root).splitlines()) if line not in before]
    assert [line for line in outside if re.search(r"evil|torvalds|@|//|www|<b>", line)] == []
    assert "evil" not in (root / notes.README).read_text(encoding="utf-8")


@given(st.text(alphabet="`|\\ @a<\n\u202e", max_size=12))
def test_a_code_span_has_the_whole_text_and_nothing_ends_it_early(text: str) -> None:
    shown = notes.code(text)
    if text.strip(" "):
        assert outside_code(shown) == ""
        assert CODE.fullmatch(shown)[2] == f" {printable(text)} "
    else:
        assert shown == ""
    assert not re.search(r"(?<!\\)\|", notes.code_cell(text))


# ---- Wine


def like_wine(*only: str) -> dict[str, Any]:
    """A report that names no Wine, but has its results in these scenarios; without names in all."""
    report = made_up_report()
    entries = notes.load_recordings(CHECKOUT)
    names = only or entries
    report["parts"]["scenarios"]["seen"] = {name: entries[name]["wine"] for name in names}
    return report


def test_a_report_from_wine_is_refused() -> None:
    with pytest.raises(ReportError, match=r"the report was made on Wine 10\.0: it says nothing about Windows"):
        evidence.refuse_wine(made_up_report(wine="10.0"), CHECKOUT)


def test_a_report_with_the_results_of_wine_is_refused_even_if_it_does_not_name_wine() -> None:
    evidence.refuse_wine(made_up_report(), CHECKOUT)
    with pytest.raises(ReportError, match="it was probably made on Wine"):
        evidence.refuse_wine(like_wine(), CHECKOUT)


def test_facts_that_only_wine_skips_are_refused() -> None:
    report = made_up_report()
    del report["parts"]["scenarios"]
    results = report["parts"]["facts"]["results"]
    skipped = [name for name, fact in collect().items() if fact.wine]
    results[skipped[0]] = {"outcome": "skipped", "detail": f"Wine differs: {collect()[skipped[0]].wine}"}
    with pytest.raises(ReportError, match=f"1 facts were skipped because Wine differs, such as {skipped[0]}: "):
        evidence.refuse_wine(report, CHECKOUT)
    results[skipped[0]]["detail"] = "needs a network namespace"
    evidence.refuse_wine(report, CHECKOUT)


def test_the_results_of_wine_in_one_module_of_scenarios_are_refused() -> None:
    names = recordings.read(CHECKOUT / notes.RECORDINGS / "binding.json")["scenarios"]
    with pytest.raises(ReportError, match="in 3 of 3 scenarios in which Wine and Windows differ"):
        evidence.refuse_wine(like_wine(*names), CHECKOUT)


def test_a_single_scenario_with_wines_results_is_accepted_and_printed(root: Path) -> None:
    """A Windows that contradicts its documentation looks the same."""
    report = like_wine(SCENARIO)
    evidence.refuse_wine(report, CHECKOUT)
    lines = merging.merge(report, root)
    assert "in 1 of 1 scenarios in which Wine and Windows differ it has Wine's results" in lines
    assert any(line.startswith(f"contradiction in {SCENARIO}") for line in lines)


def test_a_report_from_wine_never_looks_like_one_from_windows(root: Path) -> None:
    merging.merge(made_up_report(wine="10.0"), root)
    assert {cell.partition(":")[0] for cell in last_cells(root).values()} == {"Wine 10.0", notes.NOT_YET, NOTHING}
    assert "| wine-10.0.22631-" in differences_page(root)


# ---- files of the clone that a merge cannot change


@pytest.mark.parametrize(
    ("file", "old", "new", "error"),
    [
        (notes.DIFFERENCES, "<!-- end of the reports -->", "", "the line <!-- end of the reports --> is missing"),
        (notes.DIFFERENCES, "<!-- generated: python -m tests.windows_report", "<!--", "the line <!-- generated: "),
        (notes.README, "### What was proven where", "", 'the table "What was proven where" is missing'),
        (notes.README, "| versions of CPython", "| Python", "has no row like versions of CPython"),
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


def test_the_notes_and_the_readme_match_the_merged_reports() -> None:
    """After a merge by hand: python -m tests.windows_report merge FILE"""
    text = (CHECKOUT / notes.DIFFERENCES).read_text(encoding="utf-8")
    reports, entries = notes.load_reports(CHECKOUT), notes.load_recordings(CHECKOUT)
    assert notes.in_notes(text) == notes.generated(reports, entries)
    readme = (CHECKOUT / notes.README).read_text(encoding="utf-8")
    assert notes.with_cells(readme, notes.cells(reports, entries)) == readme


def test_no_report_from_wine_has_been_merged_into_the_clone() -> None:
    reports = notes.load_reports(CHECKOUT)["reports"]
    assert [name for name, report in reports.items() if report["system"]["wine"]] == []
