"""The runner of all jobs: with a child that fails, is killed, is restarted, and ends when its parent does."""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from interruption_kit import late_signal
from terminal_kit import DATA, ROOT, wait_for

from demos.launcher import runner
from demos.launcher.children import MOST_FAILURES, MOST_PORT_FAILURES, MOST_RESTARTS, PORT_PAUSE, Child, Line
from demos.launcher.job import Job, run_job
from demos.launcher.runner import JobError, Runner
from demos.launcher.views import PlainView
from demos.terminal.runtime.clock import ManualClock

PROGRAMS = DATA / "programs"
FRAGILE = PROGRAMS / "fragile.py"
TINY = PROGRAMS / "tiny_job.py"


class Recorder:
    """A job's side of the runner: it notes what it is given."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.events: list[str] = []

    def take_line(self, child: Child, text: str) -> None:
        self.lines.append(text)
        if text.endswith("OnInit ready"):
            child.ready = True

    def take_event(self, child: Child, event: Any) -> None:
        self.events.append(event["kind"])

    def refresh(self, now: float) -> None:
        self.refreshed = now

    def has(self, text: str, count: int = 1) -> bool:
        return sum(text in line for line in self.lines) >= count


class Bench:
    """A runner, its recorder and what its view shows."""

    closed = False

    def __init__(self, folder: Path) -> None:
        self.job, self.stream = Recorder(), io.StringIO()
        self.runner = Runner(folder, ("child",), PlainView(self.stream), self.job)

    def start(self, *, restart: bool = False) -> Child:
        self.runner.start("child", ["run", str(FRAGILE), "--speed=max", "--seed=1"], restart=restart)
        return self.runner.children["child"]

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.runner.close(10.0)

    def wait_for(self, text: str, count: int = 1) -> None:
        assert self.runner.wait_until(lambda: self.job.has(text, count), math.inf)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


@pytest.mark.posix_only(reason="Windows has no timer that interrupts a call")
def test_a_wait_for_silent_children_ends_although_a_signal_handler_takes_long(bench):
    with late_signal(seconds=0.2) as handled:
        assert bench.runner.wait_until(lambda: len(handled) > 0, math.inf)


def test_the_job_gets_lines_and_events_and_the_view_the_lines(bench):
    child = bench.start()
    bench.wait_for("OnInit ready")
    assert bench.runner.wait_until(lambda: "started" in bench.job.events, math.inf)
    bench.runner.send_command("child", "buy 0.03")
    bench.wait_for("done: buy 0.03")
    bench.runner.end(["child"], 10.0)
    assert child.exit_code() == 0
    bench.close()
    assert bench.job.events == ["started", "deal"]
    assert bench.job.refreshed == math.inf
    shown = bench.stream.getvalue()
    assert f"job | child is process {child.pid}\n" in shown
    assert "job | child: buy 0.03\n" in shown
    assert "info OnDeinit deinit\n" in shown


def test_the_job_has_the_last_lines_of_a_child_that_it_has_ended(bench):
    bench.start()
    bench.wait_for("OnInit ready")
    bench.runner.end(["child"], 10.0)
    assert bench.job.has("OnDeinit deinit")


def test_a_child_that_dies_of_a_defect_is_restarted(bench):
    child = bench.start(restart=True)
    bench.wait_for("OnInit ready")
    first = child.pid
    bench.runner.send_command("child", "buy 0.01")
    bench.wait_for("OnInit ready", 2)
    assert child.pid != first
    assert (child.restarts, child.failures, child.exit_code()) == (1, 0, None)
    assert "job | child ended with exit code 1 and is started again\n" in bench.stream.getvalue()


def test_a_child_that_is_not_to_be_restarted_ends_the_job(bench):
    bench.start()
    bench.wait_for("OnInit ready")
    bench.runner.send_command("child", "buy 0.01")
    with pytest.raises(JobError, match=r"^child ended with exit code 1$") as caught:
        bench.wait_for("never")
    assert caught.value.code == 1


def test_a_child_that_fails_for_a_reason_of_its_own_ends_the_job_and_its_error_is_shown_once(bench):
    bench.start(restart=True)
    bench.wait_for("OnInit ready")
    bench.runner.send_command("child", "buy 0.02")
    with pytest.raises(JobError, match=r"^child ended with exit code 4: a fatal failure$") as caught:
        bench.wait_for("never")
    assert caught.value.code == 4
    bench.close()
    # run_job() prints it; the child's own line would say the same.
    assert "a fatal failure" not in bench.stream.getvalue()


class Standing:
    """A child whose exit code a test sets."""

    name = "client1"
    last_error = "why"
    pid = 4711
    may_end = False

    def __init__(self, code: int | None, *, restart: bool = True) -> None:
        self.code, self.restart = code, restart
        self.ready = False
        self.starts = self.restarts = self.failures = 0
        self.restart_at = -math.inf
        self.may_fail = self.has_failed = False

    def exit_code(self) -> int | None:
        return self.code

    def start(self) -> None:
        self.starts += 1

    def end(self) -> None:
        pass


def test_a_child_that_was_killed_is_restarted_once(bench):
    child: Any = Standing(-9)
    bench.runner.check(child)
    assert (child.starts, child.restarts) == (1, 1)
    child.code = None
    bench.runner.check(child)
    assert child.starts == 1


def test_a_restarted_server_waits_a_limited_time_for_a_port_that_another_process_has_taken(bench, monkeypatch):
    clock = ManualClock()
    monkeypatch.setattr(bench.runner, "clock", clock)
    child: Any = Standing(-9)
    child.ready = True
    bench.runner.check(child)
    child.code, child.ready = 3, False
    for attempt in range(2, MOST_PORT_FAILURES + 1):
        bench.runner.check(child)
        assert child.starts == attempt
        # No second start before the pause is over.
        clock.time += 0.9 * PORT_PAUSE
        bench.runner.check(child)
        assert child.starts == attempt
        clock.time += 0.1 * PORT_PAUSE
    with pytest.raises(JobError, match="client1 ended with exit code 3: why") as caught:
        bench.runner.check(child)
    assert caught.value.code == 3


@pytest.mark.posix_only(reason="an exit code below 0 is the number of a signal")
def test_the_end_of_a_killed_child_names_the_signal_and_no_earlier_error(bench):
    with pytest.raises(JobError) as caught:
        bench.runner.check(Standing(-9, restart=False))
    assert str(caught.value) == "client1 ended with exit code -9 (killed by SIGKILL)"


def test_an_invalid_event_ends_the_job_with_one_clear_line(bench, tmp_path):
    (tmp_path / "child.jsonl").write_bytes(b"no event\n")
    with pytest.raises(JobError, match="child has written an invalid event: b'no event'") as caught:
        bench.runner.take_events()
    assert caught.value.code == 4
    (tmp_path / "child.jsonl").write_bytes(b"")


@pytest.mark.parametrize("code", [2, 3, 4])
def test_a_fatal_exit_code_is_the_jobs_exit_code(bench, code):
    with pytest.raises(JobError, match=f"client1 ended with exit code {code}: why") as caught:
        bench.runner.check(Standing(code))
    assert caught.value.code == code


@pytest.mark.parametrize("code", [2, 3, 4])
def test_a_child_that_may_fail_does_not_end_the_job_and_is_not_started_again(bench, code):
    child: Any = Standing(code)
    child.may_fail = True
    for _ in range(3):
        bench.runner.check(child)
    assert child.has_failed
    assert child.starts == 0
    assert bench.stream.getvalue().count(f"client1 ended with exit code {code}; the job continues without it") == 1


def test_a_child_that_may_fail_is_restarted_until_its_restarts_are_used_up(bench):
    child: Any = Standing(-9)
    child.may_fail = True
    for _ in range(MOST_FAILURES):
        bench.runner.check(child)
    assert child.starts == MOST_FAILURES - 1
    assert child.has_failed


def test_exit_code_0_is_a_failure_unless_the_child_may_end(bench):
    child: Any = Standing(0, restart=False)
    with pytest.raises(JobError, match="client1 ended with exit code 0"):
        bench.runner.check(child)
    child.may_end = True
    bench.runner.check(child)


def test_the_number_of_restarts_is_limited(bench):
    child: Any = Standing(1)
    for _ in range(MOST_RESTARTS):
        child.ready = True
        bench.runner.check(child)
    with pytest.raises(JobError) as caught:
        bench.runner.check(child)
    assert caught.value.code == 1


def test_a_child_that_never_becomes_ready_ends_the_job_soon(bench):
    child: Any = Standing(1)
    for _ in range(MOST_FAILURES - 1):
        bench.runner.check(child)
    with pytest.raises(JobError, match="client1 ended with exit code 1: why"):
        bench.runner.check(child)


def test_a_wait_ends_late_with_an_error_if_that_is_a_failure_and_at_once_when_the_job_is_stopped(bench):
    with pytest.raises(JobError, match="too late") as caught:
        bench.runner.wait_until(lambda: False, 0.01, "too late", code=3)
    assert caught.value.code == 3
    assert bench.runner.wait_until(lambda: False, 0.01) is False
    assert bench.runner.wait_until(lambda: True, 0.0, "not late") is True
    bench.runner.stop()
    assert bench.runner.wait_until(lambda: False, 1000, "not waited for") is False


def test_the_time_to_start_begins_again_when_a_child_says_that_it_reads_its_file(bench, monkeypatch):
    clock = ManualClock()
    monkeypatch.setattr(bench.runner, "clock", clock)
    child = bench.runner.children["child"] = Child("child", (), bench.runner._lines)
    turns: list[float] = []

    def turn() -> None:
        turns.append(clock.time)
        clock.time += 20.0
        if len(turns) <= 3:
            bench.runner._take_line(Line("child", f"2026-01-01T00:00:00.000 terminal info market reading x: {turns}"))

    monkeypatch.setattr(bench.runner, "_turn", turn)
    for starting, expected in ((False, 2), (True, 5)):
        turns.clear()
        with pytest.raises(JobError, match="too late"):
            bench.runner.wait_until(lambda: False, 30.0, "too late", starting=starting)
        assert len(turns) == expected
    bench.runner.children.clear()
    assert child.exit_code() is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGSTOP")
def test_a_frozen_child_ends_the_job_with_its_name_and_is_killed(bench, monkeypatch):
    monkeypatch.setattr(runner, "SILENT_TIME", 0.05)
    monkeypatch.setattr(runner, "ANSWER_TIME", 0.2)
    child = bench.start()
    bench.wait_for("OnInit ready")
    os.kill(child.pid, signal.SIGSTOP)
    with pytest.raises(JobError) as caught:
        bench.wait_for("never")
    assert str(caught.value) == f"child (process {child.pid}) does not answer"
    assert caught.value.code == 3
    # It is not waited for: this would be forever.
    bench.closed = True
    bench.runner.close(math.inf)
    assert child.exit_code() == -signal.SIGKILL


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGSTOP")
def test_a_child_that_is_frozen_before_its_first_line_ends_the_job_with_its_name(bench, monkeypatch):
    monkeypatch.setattr(runner, "STARTING_TIME", 0.2)
    monkeypatch.setattr(runner, "ANSWER_TIME", 0.2)
    child = bench.start()
    os.kill(child.pid, signal.SIGSTOP)
    with pytest.raises(JobError, match=rf"child \(process {child.pid}\) does not answer"):
        bench.wait_for("never")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGSTOP")
def test_the_time_in_which_the_job_itself_was_stopped_does_not_count_as_a_childs_silence(bench, monkeypatch):
    monkeypatch.setattr(runner, "SILENT_TIME", 0.01)
    child = bench.start()
    bench.wait_for("OnInit ready")
    os.kill(child.pid, signal.SIGSTOP)
    assert bench.runner.wait_until(lambda: child.asked_at is not None, math.inf)
    clock, turns = bench.runner.clock, []

    def four_turns() -> bool:
        if len(turns) == 2:
            monkeypatch.setattr(bench.runner, "clock", ManualClock(clock.monotonic() + 60.0))
        turns.append(bench.runner.clock.monotonic())
        return len(turns) > 4

    assert bench.runner.wait_until(four_turns, math.inf)
    os.kill(child.pid, signal.SIGCONT)
    assert not child.frozen


def test_a_silent_child_that_answers_is_not_frozen_and_the_answer_is_not_shown(bench, monkeypatch):
    monkeypatch.setattr(runner, "SILENT_TIME", 0.01)
    monkeypatch.setattr(runner, "ANSWER_TIME", 1000.0)
    child = bench.start()
    bench.wait_for("OnInit ready")
    count = len(bench.job.lines)
    asked = []
    assert bench.runner.wait_until(lambda: asked.append(child.asked_at) or len({*asked} - {None}) > 3, math.inf)
    assert not child.frozen
    bench.close()
    assert not any("unknown command" in line for line in bench.job.lines[count:])
    assert "unknown command" not in bench.stream.getvalue()


@contextmanager
def tiny(*arguments: object, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """The job of tiny_job.py as a process."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    command = [sys.executable, str(TINY), *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, text=True, encoding="utf-8", **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def child_pid(process: subprocess.Popen[str]) -> int:
    return int(wait_for(process.stderr, "child is process ").split()[-1])


def kill(pid: int) -> None:
    # On Windows SIGTERM is TerminateProcess, as abrupt as SIGKILL is elsewhere.
    os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))


@pytest.mark.posix_only(reason="a named pipe is a file that can be waited for")
def test_when_the_job_is_killed_its_children_end_in_order(tmp_path):
    mark = tmp_path / "mark"
    os.mkfifo(mark)
    with tiny("--mark", mark) as process:
        wait_for(process.stderr, "OnInit ready")
        process.kill()
        process.wait()
        # The child opens the pipe in its OnDeinit; until then this waits.
        mark.open("rb").close()


@pytest.mark.posix_only(reason="Ctrl-C cannot be sent to one process on Windows")
def test_ctrl_c_ends_a_job_in_order_with_its_summary():
    with tiny("--json") as process:
        wait_for(process.stderr, "OnInit ready")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert json.loads(output) == {"restarts": 0, "problem": None}
    assert "OnDeinit deinit" in errors
    assert "Traceback" not in errors


@pytest.mark.posix_only(reason="Ctrl-C cannot be sent to one process on Windows")
def test_a_second_ctrl_c_is_exit_code_130_without_a_traceback_and_the_child_ends_all_the_same(tmp_path):
    mark = tmp_path / "mark"
    os.mkfifo(mark)
    with tiny("--mark", mark) as process:
        wait_for(process.stderr, "OnInit ready")
        process.send_signal(signal.SIGINT)
        # The child waits in its OnDeinit for this end of the pipe, so the job waits for the child.
        os.set_blocking(process.stderr.fileno(), True)
        process.send_signal(signal.SIGINT)
        mark.open("rb").close()
        _, errors = process.communicate()
    assert process.returncode in (0, 130), errors
    assert "Traceback" not in errors


@pytest.mark.posix_only(reason="Windows has no such signals for one process")
@pytest.mark.parametrize("number", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_a_job_in_order_and_removes_its_temporary_files(tmp_path, number):
    with tiny("--json", env={**os.environ, "TMPDIR": str(tmp_path)}) as process:
        wait_for(process.stderr, "OnInit ready")
        assert list(tmp_path.iterdir())
        process.send_signal(getattr(signal, number))
        output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert json.loads(output) == {"restarts": 0, "problem": None}
    assert "OnDeinit deinit" in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGBREAK" if sys.platform == "win32" else "SIGHUP"])
def test_a_signal_while_a_job_prepares_its_files_removes_them_and_is_exit_code_130(name, tmp_path, monkeypatch, capsys):
    class PreparingJob(Job):
        command = "tiny"
        names = ()
        run = tables = summary = summary_text = None

        def prepare(self, folder: Path, stack: Any) -> None:
            (folder / "key.pem").touch()
            signal.raise_signal(getattr(signal, name))

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = signal.getsignal(getattr(signal, name))
    assert run_job(PreparingJob(argparse.Namespace(json=False))) == 130
    assert signal.getsignal(getattr(signal, name)) is before
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == "python -m demos tiny: error: interrupted\n"


def test_a_killed_child_is_restarted_and_counted():
    with tiny("--json") as process:
        kill(child_pid(process))
        child_pid(process)
        wait_for(process.stderr, "OnInit ready")
        if sys.platform != "win32":
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate()
            assert process.returncode == 0, errors
            assert json.loads(output)["restarts"] == 1


@pytest.mark.posix_only(reason="TerminateProcess gives the exit code 1 of a failure, as no signal does")
def test_a_child_killed_again_and_again_is_a_problem_in_the_json_line_and_on_standard_error():
    with tiny("--json") as process:
        errors = ""
        for line in process.stderr:
            errors += line
            if "child is process" in line:
                kill(int(line.rsplit(maxsplit=1)[1]))
        output = process.stdout.read()
        assert process.wait() == 1
    problem = json.loads(output)["problem"]
    assert problem.startswith("child ended with exit code -9")
    assert errors.splitlines()[-1] == f"python -m demos tiny: error: {problem}"
    assert "Traceback" not in errors


@pytest.mark.posix_only(reason="Ctrl-C cannot be sent to one process on Windows")
def test_a_closed_standard_output_is_one_line_and_exit_code_4():
    with tiny() as process:
        process.stdout.close()
        wait_for(process.stderr, "OnInit ready")
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
        assert process.wait() == 4, errors
    assert "error: standard output cannot be written: " in errors.splitlines()[-1]
    assert "Traceback" not in errors


@pytest.mark.posix_only(reason="Ctrl-C cannot be sent to one process on Windows")
def test_when_nobody_reads_standard_error_the_job_ends_with_exit_code_4_and_no_child_is_left(tmp_path):
    mark = tmp_path / "mark"
    os.mkfifo(mark)
    with tiny("--mark", mark) as process:
        wait_for(process.stderr, "OnInit ready")
        process.stderr.close()
        process.send_signal(signal.SIGINT)
        mark.open("rb").close()
        assert process.wait() == 4
