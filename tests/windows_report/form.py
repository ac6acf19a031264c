"""The file of a report, and the check of one that anybody may have written.

    {"form": FORM, "version": 1, "made": "2026-11-29", "system": {…}, "parts": {…}}

`system` has the versions: see `system.describe`. Each part has `selection` (the names that `--only` has given, [] for
everything), `seconds`, `problem` (what has ended it early, or ""), and its results:

    tests      "counts": {folder: {outcome: number}}, "failures": [{"test", "outcome", "message"}]
    scenarios  "seen": {scenario: [[label, result, …], …]}
    facts      "results": {fact: {"outcome", "detail"}}
    pairs      "jobs": {job: {"exit_code", "seconds", "summary", "last_lines"}}

The check accepts exactly this form, with limits for all sizes. Each error is one message that names the place. Versions
and outcomes have a strict form, so that notes/figures.md can show them. The other texts are free: see `notes.code`.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

FORM = "winsock windows report"
VERSION = 1
PARTS = ("tests", "scenarios", "facts", "pairs")
MOST_BYTES = 16_000_000
_MOST_ITEMS = 20_000
_LONGEST_TEXT = 4_000
_DEEPEST_RESULT = 6

Check = Callable[[str, Any], None]


class ReportError(Exception):
    """What is wrong with a report, in one line."""


def read(path: Path) -> dict[str, Any]:
    """Reads and checks a report.

    Errors: ReportError for a file that is not a report of this version; OSError.
    """
    with path.open("rb") as file:
        raw = file.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise ReportError(f"the file has more than {MOST_BYTES} bytes")
    return check(raw)


def check(raw: bytes) -> dict[str, Any]:
    """The report in these bytes.

    Errors: ReportError.
    """
    try:
        report = json.loads(raw.decode("ascii"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise ReportError(f"byte {error.start} is not ASCII") from None
    except (ValueError, RecursionError) as error:
        raise ReportError(f"not JSON: {_first_line(error)}") from None
    if not isinstance(report, dict) or report.get("form") != FORM:
        raise ReportError('not a report: its "form" is missing or another')
    if report.get("version") != VERSION:
        raise ReportError(f"the report has version {_shown(report.get('version'))}, this command reads {VERSION}")
    _REPORT("", report)
    return report


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not allowed")


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]


def _shown(value: Any) -> str:
    """A value in an error. A list or an object may be too deep for json.dumps."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    return json.dumps(value[:60] if isinstance(value, str) else value)[:60]


def _matches(pattern: str, text: str) -> bool:
    r"""Whether the whole text has this pattern. `\w` and `\d` are ASCII."""
    return re.fullmatch(pattern, text, re.ASCII) is not None


def _fail(where: str, needed: str, value: Any) -> NoReturn:
    raise ReportError(f"{where.lstrip('.') or 'the file'}: {needed} is required, not {_shown(value)}")


def _text(pattern: str = "", longest: int = _LONGEST_TEXT) -> Check:
    def check(where: str, value: Any) -> None:
        if not isinstance(value, str) or len(value) > longest:
            _fail(where, f"a text of at most {longest} characters", value)
        if pattern and not _matches(pattern, value):
            _fail(where, f"a text like {pattern}", value)

    return check


def _number(most: float, least: float = 0, whole: bool = True) -> Check:
    def check(where: str, value: Any) -> None:
        kinds = (int,) if whole else (int, float)
        # Infinity is not in the range either. A comparison of an integer of any size cannot overflow.
        if type(value) not in kinds or not least <= value <= most:
            _fail(where, f"a number from {least} to {most}", value)

    return check


def _or_null(other: Check) -> Check:
    def check(where: str, value: Any) -> None:
        if value is not None:
            other(where, value)

    return check


def _flag(where: str, value: Any) -> None:
    if type(value) is not bool:
        _fail(where, "true or false", value)


def _date(where: str, value: Any) -> None:
    _text(r"\d{4}-\d{2}-\d{2}")(where, value)
    try:
        made = datetime.date.fromisoformat(value)
    except ValueError:
        _fail(where, "a date", value)
    # Where the report was made, the next day may have begun.
    if made > datetime.date.today() + datetime.timedelta(days=1):
        _fail(where, "a date that is not in the future", value)


def _list(of: Check, most: int = _MOST_ITEMS) -> Check:
    def check(where: str, value: Any) -> None:
        if not isinstance(value, list) or len(value) > most:
            _fail(where, f"a list of at most {most} items", value)
        for index, item in enumerate(value):
            of(f"{where}[{index}]", item)

    return check


def _mapping(key: str, of: Check, most: int = _MOST_ITEMS) -> Check:
    """An object whose keys have this pattern."""

    def check(where: str, value: Any) -> None:
        if not isinstance(value, dict) or len(value) > most:
            _fail(where, f"an object of at most {most} items", value)
        for name, item in value.items():
            if not _matches(key, name):
                _fail(where, f"a key like {key}", name)
            of(f"{where}.{name}", item)

    return check


def _record(optional: tuple[str, ...] = (), **fields: Check) -> Check:
    """An object with these keys; some may be missing."""

    def check(where: str, value: Any) -> None:
        if not isinstance(value, dict):
            _fail(where, "an object", value)
        _compare_keys(where, value, fields, optional)
        for name, item in value.items():
            fields[name](f"{where}.{name}", item)

    return check


def _compare_keys(where: str, value: Mapping[str, Any], fields: Mapping[str, Check], optional: tuple[str, ...]) -> None:
    unknown = sorted(value.keys() - fields.keys())
    missing = sorted(fields.keys() - value.keys() - {*optional})
    place = where.lstrip(".") or "the file"
    if unknown:
        raise ReportError(f"{place}: unknown key {_shown(unknown[0])}")
    if missing:
        raise ReportError(f"{place}: the key {_shown(missing[0])} is missing")


def _result(where: str, value: Any, depth: int = 0) -> None:
    """A result as the recordings have it: JSON of limited size."""
    if depth > _DEEPEST_RESULT:
        _fail(where, f"a value of at most {_DEEPEST_RESULT} levels", "…")
    if isinstance(value, list):
        _list(lambda place, item: _result(place, item, depth + 1), 100)(where, value)
    elif isinstance(value, dict):
        _mapping(r"\w{1,40}", lambda place, item: _result(place, item, depth + 1), 100)(where, value)
    elif isinstance(value, str):
        _text()(where, value)
    elif value is not None and not isinstance(value, bool):
        _number(2.0**64, -(2.0**64), whole=False)(where, value)


def _observation(where: str, value: Any) -> None:
    """[label, result, …], as the recordings have it."""
    _list(_result, 100)(where, value)
    if not value or not isinstance(value[0], str) or not _matches(r"[ -~]{1,120}", value[0]):
        _fail(where, "a list that begins with a label", value)


_NAME = r"\w{1,120}"
# Versions, as `platform`, WSAStartup, Wine and this project write them.
_PYTHON = r"3\.\d{1,2}\.\d{1,3}((a|b|rc)\d{1,3})?\+?"
_WINE = r"\d{1,3}(\.\d{1,3}){1,2}(-rc\d{1,3})?( \(\w{1,20}\))?(-\d{1,6}-g[0-9a-f]{6,40})?"
_OWN_VERSION = r"\d{1,4}(\.\d{1,4}){1,3}((a|b|rc|\.dev|\.post)\d{1,4})?"
_SYSTEM = _record(
    windows=_text(r"Windows (Server|\d{1,2}) \(\d{1,4}\.\d{1,4}\.\d{1,6}\)"),
    wine=_or_null(_text(_WINE)),
    winsock_dll=_text(r"WinSock \d{1,2}\.\d{1,2}|WSAStartup fails"),
    machine=_text(r"\w{0,20}"),
    python=_text(_PYTHON),
    implementation=_text(r"\w{1,20}"),
    bits=_number(64),
    winsock=_text(_OWN_VERSION),
    commit=_or_null(_text(r"[0-9a-f]{40,64}")),
    changed=_or_null(_flag),
    missing=_list(_text(r"[\w-]{1,60}"), 100),
)
_COMMON: dict[str, Check] = {
    "selection": _list(_text(longest=200), 100),
    "seconds": _number(1e6, whole=False),
    "problem": _text(),
}
# "ended" and "silent" are outcomes of an item that did not end: see `resuming`.
_TEST_OUTCOME = "passed|failed|error|skipped|xfailed|xpassed|ended|silent"
_FACT_OUTCOME = "as on Windows|different|skipped|ended|silent"
_FAILURE = _record(test=_text(r"[ -~]{1,500}"), outcome=_text(_TEST_OUTCOME), message=_text())
_JOB = _record(
    ("last_lines",),
    exit_code=_or_null(_number(2**32, -(2**31))),
    seconds=_number(1e6, whole=False),
    summary=_mapping(_NAME, _result, 50),
    last_lines=_list(_text(longest=400), 50),
)
_PARTS = _record(
    PARTS,
    tests=_record(
        **_COMMON,
        counts=_mapping(r"[\w./-]{1,200}", _mapping(_TEST_OUTCOME, _number(1e6), 20), 500),
        failures=_list(_FAILURE),
    ),
    scenarios=_record(**_COMMON, seen=_mapping(_NAME, _list(_observation, 500))),
    facts=_record(**_COMMON, results=_mapping(_NAME, _record(outcome=_text(_FACT_OUTCOME), detail=_result))),
    pairs=_record(**_COMMON, jobs=_mapping(r"[\w -]{1,40}", _JOB, 50)),
)
_REPORT = _record(form=_text(), version=_number(1000), made=_date, system=_SYSTEM, parts=_PARTS)
