"""What a check has found, and how it is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from winsock.errors import WSAErrorDescript

from .advice import advice_for

__all__ = ["Failure", "Finding", "all_well", "as_json", "as_text", "failure"]


class Finding(NamedTuple):
    """One line of a report: `ok` is False where something is wrong, None where it is only worth knowing."""

    ok: bool | None
    what: str
    found: str
    advice: str = ""
    facts: dict[str, Any] | None = None


class Failure(Exception):
    """A call that failed, with its name and the error's code."""

    def __init__(self, call: str, code: int) -> None:
        super().__init__(f"{call}: {WSAErrorDescript(code)}")
        self.call, self.code = call, code


def failure(what: str, failed: Failure) -> Finding:
    """What is wrong, and what to do about that error."""
    return Finding(False, what, f"{failed}", advice_for(failed.code), {"call": failed.call, "error": failed.code})


def all_well(findings: Sequence[Finding]) -> bool:
    return all(finding.ok is not False for finding in findings)


def as_text(findings: Sequence[Finding]) -> str:
    """A line a finding, with what to do below those that are wrong."""
    marks = {True: "ok", False: "WRONG", None: "note"}
    width = max(len(finding.what) for finding in findings)
    lines = []
    for finding in findings:
        first, *more = finding.found.splitlines()
        lines.append(f"{marks[finding.ok]:<6} {finding.what:<{width}}  {first}")
        lines += [f"       {line}" for line in more]
        lines += [f"       -> {line}" for line in finding.advice.splitlines()]
    return "\n".join(lines)


def as_json(findings: Sequence[Finding]) -> str:
    """One object: ok, and the findings with their facts."""
    told = [
        {"ok": finding.ok, "what": finding.what, "found": finding.found}
        | ({"advice": finding.advice} if finding.advice else {})
        | (finding.facts or {})
        for finding in findings
    ]
    return json.dumps({"ok": all_well(findings), "findings": told})
