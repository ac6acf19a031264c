"""Every command line of the project ends cleanly when its output is closed, full or missing."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from winsock import command_line
from winsock.command_line import INTERRUPTED, UNWRITABLE, printable, run_command, write_output

ROOT = Path(__file__).resolve().parents[2]
FULL = Path("/dev/full")
LAYOUT = ("winsock.doctor", "layout", "long.mqh")
COMMANDS = [
    ("winsock",),
    ("winsock.doctor", "--help"),
    ("winsock.doctor", "layout", "--help"),
    ("winsock.doctor", "error", "0"),
    ("winsock.doctor", "error", "10061", "--json"),
    ("winsock.trace", "--help"),
    ("winsock.trace", "picture", "--help"),
    ("winsock.trace", "picture", "a.jsonl"),
    ("winsock.trace", "summary", "a.jsonl"),
    ("winsock.trace", "diff", "a.jsonl", "a.jsonl"),
    ("demos", "--help"),
    ("demos", "list"),
    ("demos", "beside", "--help"),
    ("demos", "collected", "--help"),
    ("demos", "provider", "user", "token", "add", "--help"),
    ("demos", "run", "signal_client", "--help"),
    ("tests.benchmarks", "--help"),
    ("tests.conformance", "--help"),
    ("tests.properties", "--help"),
    ("tests.windows_report", "--help"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    structs = (f"struct timeval{n} {{ int tv_sec; int tv_usec; long more; }};" for n in range(1000))
    (tmp_path / "long.mqh").write_text("\n".join(structs), encoding="ascii")
    head = '{"trace":1,"backend":"b","pid":1,"argv":["a.py"],"t":0,"wall":0}\n'
    call = '{"n":1,"t":1,"d":1,"pid":1,"call":"bind","args":{},"result":0,"text":"bind() = 0"}\n'
    (tmp_path / "a.jsonl").write_text(head + call * 1000, encoding="ascii")
    return tmp_path


def run(folder: Path, arguments: tuple[str, ...], stdout: int, unbuffered: bool) -> tuple[int, str]:
    """The exit code and standard error of `python -m`."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "compat")])
    environment = os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1" if unbuffered else ""}
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=100,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.fixture
def closed_pipe() -> Iterator[int]:
    """The writing end of a pipe that has no reader."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_closed_pipe_ends_a_command_silently(folder: Path, arguments: tuple[str, ...], closed_pipe: int) -> None:
    # Every second command has no buffer, so that print itself fails, and not only the last flush.
    code, errors = run(folder, arguments, closed_pipe, COMMANDS.index(arguments) % 2 == 1)
    assert code == 0
    # The summary of a picture goes to standard error.
    assert errors == ("1 program, 1000 calls, 0 arrows\n" if "picture" in arguments and "a.jsonl" in arguments else "")


@pytest.mark.parametrize("unbuffered", [False, True])
def test_the_doctor_keeps_its_exit_code_when_the_pipe_is_closed(
    folder: Path, unbuffered: bool, closed_pipe: int
) -> None:
    assert run(folder, LAYOUT, closed_pipe, unbuffered) == (1, "")


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has /dev/full")
@pytest.mark.parametrize("arguments", COMMANDS[::2], ids=" ".join)
def test_a_full_device_is_one_line_and_an_exit_code(folder: Path, arguments: tuple[str, ...]) -> None:
    with FULL.open("wb") as full:
        code, errors = run(folder, arguments, full.fileno(), False)
    assert code == (4 if arguments[0] == "demos" else UNWRITABLE)
    (line,) = errors.splitlines()
    assert line.startswith(f"python -m {arguments[0]}")
    assert line.endswith(": error: standard output cannot be written: No space left on device")


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has /dev/full")
def test_a_full_device_without_a_buffer_gives_no_traceback(folder: Path) -> None:
    for arguments in (LAYOUT, *COMMANDS[:2]):
        with FULL.open("wb") as full:
            code, errors = run(folder, arguments, full.fileno(), True)
        # argparse ignores a help text that cannot be written.
        assert code in (UNWRITABLE, 0 if "--help" in arguments else UNWRITABLE)
        assert len(errors.splitlines()) == (code == UNWRITABLE)


def run_without_output(folder: Path, arguments: tuple[str, ...]) -> tuple[int, str]:
    """The exit code and standard error of `python -m` in a process without standard output."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "compat")])
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" -m "$@" >&-', sys.executable, *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": path}, stderr=subprocess.PIPE, text=True, timeout=100,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.posix_only(reason="the shell closes standard output with >&-")
def test_a_command_without_standard_output_ends_with_its_exit_code(folder: Path) -> None:
    for arguments, expected in ((LAYOUT, 1), (("winsock",), 0), (("winsock.trace", "picture", "a.jsonl"), 0)):
        code, errors = run_without_output(folder, arguments)
        assert (code, "Traceback" in errors) == (expected, False)


@pytest.mark.posix_only(reason="the shell closes standard output with >&-")
@pytest.mark.parametrize("option", ["--pcapng", "--perfetto"])
def test_an_export_to_a_standard_output_that_is_closed_fails(folder: Path, option: str) -> None:
    code, errors = run_without_output(folder, ("winsock.trace", "export", "a.jsonl", option, "-"))
    message = "python -m winsock.trace export: error: standard output cannot be written: it is closed\n"
    assert (code, errors) == (UNWRITABLE, message)


# Ctrl-C at the moment when a command opens its first file.
INTERRUPTED_READ = """
import builtins, io, runpy, signal, sys
open_file = builtins.open
def interrupted(file, *arguments, **options):
    if str(file).endswith((".jsonl", ".mqh")):
        signal.raise_signal(signal.SIGINT)
    return open_file(file, *arguments, **options)
builtins.open = io.open = interrupted
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(
    ("arguments", "prog"),
    [
        (("winsock.trace", "summary", "a.jsonl"), "winsock.trace summary"),
        (("winsock.trace", "picture", "a.jsonl"), "winsock.trace picture"),
        (("winsock.trace", "diff", "a.jsonl", "a.jsonl"), "winsock.trace diff"),
        (("winsock.trace", "export", "a.jsonl", "--pcapng", "b"), "winsock.trace export"),
        (LAYOUT, "winsock.doctor"),
    ],
    ids=str,
)
def test_ctrl_c_is_one_line_and_the_exit_code_130(folder: Path, arguments: tuple[str, ...], prog: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_READ, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "compat")])},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (INTERRUPTED, "", f"python -m {prog}: interrupted\n")


# ---- the shared functions


class Broken(io.StringIO):
    """A stream whose writes, or flushes, fail."""

    def __init__(self, error: OSError, buffered: bool) -> None:
        super().__init__()
        self._error = error
        self._buffered = buffered
        self.target = os.open(os.devnull, os.O_WRONLY)

    def write(self, text: str, /) -> int:
        if self._buffered or not text:
            return len(text)
        raise self._error

    def flush(self) -> None:
        if self._buffered:
            raise self._error

    def fileno(self) -> int:
        return self.target


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    opened: list[Broken] = []

    def install(error: OSError, buffered: bool = False) -> None:
        opened.append(Broken(error, buffered))
        monkeypatch.setattr(sys, "stdout", opened[-1])

    yield install
    for stream in opened:
        os.close(stream.target)


@pytest.mark.parametrize("buffered", [False, True])
def test_a_reader_that_stopped_is_not_an_error(broken: Callable[..., None], buffered: bool) -> None:
    broken(BrokenPipeError(errno.EPIPE, "Broken pipe"), buffered)
    assert run_command("prog", lambda: print("x")) == 0
    write_output("x")


def test_on_windows_a_closed_pipe_is_an_invalid_argument(
    broken: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken(OSError(errno.EINVAL, "Invalid argument"))
    monkeypatch.setattr(command_line.sys, "platform", "win32")
    assert run_command("prog", lambda: print("x")) == 0
    write_output("x")
    monkeypatch.setattr(command_line.sys, "platform", "linux")
    assert run_command("prog", lambda: print("x"), unwritable=4) == 4
    assert capsys.readouterr().err == "prog: error: standard output cannot be written: Invalid argument\n"
    with pytest.raises(OSError, match="Invalid argument"):
        write_output("x")


def test_a_command_may_need_its_reader(broken: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    broken(BrokenPipeError(errno.EPIPE, "Broken pipe"))
    assert run_command("prog", lambda: print("x"), reader_may_stop=False) == UNWRITABLE
    assert capsys.readouterr().err == "prog: error: standard output cannot be written: Broken pipe\n"


def test_the_error_of_a_file_is_not_one_of_the_output(tmp_path: Path) -> None:
    def fails() -> None:
        (tmp_path / "missing").read_bytes()

    with pytest.raises(FileNotFoundError):
        run_command("prog", fails)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a b", "a b"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x9b2J\x7f", "\\x9b2J\\x7f"),
        ("\u202eabc\u200b", "\\u202eabc\\u200b"),
        ("\ud800", "\\ud800"),
        ("\U000e0001", "\\U000e0001"),
        ("\u00e4\u20ac\U0001f600", "\u00e4\u20ac\U0001f600"),
    ],
)
def test_characters_that_a_terminal_interprets_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable("a\nb\x1b", keep="\n") == "a\nb\\x1b"
