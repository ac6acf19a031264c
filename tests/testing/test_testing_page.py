"""notes/testing.md: its files pass, or fail with the report that the page shows."""

from __future__ import annotations

import doctest
import re

import pytest
from plugin_kit import run_with_plugin
from trace_kit import ROOT

from winsock.testing import Peer, RunningPeer

pytest_plugins = ["pytester"]

PAGE = (ROOT / "notes/testing.md").read_text(encoding="utf-8")
# Each file, and the report that follows it: the text block before the next file.
FILES = dict(re.findall(r"^```py\n# (\S+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
REPORTS = dict(
    re.findall(
        r"^```py\n# (\S+)\n(?:(?!^```$).)*^```$(?:(?!^```).)*^```text\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE
    )
)
TESTS = [name for name in FILES if name.startswith("test_")]


def without_numbers(report: str) -> str:
    """The report with the numbers that differ in each run replaced: times, ports on loopback, handles."""
    report = re.sub(r" *\d+\.\d+ s\b", " T s", report)
    report = re.sub(r"local address \S+,", "local address A,", report)
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:P", re.sub(r"\bsocket \d+:", "socket N:", report))


def test_each_block_of_code_is_a_file() -> None:
    assert len(FILES) == len(re.findall(r"^```py$", PAGE, re.MULTILINE))
    assert "ticker.py" in FILES
    assert set(REPORTS) == {"test_request.py", "test_no_server.py", "test_dead_line.py"}


@pytest.mark.parametrize("name", TESTS)
def test_a_test_of_the_page_passes_or_fails_with_the_report_that_follows_it(
    name: str, pytester: pytest.Pytester
) -> None:
    for file in ("ticker.py", name):
        # With the comment that names the file, so that the lines have the numbers of the page.
        pytester.path.joinpath(file).write_text(f"# {file}\n{FILES[file]}", encoding="utf-8")
    result = run_with_plugin(pytester, name)
    assert result.ret == (pytest.ExitCode.TESTS_FAILED if name in REPORTS else pytest.ExitCode.OK)
    if name in REPORTS:
        shown = without_numbers("\n".join(line.rstrip() for line in result.outlines))
        wanted = f"...{without_numbers(REPORTS[name])}..."
        assert doctest.OutputChecker().check_output(wanted, f"{shown}\n", doctest.ELLIPSIS), shown


def test_the_page_describes_every_fixture() -> None:
    plugin = (ROOT / "winsock_pytest.py").read_text(encoding="utf-8")
    fixtures = set(re.findall(r"^@pytest\.fixture\ndef (\w+)", plugin, re.MULTILINE))
    assert {name for name in fixtures if f"`{name}`" in PAGE.partition("## A program")[0]} == fixtures


def test_the_page_describes_every_step_and_no_other() -> None:
    table = PAGE.partition("## The steps")[2].partition("## ")[0]
    described = set(re.findall(r"^\| `(\w+)\(", table, re.MULTILINE))
    methods = {name for name in vars(Peer) if not name.startswith("_")}
    assert described == methods - {"host", "steps", "start"}


def test_the_page_names_attributes_of_a_running_peer() -> None:
    named = re.findall(r"`(address|port|sockaddr|sent|received)`", PAGE)
    assert {"address", "port", "sockaddr", "sent", "received"} <= set(named)
    assert all(hasattr(RunningPeer, name) for name in named)
