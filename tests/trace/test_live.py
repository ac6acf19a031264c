"""`python -m winsock.trace live` shows real programs while they run, as lines, on a terminal and on a page."""

from __future__ import annotations

import http.client
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser_kit import NEEDS_BROWSER, browser
from trace_kit import ROOT, python
from winsock_kit import LIMIT_SECONDS

from winsock.trace import live_programs
from winsock.trace.live import chosen_view, main
from winsock.trace.live_programs import Printed, StartedProgram, command_words
from winsock.trace.live_rows import Row
from winsock.trace.live_terminal import LineView
from winsock.trace.live_watch import Watch

# The server writes its port to a file before it listens; it answers until a client sends "end".
SERVER = """\
from pathlib import Path
from winsock import *
WSAStartup(MAKEWORD(2, 2), WSADATA())
server = socket(AF_INET, SOCK_STREAM, 0)
name = sockaddr_in(AF_INET, 0, in_addr(inet_addr("127.0.0.1")))
bind(server, name, 16), getsockname(server, name, c_int(16))
Path("port").write_text(str(ntohs(name.sin_port)))
listen(server, 5)
buf = bytearray(512)
while not buf.startswith(b"end"):
    client = accept(server, None, None)
    print("a client", flush=True)
    while (count := recv(client, buf, 512, 0)) > 0:
        send(client, buf, count, 0)
    closesocket(client)
WSACleanup()
"""
CLIENT = """\
import sys
from pathlib import Path
from winsock import *
WSAStartup(MAKEWORD(2, 2), WSADATA())
client = socket(AF_INET, SOCK_STREAM, 0)
name = sockaddr_in(AF_INET, htons(int(Path("port").read_text())), in_addr(inet_addr("127.0.0.1")))
connect(client, name, 16)
for word in sys.argv[1:]:
    send(client, word.encode(), len(word), 0), recv(client, bytearray(512), 512, 0)
shutdown(client, SD_SEND), recv(client, bytearray(9), 9, 0), WSACleanup()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "server.py").write_text("from ctypes import c_int\n" + SERVER, encoding="ascii")
    (tmp_path / "client.py").write_text(CLIENT, encoding="ascii")
    return tmp_path


class Live:
    """A running command, and the lines that it has printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []

    def wait_for(self, pattern: str) -> str:
        """Read lines until one matches; returns the match."""
        assert self.process.stdout is not None
        for line in iter(self.process.stdout.readline, ""):
            self.lines.append(line)
            if found := re.search(pattern, line):
                return found[0]
        raise AssertionError((pattern, self.lines))

    def end(self) -> int:
        """Press Ctrl-C; returns the exit code."""
        assert self.process.stdout is not None
        self.process.send_signal(signal.SIGINT)
        self.lines += self.process.stdout.readlines()
        return self.process.wait(LIMIT_SECONDS)


@contextmanager
def live(folder: Path, *arguments: str) -> Iterator[Live]:
    process = subprocess.Popen(
        [sys.executable, "-m", "winsock.trace", "live", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "compat")])},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Live(process)
    finally:
        # Not killed: it ends the programs that it has started.
        process.terminate()
        process.communicate(timeout=LIMIT_SECONDS)


NEEDS_CTRL_C = pytest.mark.posix_only(reason="sends SIGINT to one process")


def test_one_command_starts_two_programs_and_shows_their_calls_in_order(folder: Path) -> None:
    done = python("-m", "winsock.trace", "live", "server.py", "--run", "client.py hello end", cwd=folder, check=True)
    lines = [line for line in done.stdout.splitlines() if "waits ..." not in line]
    text = [re.sub(r"^\S+ (\w+) +(\w+)\(.*", r"\1 \2", line) for line in lines]
    setup = ["WSAStartup", "socket", "bind", "getsockname", "listen"]
    assert text[:5] == [f"server {call}" for call in setup]
    assert [line for line in text if line.startswith("client ")][:3] == [
        "client WSAStartup",
        "client socket",
        "client connect",
    ]
    assert text.index("server listen") < text.index("client WSAStartup")
    assert text.index("client connect") < text.index("server accept") < text.index("server recv")
    assert text.index("client send") < text.index("server recv") < text.index("server send") < text.index("client recv")
    assert any(line.endswith("> a client") for line in lines)
    assert done.stderr == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--run", "A=x.py 1", "B=x.py", "C=x.py", "--run=D=x.py 2", "E=x.py"],
        ["A=x.py", "--title", "A=x.py", "--run", "B=x.py 1", "--keep=9", "C=x.py", "--run", "D=x.py", "--", "E=x.py"],
    ],
)
def test_programs_are_started_in_the_order_of_the_command_line(folder: Path, arguments: list[str]) -> None:
    (folder / "x.py").write_text("", encoding="ascii")
    done = python("-m", "winsock.trace", "live", "--traces", "t", *arguments, cwd=folder, check=True)
    ended = re.findall(r" (\w) +ended with exit code 0", done.stdout)
    assert "".join(ended) == "ABCDE"
    assert re.findall(r"\d-\w(?=\.jsonl)", done.stderr) == ["1-A", "2-B", "3-C", "4-D", "5-E"]


@NEEDS_CTRL_C
def test_a_call_that_waits_is_visible_before_it_returns(folder: Path) -> None:
    with live(folder, "server.py") as running:
        running.wait_for(r"accept\(\d+\) waits \.\.\.")
        assert running.end() == 0


@NEEDS_CTRL_C
def test_ctrl_c_ends_the_started_programs_and_removes_their_traces(folder: Path) -> None:
    with live(folder, "server.py", "--run", "client.py hello") as running:
        running.wait_for("client .* WSACleanup")
        port = int((folder / "port").read_text(encoding="ascii"))
        running.wait_for(r"accept\(\d+\) waits")
        assert running.end() == 0
    assert not any("Traceback" in line for line in running.lines)
    listens = http.client.HTTPConnection("127.0.0.1", port)
    with pytest.raises(ConnectionRefusedError):
        listens.connect()


def test_the_exit_code_says_that_a_program_failed(folder: Path) -> None:
    (folder / "bad.py").write_text("raise SystemExit('no market today')", encoding="ascii")
    done = python("-m", "winsock.trace", "live", "bad.py", cwd=folder)
    assert done.returncode == 1
    output, end = done.stdout.splitlines()
    assert output.endswith(" bad            > no market today")
    assert end.endswith(" bad          ! ended with exit code 1")


def test_a_program_without_calls_has_its_own_name(folder: Path) -> None:
    (folder / "quiet.py").write_text("print('hello')", encoding="ascii")
    done = python("-m", "winsock.trace", "live", "quiet.py", "--lines", "B=quiet.py", cwd=folder, check=True)
    lines = [line.split(maxsplit=1)[1] for line in done.stdout.splitlines()]
    assert [line for line in lines if line.startswith("quiet ")] == [
        "quiet          > hello",
        "quiet          ended with exit code 0",
    ]
    assert [line for line in lines if line.startswith("B ")] == [
        "B              > hello",
        "B              ended with exit code 0",
    ]


@pytest.mark.posix_only(reason="a process kills itself with a signal")
def test_the_lines_name_the_signal_that_ended_a_program(folder: Path) -> None:
    (folder / "bad.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", encoding="ascii")
    done = python("-m", "winsock.trace", "live", "bad.py", cwd=folder)
    assert done.returncode == 1
    assert done.stdout.endswith(" bad          ! ended by SIGKILL\n")


@NEEDS_CTRL_C
def test_ctrl_c_is_no_error_of_a_program(folder: Path) -> None:
    code = "import signal\nsignal.signal(signal.SIGTERM, signal.default_int_handler)\nfrom ctypes import c_int\n"
    (folder / "server.py").write_text(code + SERVER, encoding="ascii")
    with live(folder, "server.py") as running:
        running.wait_for(r"accept\(\d+\) waits")
        assert running.end() == 0
    (call,) = [line for line in running.lines if "KeyboardInterrupt" in line]
    assert re.search(r" server +accept\(.* raised KeyboardInterrupt", call)
    assert re.search(r" server +ended (by SIGINT|with exit code)", running.lines[-1])
    assert not any(" ! " in line for line in running.lines)


# Ctrl-C, while the display is drawn: the first program has ended before the command looks again.
CTRL_C = """
import os, signal, sys, time
from winsock.trace import live
from winsock.trace.live_terminal import LineView
class View(LineView):
    def update(self, watch, notes):
        super().update(watch, notes)
        if watch.started[0].pid:
            os.kill(watch.started[0].pid, signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            watch.started[0].wait(time.monotonic() + 60)
live.chosen_view = lambda lines: View()
sys.exit(live.main(sys.argv[1:]))
"""


@NEEDS_CTRL_C
def test_a_program_that_ctrl_c_has_ended_first_has_not_failed_and_no_other_is_started(folder: Path) -> None:
    (folder / "next.py").write_text("open('started', 'x')", encoding="ascii")
    done = python("-c", CTRL_C, "--run", "sleep 100", "next.py", cwd=folder)
    assert re.fullmatch(r"\S+ sleep          ended by SIGINT\n", done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (folder / "started").exists()


@NEEDS_CTRL_C
def test_the_lines_say_that_a_trace_does_not_exist_yet(folder: Path) -> None:
    with live(folder, "client.jsonl", "server.py") as running:
        running.wait_for("client.jsonl: does not exist yet$")
        running.wait_for("server .* listen")
        assert running.end() == 0
    assert [line for line in running.lines if ".jsonl: " in line] == ["client.jsonl: does not exist yet\n"]


def test_a_program_that_does_not_exist_is_an_error(folder: Path) -> None:
    done = python("-m", "winsock.trace", "live", "--run", "no-such-program x", cwd=folder)
    assert done.returncode == 2
    assert "no-such-program x: cannot be started: " in done.stderr


def test_the_first_lines_of_a_program_that_prints_too_fast_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_programs, "_MAX_LINES", 10)
    words = [sys.executable, "-c", "for number in range(30): print(number)"]
    program = StartedProgram("-c", words, tmp_path / "trace")
    program.start()
    assert program.wait(time.monotonic() + LIMIT_SECONDS)
    program.close()
    lines = program.take_output()
    assert [(line.text, line.omitted) for line in lines] == [
        ("20", 20),
        *((str(number), 0) for number in range(21, 30)),
    ]
    assert program.take_output() == []


def test_lines_of_output_that_are_left_out_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[Row] = []
    watch = Watch(rows.append)
    watch.start(StartedProgram("x.py", ["x.py"], tmp_path / "trace"), None, 100)
    monkeypatch.setattr(StartedProgram, "start", lambda program: None)
    monkeypatch.setattr(StartedProgram, "take_output", lambda program: [Printed(5, "last", 20)])
    watch.poll()
    assert [(row.kind, row.name, row.text) for row in rows] == [
        ("note", "x", "20 lines of output are left out: too many at once"),
        ("output", "x", "> last"),
    ]


def test_the_calls_of_a_program_are_shown_before_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[Row] = []
    watch = Watch(rows.append)
    program = StartedProgram("x.py", ["x.py"], tmp_path / "trace")
    program.started = 1.0
    watch.start(program, None, 100)
    head = {"trace": 1, "backend": "compat", "pid": 1, "argv": ["x.py"], "t": 5, "wall": 7}
    call = {"n": 1, "t": 9, "d": 5, "pid": 1, "thread": "", "call": "listen", "args": {}, "result": 0, "text": "last"}

    def ends(program: StartedProgram) -> bool:
        """The program makes its last call and ends, just before it is asked."""
        program.trace.write_text(f"{json.dumps(head)}\n{json.dumps(call)}\n", encoding="ascii")
        return True

    monkeypatch.setattr(StartedProgram, "is_over", ends)
    monkeypatch.setattr(StartedProgram, "exit_code", lambda program: 0)
    while watch.poll():
        pass
    assert [row.text for row in rows] == ["last", "ended with exit code 0"]


def test_traces_can_be_kept_for_a_picture(folder: Path) -> None:
    done = python(
        *("-m", "winsock.trace", "live", "server.py", "--run", "B=client.py end", "--traces", "my traces"),
        cwd=folder,
        check=True,
    )
    assert sorted(path.name for path in (folder / "my traces").iterdir()) == ["1-server.jsonl", "2-B.jsonl"]
    command = done.stderr.strip().splitlines()[-1]
    assert command.startswith("python -m winsock.trace picture ")
    picture = python(*command_words(command)[1:], cwd=folder, check=True)
    assert picture.stderr.startswith("2 programs, ")


@NEEDS_CTRL_C
def test_traces_of_programs_that_were_started_elsewhere_are_followed(folder: Path) -> None:
    with live(folder, "server.jsonl", "the client=client.jsonl", "--lines") as running:
        server = subprocess.Popen(
            [sys.executable, "-m", "winsock.trace", "-o", "server.jsonl", "server.py"], cwd=folder
        )
        try:
            running.wait_for("server .* listen")
            for _ in range(2):  # the second run replaces the trace of the first one
                python("-m", "winsock.trace", "-o", "client.jsonl", "client.py", "hello", cwd=folder, check=True)
                running.wait_for('the client .* send.*"hello"')
                running.wait_for("the client .* WSACleanup")
            python("-m", "winsock.trace", "-o", "client.jsonl", "client.py", "end", cwd=folder, check=True)
            running.wait_for("server .* WSACleanup")
            assert server.wait(LIMIT_SECONDS) == 0
        finally:
            server.kill()
            server.wait(LIMIT_SECONDS)
        assert running.end() == 0


# ---- a terminal


class Terminal:
    """A pseudo terminal of 80 columns and 24 lines, in which the command runs."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        import fcntl
        import struct
        import termios

        self.output = b""
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        variables = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
        path = os.pathsep.join([str(ROOT), str(ROOT / "compat")])
        self.process = subprocess.Popen(
            [sys.executable, "-c", _IN_TERMINAL, *arguments],
            cwd=folder,
            env=variables | {"PYTHONPATH": path, "TERM": "xterm-256color"} | environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def wait_for(self, text: bytes) -> None:
        until = time.monotonic() + LIMIT_SECONDS
        while text not in self.output:
            assert time.monotonic() < until, self.output[-3000:]
            assert self.read(), self.output[-3000:]

    def read(self) -> bool:
        """Read what there is; False at the end."""
        if not select.select([self.master], [], [], LIMIT_SECONDS)[0]:
            return False
        try:
            piece = os.read(self.master, 1 << 16)
        except OSError:  # the last process has closed the terminal
            return False
        self.output += piece
        return bool(piece)

    def end(self) -> int:
        """Press Ctrl-C; returns the exit code."""
        os.write(self.master, b"\x03")
        while self.read():
            pass
        return self.process.wait(LIMIT_SECONDS)

    def close(self) -> None:
        # Not killed: it ends the programs that it has started.
        self.process.terminate()
        self.process.wait(LIMIT_SECONDS)
        os.close(self.master)


# The terminal becomes that of the new session, so that Ctrl-C reaches its processes.
_IN_TERMINAL = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from winsock.trace.__main__ import main
main(["live", *sys.argv[1:]])
"""


@pytest.fixture
def terminal(folder: Path, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    pytest.importorskip("rich")
    found = Terminal(folder, "server.py", "--run", "client.py hello", **getattr(request, "param", {}))
    yield found
    found.close()


@pytest.mark.posix_only(reason="pseudo terminals")
@pytest.mark.parametrize("terminal", [{}, {"NO_COLOR": "1"}], indirect=True)
def test_on_a_terminal_the_programs_are_side_by_side_until_ctrl_c(terminal: Terminal) -> None:
    terminal.wait_for(b"exit code 0")  # of the client
    terminal.wait_for(b"waits 1.")
    alternate = terminal.output
    assert b"\x1b[?1049h" in alternate
    assert b"client (pid " in alternate
    assert terminal.end() == 0
    last = terminal.output.rpartition(b"\x1b[?1049l")[2].decode()
    rows = [re.sub(r"\x1b\[[\d;]*m", "", line).rstrip() for line in last.splitlines()]
    assert any(re.fullmatch(r" +\d\.\d{3} {36}send\(\d+\) = 5 \"hello\"", row) for row in rows)
    assert any(re.fullmatch(r" +\d\.\d{3} recv\(\d+\) = 5 \"hello\"", row) for row in rows)
    assert "Traceback" not in last


@pytest.mark.posix_only(reason="pseudo terminals")
@pytest.mark.parametrize("terminal", [{"TERM": "dumb"}], indirect=True)
def test_a_terminal_that_cannot_move_the_cursor_gets_lines(terminal: Terminal) -> None:
    terminal.wait_for(b"waits ...")
    assert terminal.end() == 0
    assert b"\x1b" not in terminal.output


def test_without_rich_a_terminal_gets_a_message_and_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(chosen_view(lines=False), LineView)
    assert (
        'the display needs rich: python -m pip install -e ".[live]"; each call is a line of text; Ctrl-C ends'
        in capsys.readouterr().err
    )


# ---- the page


@NEEDS_CTRL_C
@NEEDS_BROWSER[1]
def test_an_open_page_shows_new_calls(folder: Path, tmp_path: Path) -> None:
    with live(folder, "server.py", "client.jsonl", "--page") as running:
        url = running.wait_for(r"http://127\.0\.0\.1:\d+/")
        running.wait_for("listen")
        with browser(tmp_path) as page:
            page.open(url)
            page.wait_for("document.body.innerText.includes('accept')")
            assert "has not returned" in page.text("body")
            python("-m", "winsock.trace", "-o", "client.jsonl", "client.py", "hello", cwd=folder, check=True)
            page.wait_for("document.body.innerText.includes('5 bytes \"hello\"')")
            assert page.text("#live") == "live"
            assert running.end() == 0
            page.wait_for("document.querySelector('#live').innerText === 'ended'")
            # The command may have ended while the page asked it for newer data.
            ended = re.compile("ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE")
            assert [problem for problem in page.problems if not ended.search(problem)] == []


@NEEDS_CTRL_C
@NEEDS_BROWSER[1]
def test_an_open_page_follows_its_title_and_the_time_of_a_call_that_waits(folder: Path, tmp_path: Path) -> None:
    with live(folder, "client.jsonl", "server.py", "--page") as running:
        url = running.wait_for(r"http://127\.0\.0\.1:\d+/")
        with browser(tmp_path) as page:
            page.open(url)
            page.wait_for("document.body.innerText.includes('accept')")
            assert page.text("h1") == "server"
            page.value("select(data.count - 1)")
            for _ in range(2):
                waited = page.text("#details")
                page.wait_for(f"document.querySelector('#details').innerText !== {json.dumps(waited)}")
                assert "has not returned for " in page.text("#details")
            python("-m", "winsock.trace", "-o", "client.jsonl", "client.py", "hello", cwd=folder, check=True)
            page.wait_for("document.querySelector('h1').innerText === 'client and server'")
            assert page.value("document.title") == "client and server"
            assert page.text("#details h2") == "accept"
            assert page.problems == []


@NEEDS_CTRL_C
def test_lines_say_that_ctrl_c_ends_the_page_also_when_all_programs_have_ended(folder: Path) -> None:
    (folder / "short.py").write_text("import winsock\nwinsock.htons(1)\n", encoding="ascii")
    with live(folder, "short.py", "--page", "--lines") as running:
        running.wait_for(r"page: http://127\.0\.0\.1:\d+/   Ctrl-C ends\n")
        running.wait_for(r"all programs have ended; the page stays until Ctrl-C\n")
        assert running.end() == 0


@NEEDS_CTRL_C
def test_a_port_that_is_in_use_is_an_error(folder: Path) -> None:
    with live(folder, "server.py", "--page") as running:
        port = running.wait_for(r"(?<=127\.0\.0\.1:)\d+")
        done = python("-m", "winsock.trace", "live", "x.jsonl", "--port", port, cwd=folder)
        assert done.returncode == 2
        assert done.stderr.startswith(f"python -m winsock.trace live: error: port {port} cannot be used: ")
        assert running.end() == 0


# ---- the command line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to watch: name a trace, or a program such as server.py"),
        (["no.py"], "no such file: 'no.py'"),
        (["a" * 300 + ".py"], f"no such file: '{'a' * 300}.py'"),
        (["x.jsonl", "8080"], "no such file: '8080'; a port is given with --port 8080"),
        (["x.jsonl", "."], "a folder: '.'; name a trace, or a program such as server.py"),
        (["x.jsonl", "--traces", "a%p"], "invalid folder: 'a%p': %p in the name of a trace is replaced"),
        (["--run", ""], "invalid command: '': no program"),
        (["--run", "x 'y"], 'invalid command: "x \'y": No closing quotation'),
    ],
)
def test_what_cannot_be_watched_is_an_error(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"python -m winsock.trace live: error: {message}\n"


def test_a_trace_that_is_followed_is_not_replaced(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = folder / "2-client.jsonl"
    trace.write_bytes(b"kept")
    assert main([str(trace), str(folder / "client.py"), "--traces", str(folder)]) == 2
    message = f"{trace}: a new trace would replace it; use another folder"
    assert capsys.readouterr().err == f"python -m winsock.trace live: error: {message}\n"
    assert trace.read_bytes() == b"kept"


def test_a_machine_without_a_temporary_folder_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "no folder")])
    assert main(["x.jsonl"]) == 2
    assert "live: error: temporary folder: the traces cannot be written there: No usable" in capsys.readouterr().err


@pytest.mark.posix_only(reason="opens a device as a file")
def test_a_device_cannot_be_watched(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([os.devnull]) == 2
    assert f"error: a device or pipe: '{os.devnull}'; name a trace, or a program" in capsys.readouterr().err


def test_files_may_follow_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["x.jsonl", "--lines", "no.py"]) == 2
    assert "error: no such file: 'no.py'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option", [["--port", "0"], ["--port", "65536"], ["--port", "x"], ["--keep", "0"], ["--keep", "x"]]
)
def test_numbers_of_options_are_checked(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["x.jsonl", *option])
    assert f"invalid {'port' if option[0] == '--port' else 'number of calls'}: '{option[1]}'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("server.py", [sys.executable, "server.py"]),
        ("-m demos run x", [sys.executable, "-m", "demos", "run", "x"]),
        ("python server.py 'a b'", [sys.executable, "server.py", "a b"]),
        ("py -X dev x.pyw", [sys.executable, "-X", "dev", "x.pyw"]),
        ("./tool x#1", ["./tool", "x#1"]),
    ],
)
def test_a_script_or_module_is_run_by_this_python(command: str, words: list[str]) -> None:
    assert command_words(command) == words


def test_a_folder_of_windows_has_backslashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert command_words(r'"C:\My Programs\server.py" x')[1:] == [r"C:\My Programs\server.py", "x"]


def test_the_help_teaches_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "python -m winsock.trace live server.py client.py" in text
    assert max(map(len, text.splitlines())) <= 80
