"""The log file: its size is limited, and no failure of it ends the program or is reported twice."""

from __future__ import annotations

import errno
import io
import os
import stat
from contextlib import closing
from pathlib import Path

import pytest
from terminal_kit import FOLLOWER, demos

from demos.terminal.runtime import log_file
from demos.terminal.runtime.clock import ManualClock
from demos.terminal.runtime.log import Log
from demos.terminal.runtime.log_file import RENAME_RETRY, RETRY, LogFile, older_files

FULL = Path("/dev/full")


class Bench:
    """A log on a stream and in a file of at most 1000 bytes, with two older files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = ManualClock()
        self.stream = io.StringIO()
        self.file = LogFile(self.clock, path, 1, 2)
        self.log = Log(self.clock, self.stream, file=self.file.write)

    def write(self, text: str) -> None:
        self.log.write("probe", "info", "OnTimer", text)

    def texts(self, path: Path | None = None) -> list[str]:
        """The texts in the file, or in another one."""
        lines = (path or self.path).read_text(encoding="utf-8").splitlines()
        return [line.split(" ", 4)[4] for line in lines if line]

    @property
    def alerts(self) -> list[str]:
        """The problems that were reported on the stream."""
        return [line.split(" ", 4)[4] for line in self.stream.getvalue().splitlines() if " alert log " in line]

    def wait(self, seconds: float) -> None:
        self.clock.wait(seconds)


@pytest.fixture
def loose_umask():
    """A process whose new files everybody could read."""
    previous = os.umask(0o022)
    yield
    os.umask(previous)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log_file, "_MEGABYTE", 1000)
    made = Bench(tmp_path / "program.log")
    with closing(made.file):
        yield made


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.posix_only(reason="modes of files")
def test_only_the_owner_can_read_a_new_file_and_an_existing_one_keeps_its_mode(bench, loose_umask):
    bench.write("first")
    assert mode_of(bench.path) == 0o600
    bench.path.chmod(0o640)
    bench.write("second")
    assert mode_of(bench.path) == 0o640


@pytest.mark.posix_only(reason="modes of files")
def test_the_file_after_a_full_one_has_its_mode(bench, loose_umask):
    bench.write("x" * 800)
    bench.write("y" * 800)
    assert [mode_of(path) for path in (bench.path, bench.path.with_name("program.log.1"))] == [0o600, 0o600]
    bench.path.chmod(0o644)
    bench.write("z" * 800)
    assert mode_of(bench.path) == 0o644


@pytest.mark.posix_only(reason="modes of files")
def test_only_the_owner_can_read_the_account_and_the_events_of_a_program(tmp_path, loose_umask):
    files = [tmp_path / name for name in ("a.sqlite", "events.jsonl", "program.log")]
    names = ("--account", "--events", "--log")
    words = [word for pair in zip(names, files, strict=True) for word in pair]
    assert demos("run", FOLLOWER, "--duration", "0.1", *words).returncode == 0
    assert {path.name: mode_of(path) for path in tmp_path.iterdir()} == {path.name: 0o600 for path in files}


def test_the_file_has_the_lines_of_the_stream(bench):
    bench.write("Ж \x1b 日本")
    bench.write("second %s {}")
    assert bench.path.read_text(encoding="utf-8") == bench.stream.getvalue()
    assert bench.texts() == ["Ж \\x1b 日本", "second %s {}"]


def test_a_new_process_appends_to_the_file(bench):
    bench.write("first")
    with closing(LogFile(bench.clock, bench.path, 1, 2)) as file:
        assert file.write("second\n") == ""
    assert bench.path.read_text().splitlines()[1] == "second"


def test_a_full_file_gets_a_number_and_only_the_newest_are_kept(bench):
    texts = [f"{number:03}{'x' * 200}" for number in range(40)]
    for text in texts:
        bench.write(text)
    names = ["program.log", "program.log.1", "program.log.2"]
    assert sorted(path.name for path in bench.path.parent.iterdir()) == names
    assert all(0 < path.stat().st_size <= 1000 for path in bench.path.parent.iterdir())
    kept = [text for name in reversed(names) for text in bench.texts(bench.path.with_name(name))]
    assert kept == texts[-len(kept) :]
    assert len(kept) >= 7
    assert bench.alerts == []


def test_a_missing_folder_is_reported_once_and_the_lines_continue_when_it_exists(tmp_path):
    bench = Bench(tmp_path / "logs" / "program.log")
    for number in range(5):
        bench.write(str(number))
        bench.wait(RETRY)
    reason = f"{bench.path} cannot be written: No such file or directory"
    assert bench.alerts == [f"{reason}; the log goes to standard error only until it can be"]
    bench.path.parent.mkdir()
    bench.write("again")
    with closing(bench.file):
        assert bench.texts() == ["the file could not be written: 5 lines are missing here", "again"]


def test_a_file_that_fails_is_not_tried_for_each_line(bench, monkeypatch):
    attempts = []

    def fail(text: str) -> None:
        attempts.append(text)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(bench.file, "_emit", fail)
        for number in range(100):
            bench.write(str(number))
    assert len(attempts) == 1
    assert bench.alerts == [
        f"{bench.path} cannot be written: No space left on device; the log goes to standard error only until it can be"
    ]
    bench.write("dropped too")
    bench.wait(RETRY)
    bench.write("again")
    assert bench.texts() == ["the file could not be written: 101 lines are missing here", "again"]


def test_a_later_failure_is_reported_again(bench, monkeypatch):
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(bench.file, "_emit", lambda text: os.stat("/missing"))
            bench.write("lost")
        bench.wait(RETRY)
        bench.write("kept")
    assert len(bench.alerts) == 2


@pytest.mark.posix_only(reason="only Linux has /dev/full")
def test_a_full_disk_is_one_line_on_standard_error_and_the_program_continues():
    done = demos("run", FOLLOWER, "--log", FULL, "--duration", "0.2", "--speed", "200")
    assert done.returncode == 0
    assert done.stderr.count("No space left on device") == 1
    lines = done.stderr.splitlines()
    assert len(lines) > 3
    assert " OnDeinit " in lines[-1]


def test_a_file_that_cannot_be_renamed_grows_and_no_older_file_is_lost(bench, monkeypatch):
    for number in range(12):
        bench.write(f"{number:03}{'x' * 200}")
    older = {path: path.read_bytes() for path in older_files(bench.path, 2) if path.exists()}
    assert len(older) == 2

    def fail(source: str, target: str) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch:
        patch.setattr(log_file.os, "replace", fail)
        for number in range(12, 24):
            bench.write(f"{number:03}{'x' * 200}")
            bench.wait(RENAME_RETRY)
    assert {path: path.read_bytes() for path in older} == older
    assert bench.alerts == [f"{bench.path} is full and cannot be renamed: Permission denied; it grows further"]
    assert bench.texts()[-12:] == [f"{number:03}{'x' * 200}" for number in range(12, 24)]
    bench.write("after")
    assert bench.texts() == ["after"]
    assert len(bench.texts(bench.path.with_name("program.log.1"))) > 12


def test_the_file_gets_its_lines_without_a_stream(tmp_path):
    clock = ManualClock()
    with closing(LogFile(clock, tmp_path / "a.log", 1, 1)) as file:
        Log(clock, None, file=file.write).write("probe", "info", "OnInit", "text")
    assert (tmp_path / "a.log").read_text().endswith(" probe info OnInit text\n")


# ---- as options


def test_a_program_writes_its_log_to_the_file_too(tmp_path):
    path = tmp_path / "a.log"
    done = demos("run", FOLLOWER, "--log", path, "--duration", "0.2")
    assert done.returncode == 0
    assert done.stderr.splitlines()
    assert path.read_text(encoding="utf-8") == done.stderr


def test_the_file_gets_the_error_that_ends_the_program(tmp_path):
    path = tmp_path / "a.log"
    done = demos("run", FOLLOWER, "--log", path, "--bars", tmp_path / "missing.tsv")
    assert done.returncode == 4
    error = done.stderr.splitlines()[-1].partition(": error: ")[2]
    assert path.read_text(encoding="utf-8").endswith(f" terminal error end {error}\n")


@pytest.mark.parametrize("name", ["a.log", "a.log.1", "a.log.3", "a.log.renamed"])
def test_the_log_and_its_older_files_replace_no_other_file(tmp_path, name):
    kept = tmp_path / name
    kept.write_text("<chart>\n</chart>\n")
    done = demos("run", FOLLOWER, "--log", tmp_path / "a.log", "--log-files=3", "--template", kept)
    assert done.returncode == 2
    assert f"{kept} would overwrite the file of --template; use another file" in done.stderr
    assert kept.read_text() == "<chart>\n</chart>\n"
