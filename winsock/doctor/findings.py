"""The result of a check, and how results are printed as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from winsock.command_line import printable
from winsock.errors import WSAErrorDescript

from .advice import advice_for

__all__ = ["Failure", "Finding", "all_well", "as_json", "as_text", "failure"]

# The width of the column with the names of the checked things; longer names are not cut.
_MAX_WIDTH = 40


class Finding(NamedTuple):
    """The result of one check: `ok` is False if something is wrong, and None if it is only information.

    `what` names the thing that was checked, `found` is the result in words, `advice` says what to do, and `facts` are
    the additional keys of the JSON object.
    """

    ok: bool | None
    what: str
    found: str
    advice: str = ""
    facts: dict[str, Any] | None = None


class Failure(Exception):
    """A Winsock call failed: `call` is its name, `code` the error code."""

    def __init__(self, call: str, code: int) -> None:
        super().__init__(f"{call}: {WSAErrorDescript(code)}")
        self.call, self.code = call, code


def failure(what: str, failed: Failure) -> Finding:
    """The finding for a failed call, with the advice for its error."""
    return Finding(False, what, f"{failed}", advice_for(failed.code), {"call": failed.call, "error": failed.code})


def all_well(findings: Sequence[Finding]) -> bool:
    """Whether no finding reports something wrong."""
    return all(finding.ok is not False for finding in findings)


def as_text(findings: Sequence[Finding]) -> str:
    """One line per finding, followed by its advice; characters that are not printable are escaped."""
    marks = {True: "ok", False: "WRONG", None: "note"}
    width = min(max(len(finding.what) for finding in findings), _MAX_WIDTH)
    lines = []
    for finding in findings:
        first, *more = finding.found.splitlines()
        lines.append(f"{marks[finding.ok]:<6} {printable(finding.what):<{width}}  {first}")
        lines += [f"       {line}" for line in more]
        lines += [f"       -> {line}" for line in finding.advice.splitlines()]
    return printable("\n".join(lines), keep="\n")


def as_json(findings: Sequence[Finding]) -> str:
    """One JSON object: `ok`, and `findings` with the facts of each."""
    objects = [
        {"ok": finding.ok, "what": finding.what, "found": finding.found}
        | ({"advice": finding.advice} if finding.advice else {})
        | (finding.facts or {})
        for finding in findings
    ]
    return json.dumps({"ok": all_well(findings), "findings": objects})
