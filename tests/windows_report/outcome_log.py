"""A plugin of pytest that writes the outcome of each test to the log that `resuming` explains."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from .resuming import LOG, append, known_items

_LONGEST_MESSAGE = 2000


def _log() -> Path:
    return Path(os.environ[LOG])


def _message(report: Any) -> str:
    """Where and why a test has failed, in short."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = f"{crash.path}:{crash.lineno}: {crash.message}" if crash else report.longreprtext
    return str(text)[:_LONGEST_MESSAGE]


# The outcome of the test that runs, from its phases so far.
_current = {"outcome": "passed", "detail": ""}


def _add(report: Any) -> None:
    if report.outcome == "failed":
        _current.update(outcome="failed" if report.when == "call" else "error", detail=_message(report))
    elif hasattr(report, "wasxfail") and _current["outcome"] == "passed":
        _current["outcome"] = "xfailed" if report.outcome == "skipped" else "xpassed"
    elif report.outcome == "skipped":
        _current["outcome"] = "skipped"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    known = known_items(_log())
    append(_log(), total=len(known | {item.nodeid for item in items}))
    done = [item for item in items if item.nodeid in known]
    items[:] = [item for item in items if item.nodeid not in known]
    config.hook.pytest_deselected(items=done)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed and report.nodeid not in known_items(_log()):
        append(_log(), end=report.nodeid, outcome="error", detail=report.longreprtext[-_LONGEST_MESSAGE:])


def pytest_runtest_logstart(nodeid: str) -> None:
    _current.update(outcome="passed", detail="")
    append(_log(), begin=nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _add(report)


def pytest_runtest_logfinish(nodeid: str) -> None:
    append(_log(), end=nodeid, **_current)


def pytest_sessionfinish(exitstatus: int) -> None:
    if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        append(_log(), finished=True)
