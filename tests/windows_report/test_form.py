"""The check of a report, which anybody may have written: it accepts the documented form and nothing else."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_kit import made_up_report, written

from tests.windows_report import form
from tests.windows_report.form import ReportError

REPORT = made_up_report()


def changed(*keys: str | int, to: Any) -> dict[str, Any]:
    """The report with one value replaced; `to` is ... to remove it."""
    report = copy.deepcopy(REPORT)
    place: Any = report
    for key in keys[:-1]:
        place = place[key]
    if to is ...:
        del place[keys[-1]]
    else:
        place[keys[-1]] = to
    return report


def error_of(report: Any) -> str:
    with pytest.raises(ReportError) as raised:
        form.check(json.dumps(report).encode("ascii"))
    return str(raised.value)


def test_a_report_of_the_documented_form_is_accepted(tmp_path: Path) -> None:
    assert form.read(written(REPORT, tmp_path / "report.json")) == REPORT


@pytest.mark.parametrize("part", form.PARTS)
def test_a_report_may_lack_a_part(part: str) -> None:
    form.check(json.dumps(changed("parts", part, to=...)).encode("ascii"))


@pytest.mark.parametrize(
    ("keys", "to", "error"),
    [
        (("form",), "another", 'not a report: its "form" is missing or another'),
        (("version",), 2, "the report has version 2, this command reads 1"),
        (("made",), "yesterday", r'made: a text like \d{4}-\d{2}-\d{2} is required, not "yesterday"'),
        (("made",), ..., 'the file: the key "made" is missing'),
        (("more",), 1, 'the file: unknown key "more"'),
        (("system", "windows"), "Linux", "system.windows: a text like Windows "),
        (("system", "windows"), "Windows 11 (10.0.1) | x", "system.windows: a text like Windows "),
        (("system", "python"), "[3](https://x)", "system.python: a text like "),
        (("system", "commit"), "HEAD", "system.commit: a text like "),
        (("system", "bits"), True, "system.bits: a number from 0 to 64 is required, not true"),
        (("system", "changed"), 1, "system.changed: true or false is required, not 1"),
        (("system", "missing"), "rich", "system.missing: a list of at most 100 items is required"),
        (("parts", "more"), {}, 'parts: unknown key "more"'),
        (("parts", "tests", "seconds"), -1, "parts.tests.seconds: a number from 0 to "),
        (("parts", "tests", "counts", "tests/api", "passed"), 1.5, "parts.tests.counts.tests/api.passed: a number"),
        (("parts", "tests", "counts", "<b>"), {}, "parts.tests.counts: a key like "),
        (("parts", "tests", "failures", 0, "test"), "a\nb", "parts.tests.failures[0].test: a text like "),
        (("parts", "tests", "failures", 0, "message"), "x" * 4001, "a text of at most 4000 characters is required"),
        (("parts", "scenarios", "seen", "../x"), [], "parts.scenarios.seen: a key like "),
        (("parts", "scenarios", "seen", "x"), [["a\nb", 0]], "parts.scenarios.seen.x[0]: a list that begins with a"),
        (("parts", "scenarios", "seen", "x"), [[]], "parts.scenarios.seen.x[0]: a list that begins with a label"),
        (("parts", "scenarios", "seen", "x"), [["recv", 10**30]], "parts.scenarios.seen.x[0][1]: a number from "),
        (("parts", "scenarios", "seen", "x"), [["recv", [[[[[[[0]]]]]]]]], "a value of at most 6 levels"),
        (("parts", "facts", "results", "x"), {"outcome": "good"}, 'parts.facts.results.x: the key "detail" is missing'),
        (("parts", "pairs", "jobs", "signal", "exit_code"), "0", ".exit_code: a number from "),
    ],
)
def test_anything_else_is_refused_with_an_error_that_names_the_place(
    keys: tuple[str | int, ...], to: Any, error: str
) -> None:
    message = error_of(changed(*keys, to=to))
    assert error in message
    assert "\n" not in message
    assert len(message) < 400


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", "not JSON: Expecting value"),
        (b"{", "not JSON: "),
        (b"\xff\xfe", "byte 0 is not ASCII"),
        (b"[" * 100_000, "not JSON: "),
        (b'{"form": NaN}', "not JSON: NaN is not allowed"),
        (b'{"form": ' + b"9" * 10_000 + b"}", "not JSON: "),
        (b"[]", 'not a report: its "form" is missing or another'),
    ],
)
def test_a_file_that_is_no_report_is_one_error(raw: bytes, error: str) -> None:
    with pytest.raises(ReportError, match="^" + error.replace(".", r"\.")):
        form.check(raw)


def test_a_file_that_is_too_large_is_not_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "MOST_BYTES", 10)
    (tmp_path / "large").write_bytes(b"[" * 11)
    with pytest.raises(ReportError, match="the file has more than 10 bytes"):
        form.read(tmp_path / "large")


_KEYS = st.sampled_from(["form", "version", "made", "system", "parts", "tests", "seen", "x"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(place=st.sampled_from(["made", "system", "parts"]), value=_JSON)
def test_no_value_causes_another_exception_than_the_reports_error(place: str, value: Any) -> None:
    with suppress(ReportError):
        form.check(json.dumps(changed(place, to=value)).encode("ascii"))
