"""One child process: how it is ended, and what is read from its lines."""

from __future__ import annotations

import io
import queue

import pytest
from terminal_kit import DATA

from demos.launcher.children import Child, Line
from demos.launcher.log_lines import error_of, listening_port, shortened

BUSY = DATA / "programs" / "busy.py"
FRAGILE = DATA / "programs" / "fragile.py"
LOG_LINE = "2026-01-31T12:00:00.123+01:00 signal_server[EURUSD,H1] info OnTimer start server ok"


def child_of(*arguments: str) -> tuple[Child, queue.Queue[Line]]:
    lines: queue.Queue[Line] = queue.Queue()
    return Child("child", arguments, lines), lines


def test_a_child_that_does_not_end_in_time_is_killed():
    child, lines = child_of("run", str(BUSY))
    child.start()
    while "busy from now on" not in lines.get(timeout=60).text:
        pass
    child.end(grace=0.1)
    assert child.exit_code() not in (None, 0)


def test_a_child_ends_in_order_at_the_end_of_its_input():
    child, lines = child_of("run", str(FRAGILE))
    child.start()
    assert child.pid > 0
    while "random walk" not in lines.get(timeout=60).text:
        pass
    child.end()
    assert child.exit_code() == 0


def test_a_child_that_was_never_started_has_nothing_to_end():
    child, _ = child_of("run")
    child.end()
    assert (child.pid, child.exit_code()) == (0, None)


def test_the_last_error_of_a_child_is_kept_without_its_mark():
    child = Child("server", [], queue.Queue())
    lines = [
        "2026-01-31T12:00:00.123+01:00 signal_server[EURUSD,H1] error OnTimer -Accept failed",
        LOG_LINE,
    ]
    child._read(io.StringIO("\n".join(lines) + "\n"))
    assert child.last_error == "Accept failed"
    child._read(io.StringIO("python -m demos run signal_server: error: no such file\n"))
    assert child.last_error == "no such file"
    child._read(io.StringIO("  File x\nModuleNotFoundError: No module named 'winsock'\n"))
    assert child.last_error == "ModuleNotFoundError: No module named 'winsock'"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("2026-01-31T12:00:00.123+01:00 p[Volatility 75 Index,H1] error OnTimer -it failed", "it failed"),
        ("2026-01-31T12:00:00.123+01:00 terminal error market no data", "no data"),
        ("2026-01-31T12:00:00.123+01:00 p[EURUSD,H1] info OnTimer an error occurs: error: no", None),
        ("2026-01-31T12:00:00.123+01:00 p[EURUSD,H1] alert OnTimer careful", None),
        ("python -m demos run x: error: no such file", "no such file"),
        ("ValueError: x", "ValueError: x"),
        ("  raise ValueError: x", None),
    ],
)
def test_errors_are_recognized_in_log_lines_command_lines_and_tracebacks(text, error):
    assert error_of(text) == error


def test_a_log_line_is_shortened_to_its_time_and_text():
    assert shortened(LOG_LINE) == "12:00:00.123 start server ok"
    blanks = "2026-01-31T12:00:00.123+01:00 p[Volatility 75 Index,H1] info OnTimer a text"
    assert shortened(blanks) == "12:00:00.123 a text"
    assert shortened("done: buy 0.10") == "done: buy 0.10"


def test_the_port_is_read_from_the_line_of_a_server_that_listens():
    assert listening_port(f"{LOG_LINE}, 127.0.0.1:8081") == 8081
    assert listening_port(f"{LOG_LINE}, [::1]:5") == 5
    assert listening_port(LOG_LINE) is None
