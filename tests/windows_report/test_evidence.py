"""A report is evidence only where it was made on Windows, and for what this clone has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from report_kit import NOTHING, SCENARIO, content, copied_tree, differences_page, last_cells, made_up_report

from tests.conformance import recordings
from tests.windows_facts.facts import collect
from tests.windows_report import evidence, merging, notes
from tests.windows_report.form import ReportError
from tests.windows_report.resuming import CHECKOUT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return copied_tree(tmp_path)


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
    assert "2 of 2 runs of the pairs" in changed["notes/figures.md"].decode()
    assert f"{len(collect())} of {len(collect())} facts" in changed["notes/figures.md"].decode()
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
