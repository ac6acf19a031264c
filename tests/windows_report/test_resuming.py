"""A run continues after an item that ends the process or hangs, and ends every process that it has started."""

from __future__ import annotations

from pathlib import Path

import pytest
from cleanup_kit import closed_after_test
from winsock_kit import bound, port_of

from tests.windows_report import resuming
from tests.windows_report.resuming import results, run_items
from winsock import accept, recv

# A child that works through four items; {0} is what it does in the item "c".
CHILD = """
import os, sys, threading
from pathlib import Path
from tests.windows_report.resuming import LOG, append, known_items
log = Path(os.environ[LOG])
append(log, total=4)
for item in [each for each in "abcd" if each not in known_items(log)]:
    append(log, begin=item)
    if item == "c":
        print("in c", flush=True)
        {0}
    append(log, end=item, outcome="good", detail=0)
append(log, finished=True)
"""


def run(log: Path, in_c: str, silence: float = 60) -> str:
    return run_items(["-c", CHILD.format(in_c)], log, silence, lambda: None)


def outcomes(log: Path) -> dict[str, str]:
    return {item: result["outcome"] for item, result in results(log).items()}


def test_a_child_works_through_all_items(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert run(log, "pass") == ""
    assert outcomes(log) == dict.fromkeys("abcd", "good")
    assert resuming.progress(log, ["good"]) == (4, 4, 4)


def test_the_run_continues_after_an_item_that_ends_the_process(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert run(log, "os._exit(3)") == ""
    assert outcomes(log) == {"a": "good", "b": "good", "c": "ended", "d": "good"}
    assert results(log)["c"]["detail"] == "the process has ended: in c"


def test_the_run_continues_after_an_item_that_hangs(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert run(log, "threading.Event().wait()", silence=3) == ""
    assert outcomes(log) == {"a": "good", "b": "good", "c": "silent", "d": "good"}


def test_an_incomplete_last_line_is_ignored(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert run(log, 'log.open("a").write(\'\\n{"end": "\'); os._exit(3)') == ""
    assert set(outcomes(log)) >= set("abd")


def test_a_child_that_cannot_start_is_reported_once(tmp_path: Path) -> None:
    problem = run_items(["-c", "raise SystemExit('no module')"], tmp_path / "log", 60, lambda: None)
    assert problem.endswith("has ended without a result: no module")


def test_the_number_of_starts_is_limited(tmp_path: Path) -> None:
    code = (
        CHILD.format("pass")
        .replace('"abcd"', "map(str, range(99))")
        .replace('"c"', "item")
        .replace("pass", "os._exit(1)")
    )
    problem = run_items(["-c", code], tmp_path / "log", 60, lambda: None, starts=3)
    assert problem.endswith("ended early 3 times")


def test_a_process_that_is_ended_takes_its_children_with_it(tmp_path: Path, started: None) -> None:
    listener = bound()
    grandchild = (
        "import socket, threading\n"
        f"s = socket.create_connection(('127.0.0.1', {port_of(listener)}))\n"
        "threading.Event().wait()"
    )
    wait = "threading.Event().wait()"
    code = f"import subprocess, sys, threading\nsubprocess.Popen([sys.executable, '-c', {grandchild!r}])\n{wait}"
    output = closed_after_test((tmp_path / "output").open("wb"))
    process = resuming.start(["-c", code], output)
    try:
        client = accept(listener, None, None)
    finally:
        resuming.end(process)
    # The end of the grandchild's connection, by the end of its process: 0 or a reset.
    assert recv(client, bytearray(1), 1, 0) <= 0
    assert process.returncode is not None


TESTS = """
import os, pytest

def test_passed(): pass
def test_failed(): assert 1 == 2
def test_skipped(): pytest.skip("why")

@pytest.mark.xfail(reason="why")
def test_xfailed(): assert False

@pytest.mark.xfail(reason="why")
def test_xpassed(): pass

@pytest.fixture
def broken(): raise OSError("no fixture")

def test_error(broken): pass
def test_ended(): os._exit(1)
def test_passed_at_last(): pass
"""


def test_the_plugin_logs_each_outcome_of_pytest(tmp_path: Path) -> None:
    folder = tmp_path / "suite"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="ascii")
    (folder / "test_some.py").write_text(TESTS, encoding="ascii")
    (folder / "test_unreadable.py").write_text("import no_such_module", encoding="ascii")
    log = tmp_path / "log"
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.windows_report.outcome_log"]
    command += [
        "--continue-on-collection-errors",
        "--rootdir",
        str(folder),
        "-c",
        str(folder / "pytest.ini"),
        str(folder),
    ]
    assert run_items(command, log, 60, lambda: None) == ""
    named = {item.rpartition("::test_")[2].partition(".py")[0]: outcome for item, outcome in outcomes(log).items()}
    assert named.pop("passed_at_last") == "passed"
    assert named.pop("test_unreadable") == "error"
    assert {name: name for name in named} == named
    assert {"passed", "failed", "skipped", "xfailed", "xpassed", "error", "ended"} == named.keys()
    messages = {item.rpartition("::")[2]: str(result["detail"]) for item, result in results(log).items()}
    assert "assert 1 == 2" in messages["test_failed"]
    assert "no fixture" in messages["test_error"]


def test_a_child_writes_utf_8(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    with (tmp_path / "output").open("wb") as output:
        assert resuming.start(["-c", "print('\\xe9')"], output).wait(60) == 0
    assert (tmp_path / "output").read_bytes().decode("utf-8").strip() == "\xe9"
