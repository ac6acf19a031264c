"""The check of a report, which anybody may have written: it accepts the documented form and nothing else."""

from __future__ import annotations

import copy
import datetime
import json
from collections.abc import Iterator
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


def changed(*keys: str | int, to: Any, report: dict[str, Any] = REPORT) -> dict[str, Any]:
    """The report with one value replaced; `to` is ... to remove it."""
    report = copy.deepcopy(report)
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
        (("made",), "9999-99-99", 'made: a date is required, not "9999-99-99"'),
        (("made",), "2023-02-29", 'made: a date is required, not "2023-02-29"'),
        (("made",), "0000-01-01", 'made: a date is required, not "0000-01-01"'),
        (("made",), "9999-12-31", 'made: a date that is not in the future is required, not "9999-12-31"'),
        (("made",), ..., 'the file: the key "made" is missing'),
        (("more",), 1, 'the file: unknown key "more"'),
        (("system", "windows"), "Linux", "system.windows: a text like Windows "),
        (("system", "windows"), "Windows 11 (10.0.1) | x", "system.windows: a text like Windows "),
        (("system", "python"), "[3](https://x)", "system.python: a text like "),
        (("system", "python"), "www.evil.example/x", "system.python: a text like "),
        (("system", "python"), "3.12.www.evil.example", "system.python: a text like "),
        (("system", "wine"), "", "system.wine: a text like "),
        (("system", "wine"), "www.evil.example", "system.wine: a text like "),
        (("system", "winsock_dll"), "www.evil.example", "system.winsock_dll: a text like "),
        (("system", "machine"), "evil.example", "system.machine: a text like "),
        (("system", "implementation"), "evil.example", "system.implementation: a text like "),
        (("system", "winsock"), "0.1.www.evil.example", "system.winsock: a text like "),
        (("system", "missing"), ["www.evil.example"], "system.missing[0]: a text like "),
        (("system", "commit"), "HEAD", "system.commit: a text like "),
        (("system", "bits"), True, "system.bits: a number from 0 to 64 is required, not true"),
        (("system", "changed"), 1, "system.changed: true or false is required, not 1"),
        (("system", "missing"), "rich", "system.missing: a list of at most 100 items is required"),
        (("parts", "more"), {}, 'parts: unknown key "more"'),
        (("parts", "tests", "seconds"), -1, "parts.tests.seconds: a number from 0 to "),
        (("parts", "tests", "counts", "tests/api", "passed"), 1.5, "parts.tests.counts.tests/api.passed: a number"),
        (("parts", "tests", "counts", "<b>"), {}, "parts.tests.counts: a key like "),
        (("parts", "tests", "counts", "tests/api"), {"good": 1}, "parts.tests.counts.tests/api: a key like "),
        (("parts", "tests", "failures", 0, "outcome"), "good", "parts.tests.failures[0].outcome: a text like "),
        (("parts", "facts", "results", "x"), {"outcome": "good", "detail": 0}, "parts.facts.results.x.outcome: a text"),
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


def places(value: Any, *keys: str | int) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Each place in a report with its value."""
    yield keys, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, *keys, key)


# A report with each kind of value once.
SMALL = made_up_report()
for part, key in (("scenarios", "seen"), ("facts", "results")):
    (name, item), *_ = SMALL["parts"][part][key].items()
    SMALL["parts"][part][key] = {name: item}
SMALL["parts"]["facts"]["results"] |= {"with_a_number": {"outcome": "different", "detail": [1, 1.5, {"x": 2}]}}


@pytest.mark.parametrize("number", [10**400, -(10**400), 10**4000, 1e308, -1e308])
def test_a_number_of_any_size_is_one_error_in_every_place(number: float) -> None:
    numbers = [keys for keys, value in places(SMALL) if type(value) in (int, float)]
    assert {"version", "seconds", "bits", "passed", "exit_code", "trades", "x", 0} <= {keys[-1] for keys in numbers}
    for keys in numbers:
        with pytest.raises(ReportError) as raised:
            form.check(json.dumps(changed(*keys, to=number, report=SMALL)).encode("ascii"))
        assert len(str(raised.value)) < 400


@pytest.mark.parametrize("value", ["x" * 5_000, ["x"] * 21_000, {f"x{n}": 1 for n in range(21_000)}])
def test_every_text_list_and_object_has_a_limit(value: Any) -> None:
    for keys, found in places(SMALL):
        if type(found) is type(value):
            with pytest.raises(ReportError) as raised:
                form.check(json.dumps(changed(*keys, to=value, report=SMALL) if keys else value).encode("ascii"))
            assert len(str(raised.value)) < 400


def test_an_infinite_number_is_refused() -> None:
    raw = json.dumps(changed("parts", "tests", "seconds", to=12345.5)).replace("12345.5", "1e999")
    with pytest.raises(ReportError, match=r"parts\.tests\.seconds: a number from 0 to "):
        form.check(raw.encode("ascii"))


def test_a_value_that_is_as_deep_as_json_allows_is_one_error() -> None:
    raw = json.dumps(changed("system", "bits", to=12345, report=SMALL))
    for depth in range(100, 20_000, 10):
        with pytest.raises(ReportError) as raised:
            form.check(raw.replace("12345", "[" * depth + "]" * depth).encode("ascii"))
        if str(raised.value).startswith("not JSON"):
            return
        assert str(raised.value) == "system.bits: a number from 0 to 64 is required, not a list"


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (("made",), "\u0662\u0660\u0662\u0664-11-29"),
        (("system", "windows"), "Windows 1\u0661 (10.0.22631)"),
        (("system", "windows"), "Windows 11 (10.0.22\uff1631)"),
        (("system", "python"), "3.1\u0662.4"),
        (("system", "machine"), "\u0410MD64"),
        (("system", "implementation"), "CP\u0443thon"),
        (("system", "missing"), ["ri\u0441h"]),
    ],
)
def test_letters_and_digits_of_other_scripts_are_refused(keys: tuple[str, ...], text: Any) -> None:
    assert f"{'.'.join(keys)}" in error_of(changed(*keys, to=text))


@pytest.mark.parametrize(("part", "key"), [("tests", "counts"), ("scenarios", "seen"), ("facts", "results")])
def test_names_of_other_scripts_are_refused(part: str, key: str) -> None:
    assert f"parts.{part}.{key}: a key like " in error_of(changed("parts", part, key, to={"tests\u0430": {}}))


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("python", "3.14.0rc2"), ("python", "3.13.0a1"), ("python", "3.12.4+"), ("wine", "10.0"), ("wine", "9.0-rc1"),
        ("wine", "9.0.1"), ("wine", "10.0 (Staging)"), ("wine", "9.22-101-gabcdef0"), ("winsock", "1.2.3rc1"),
        ("winsock_dll", "WSAStartup fails"), ("machine", "ARM64"), ("implementation", "PyPy"),
        ("missing", ["pytest-timeout"]), ("windows", "Windows Server (10.0.20348)"),
    ],
)  # fmt: skip
def test_the_versions_that_systems_report_are_accepted(field: str, text: Any) -> None:
    form.check(json.dumps(changed("system", field, to=text)).encode("ascii"))


def test_a_report_may_be_made_where_the_next_day_has_begun() -> None:
    today = datetime.date.today()
    form.check(json.dumps(changed("made", to=(today + datetime.timedelta(days=1)).isoformat())).encode("ascii"))
    later = (today + datetime.timedelta(days=3)).isoformat()
    assert "made: a date that is not in the future is required" in error_of(changed("made", to=later))


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
