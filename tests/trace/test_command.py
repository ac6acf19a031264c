"""python -m winsock.trace and WINSOCK_TRACE run a program unchanged and trace its calls."""

from __future__ import annotations

import json
import os
import py_compile
import re
import sys
import zipfile
from pathlib import Path

import pytest
from trace_kit import Tracing, python

import winsock
from winsock import trace
from winsock.trace import start_by_environment
from winsock.trace.__main__ import COMMANDS, main
from winsock.trace.sinks import Output

NEEDS_LINKS = pytest.mark.posix_only(reason="symbolic links need a privilege on Windows")

PROGRAM = """\
import sys
from winsock import *
print(htons(1), sys.argv[1:], __name__, "helper" in sys.modules or __import__("helper").WHO)
htonl(2)
if "fail" in sys.argv: sys.exit(7)
if "raise" in sys.argv: raise ValueError("of the program")
"""

OWN = """\
import os, sys, threading
class Own: pass
def last():
    threading.main_thread().join()
    print(sys.modules["__main__"].Own is Own)
os.chdir("..")
print(__file__, sys.argv, sys.path[0], __name__, __package__, type(__spec__), type(__loader__), type(__builtins__))
threading.Thread(target=last).start()
"""

CLOSES = """\
import os
from winsock import *
htons(1)
os.closerange(3, 100)
with open("own", "w") as file:
    htons(2)
    file.write("mine")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM, encoding="ascii")
    (tmp_path / "helper.py").write_text('WHO = "a helper"', encoding="ascii")
    return tmp_path


@pytest.fixture
def stopped() -> object:
    yield
    trace.stop()


def test_a_script_runs_with_its_arguments_and_can_import_modules_of_its_folder(folder: Path) -> None:
    done = python("-m", "winsock.trace", str(folder / "program.py"), "--json", "-o", "x", cwd=folder.parent)
    assert done.stdout.split("\n")[0] == "256 ['--json', '-o', 'x'] __main__ a helper"
    assert [line.split()[2] for line in done.stderr.splitlines()] == ["htons(1)", "htonl(2)"]
    assert done.returncode == 0


def test_a_module_runs_as_with_python_m(folder: Path) -> None:
    done = python("-m", "winsock.trace", "-o", "trace.txt", "-m", "program", "1", cwd=folder)
    assert done.stdout.startswith("256 ['1'] __main__ a helper")
    assert done.stderr == ""
    assert "htons(1) = 256" in (folder / "trace.txt").read_text(encoding="ascii")


@pytest.mark.parametrize(
    ("options", "program"),
    [
        *(([], program) for program in (["own.py"], ["own.pyc"], ["-m", "own"], ["folder"], ["own.zip"])),
        ([], ["-m", "folder"]),
        *((["-P"], program) for program in (["own.py"], ["folder"])),
    ],
)
def test_a_program_finds_the_same_main_module_file_and_path_as_without_a_trace(
    folder: Path, options: list[str], program: list[str]
) -> None:
    """Also after it has changed the folder, and in a thread that outlives its last line."""
    own = folder / "own.py"
    own.write_text(OWN, encoding="ascii")
    (folder / "folder").mkdir()
    (folder / "folder" / "__main__.py").write_text(OWN, encoding="ascii")
    with zipfile.ZipFile(folder / "own.zip", "w") as file:
        file.writestr("__main__.py", OWN)
    py_compile.compile(str(own), str(folder / "own.pyc"))
    expected = python(*options, *program, "a", cwd=folder, check=True)
    done = python(*options, "-m", "winsock.trace", *program, "a", cwd=folder, check=True)
    assert done.stdout == expected.stdout
    assert done.stdout.endswith("True\n")


def test_the_exit_code_is_that_of_the_program(folder: Path) -> None:
    assert python("-m", "winsock.trace", "program.py", "fail", cwd=folder).returncode == 7
    raised = python("-m", "winsock.trace", "program.py", "raise", cwd=folder)
    assert raised.returncode == 1
    assert raised.stderr.splitlines()[-1] == "ValueError: of the program"


def test_options_select_the_calls_the_number_of_bytes_and_the_format(folder: Path) -> None:
    done = python("-m", "winsock.trace", "--json", "--calls", "htonl", "--bytes", "5", "program.py", cwd=folder)
    head, call = (json.loads(line) for line in done.stderr.splitlines())
    assert (head["trace"], head["argv"], head["backend"]) == (1, ["program.py"], winsock.BACKEND)
    assert call["call"] == "htonl"


def test_a_new_trace_replaces_the_file(folder: Path) -> None:
    for _ in range(2):
        python("-m", "winsock.trace", "-o", "a.jsonl", "program.py", cwd=folder, check=True)
    lines = (folder / "a.jsonl").read_text(encoding="ascii").splitlines()
    assert [json.loads(line).get("call") for line in lines] == [None, "htons", "htonl"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "error: the following arguments are required: PROGRAM"),
        (["-m"], "error: the following arguments are required: PROGRAM"),
        (["nothing.py"], "no such file: 'nothing.py'"),
        (["a" * 300], f"no such file: '{'a' * 300}'"),
        (["."], "a folder without __main__.py: '.'"),
        (["-m", "no_such_module"], "No module named no_such_module"),
        *((["-m", name], f"No module named {name}") for name in (".", "..", "...x", "program.", "a..b", "a/b", "")),
        (["-m", "a\nb"], "No module named a\\nb"),
        (["-m", "__main__"], "No module named __main__"),
        (["-m", "program.py"], "No module named program.py"),
        (["-m", "json"], "No module named json.__main__; json is a package"),
        (["-m", "sys"], "sys is not written in Python; it cannot be run"),
        (["--calls", "send,sned", "program.py"], "unknown call: 'sned'; did you mean send?"),
        (["--calls", "", "program.py"], "unknown call: ''; the calls are WSAStartup, WSACleanup, "),
        (["--bytes", "9" * 5000, "program.py"], "use a number below 1000000000"),
        (["--bytes", "-1", "program.py"], "invalid number of bytes: '-1'"),
        (["--bytes", "\u0663", "program.py"], "invalid number of bytes: '"),
        (["--bytes", "1_0", "program.py"], "invalid number of bytes: '1_0'"),
        (["-o", "missing/trace", "program.py"], "cannot write the trace to missing/trace: No such file or directory"),
    ],
)
def test_an_invalid_option_is_reported_in_one_line(folder: Path, arguments: list[str], message: str) -> None:
    done = python("-m", "winsock.trace", *arguments, cwd=folder)
    assert done.returncode in (1, 2)
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("program", [["program.py"], ["-m", "program"], ["package"], ["-m", "package"]])
@pytest.mark.parametrize("link", ["", "hard", pytest.param("symbolic", marks=NEEDS_LINKS)])
def test_a_trace_does_not_replace_the_program(folder: Path, program: list[str], link: str) -> None:
    (folder / "package").mkdir()
    (folder / "package" / "__main__.py").write_text(PROGRAM, encoding="ascii")
    own = folder / ("program.py" if "program" in program[-1] else "package/__main__.py")
    target = folder / "trace.txt" if link else own
    if link == "hard":
        target.hardlink_to(own)
    elif link:
        target.symlink_to(own)
    done = python("-m", "winsock.trace", "-o", str(target), *program, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: the trace would replace the program: " in done.stderr.splitlines()[-1]
    assert own.read_text(encoding="ascii") == PROGRAM


def test_a_failing_import_in_the_program_is_shown_with_its_traceback(folder: Path) -> None:
    (folder / "broken.py").write_text("import no_such_module", encoding="ascii")
    done = python("-m", "winsock.trace", "-m", "broken", cwd=folder)
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'no_such_module'"


def test_the_help_has_examples_and_fits_a_terminal_of_80_columns(folder: Path) -> None:
    for arguments in (["--help"], *([command, "--help"] for command in COMMANDS)):
        done = python("-m", "winsock.trace", *arguments, cwd=folder, check=True)
        assert "example" in done.stdout
        assert [line for line in done.stdout.splitlines() if len(line) > 80] == []


def test_the_help_lists_the_commands_that_read_traces(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = re.findall(
        r"^  (\w+) +\w", capsys.readouterr().out.partition("commands that read traces")[2], re.MULTILINE
    )
    assert listed == [*COMMANDS] == ["picture", "live", "summary", "diff", "export"]


def test_only_the_module_of_the_command_that_is_used_is_imported(folder: Path) -> None:
    ended = "import sys\nfrom winsock.trace.__main__ import COMMANDS, main\ntry: main()\nexcept SystemExit: pass\n"
    imported = "print(*(name for name in COMMANDS if f'winsock.trace.{name}' in sys.modules))"
    for command in ("--help", "summary", "diff"):
        done = python("-c", ended + imported, command, "--help", cwd=folder, check=True)
        assert done.stdout.splitlines()[-1] == ("" if command == "--help" else command)


def test_a_program_with_the_name_of_a_command_is_run_by_its_path(folder: Path) -> None:
    (folder / "diff").write_text("print('the program')", encoding="ascii")
    assert python("-m", "winsock.trace", "./diff", cwd=folder, check=True).stdout == "the program\n"


def test_the_command_in_this_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stopped: None
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["winsock.trace"])
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    main(["-o", "1.txt", "program.py", "a"])
    main(["-o", "2.txt", "--calls", "htons", "-m", "program"])
    assert capsys.readouterr().out.startswith("256 ['a'] __main__ ")
    trace.stop()
    assert [len(Path(name).read_text(encoding="ascii").splitlines()) for name in ("1.txt", "2.txt")] == [2, 1]
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").write_text("import no_such_module", encoding="ascii")
    with pytest.raises(ModuleNotFoundError):
        main(["-m", "package.module"])
    for arguments in (["-m", "no_such_package.module"], ["-m", "no_such_module"], ["nothing.py"], ["--bytes", "x"]):
        with pytest.raises(SystemExit):
            main(arguments)
    with pytest.raises(SystemExit) as ended:
        main(["picture", "nothing.jsonl"])
    assert ended.value.code == 2


def test_the_help_in_this_process(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "WINSOCK_TRACE_FORMAT" not in capsys.readouterr().err


def test_the_exception_of_a_call_is_one_printable_line(folder: Path, stopped: None) -> None:
    class Number:
        def __index__(self) -> int:
            raise ValueError("\x1b[31m\nred")

    for name, as_json in (("a.txt", False), ("a.jsonl", True)):
        tracing = Tracing(folder / name, json=as_json)
        with pytest.raises((ValueError, TypeError)):
            tracing.calls.htons(Number())  # type: ignore[arg-type]
        trace.stop()
        assert all(line.isprintable() for line in tracing.text().splitlines())
        assert "raised " in tracing.text()


# ---- the environment variable


def test_the_variable_traces_any_program(folder: Path) -> None:
    done = python("program.py", cwd=folder, environment={"WINSOCK_TRACE": "-"})
    assert [line.split()[2] for line in done.stderr.splitlines()] == ["htons(1)", "htonl(2)"]


def test_a_trace_is_appended_to_the_file_and_the_extension_selects_json(folder: Path) -> None:
    for _ in range(2):
        python("program.py", cwd=folder, environment={"WINSOCK_TRACE": "a.jsonl"}, check=True)
    lines = (folder / "a.jsonl").read_text(encoding="ascii").splitlines()
    assert [json.loads(line).get("call") for line in lines] == [None, "htons", "htonl"] * 2
    assert json.loads(lines[0])["argv"][1:] == ["program.py"]


def test_the_variable_is_not_for_the_commands_that_read_its_trace(folder: Path) -> None:
    variable = {"WINSOCK_TRACE": "a.jsonl"}
    python("program.py", cwd=folder, environment=variable, check=True)
    content = (folder / "a.jsonl").read_bytes()
    done = python("-m", "winsock.trace", "summary", "a.jsonl", cwd=folder, environment=variable, check=True)
    assert "all programs" not in done.stdout
    python("-m", "winsock.trace", "-o", "b.jsonl", "program.py", cwd=folder, environment=variable, check=True)
    assert (folder / "a.jsonl").read_bytes() == content
    assert len((folder / "b.jsonl").read_bytes().splitlines()) == 3


@pytest.mark.parametrize("name", ["trace.txt", "trace.jsonl"])
def test_a_trace_is_not_appended_to_the_unfinished_line_of_a_program_that_was_killed(folder: Path, name: str) -> None:
    (folder / name).write_text("... recv(256, ", encoding="ascii")
    python("program.py", cwd=folder, environment={"WINSOCK_TRACE": name}, check=True)
    lines = (folder / name).read_text(encoding="ascii").splitlines()
    assert lines[0] == "... recv(256, "
    python("program.py", cwd=folder, environment={"WINSOCK_TRACE": name}, check=True)
    assert len((folder / name).read_text(encoding="ascii").splitlines()) == 2 * len(lines) - 1


def test_the_format_can_be_selected(folder: Path) -> None:
    python(
        "program.py", cwd=folder, environment={"WINSOCK_TRACE": "a.jsonl", "WINSOCK_TRACE_FORMAT": "text"}, check=True
    )
    assert "htons(1) = 256" in (folder / "a.jsonl").read_text(encoding="ascii")
    done = python("program.py", cwd=folder, environment={"WINSOCK_TRACE": "-", "WINSOCK_TRACE_FORMAT": "json"})
    assert json.loads(done.stderr.splitlines()[1])["call"] == "htons"


def test_percent_p_is_replaced_by_the_process_id(folder: Path) -> None:
    python("program.py", cwd=folder, environment={"WINSOCK_TRACE": "%p.jsonl"}, check=True)
    (found,) = folder.glob("*.jsonl")
    assert json.loads(found.read_text(encoding="ascii").splitlines()[0])["pid"] == int(found.stem)


def test_a_trace_that_cannot_be_written_does_not_stop_the_program(folder: Path) -> None:
    done = python("program.py", cwd=folder, environment={"WINSOCK_TRACE": "missing/trace"})
    assert done.returncode == 0
    assert done.stdout.startswith("256")
    assert done.stderr.splitlines() == [
        "winsock.trace: cannot write the trace to missing/trace: No such file or directory"
    ]


@pytest.mark.parametrize(("program", "file"), [("program.py", "program.py"), (".", "__main__.py")])
def test_a_trace_is_not_appended_to_the_program(folder: Path, program: str, file: str) -> None:
    (folder / "__main__.py").write_text(PROGRAM, encoding="ascii")
    done = python(program, cwd=folder, environment={"WINSOCK_TRACE": file})
    assert done.returncode == 0
    assert done.stdout.startswith("256")
    assert done.stderr == f"winsock.trace: cannot write the trace to {file}: it is the program itself\n"
    assert (folder / file).read_text(encoding="ascii") == PROGRAM


def test_the_variables_in_this_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stopped: None
) -> None:
    monkeypatch.chdir(folder)
    start_by_environment({"WINSOCK_TRACE": "a.json", "WINSOCK_TRACE_FORMAT": "xml"})
    winsock.calls.htons(1)
    start_by_environment({"WINSOCK_TRACE": "missing/trace"})
    first, second = capsys.readouterr().err.splitlines()
    assert first == "winsock.trace: invalid WINSOCK_TRACE_FORMAT: 'xml'; use text or json"
    assert second == "winsock.trace: cannot write the trace to missing/trace: No such file or directory"
    assert json.loads(Path("a.json").read_text(encoding="ascii").splitlines()[1])["call"] == "htons"


# ---- a failed write


def test_a_program_continues_after_a_failed_write_of_the_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], stopped: None
) -> None:
    before = set(_descriptors())
    tracing = Tracing(tmp_path / "trace.txt", json=False)
    (opened,) = set(_descriptors()) - before
    os.close(opened)
    assert tracing.calls.htons(1) == 256
    assert tracing.calls.htons(2) == 512
    (line,) = capsys.readouterr().err.splitlines()
    # The reason is the system's text for a closed descriptor.
    assert re.match("winsock.trace: the trace ends because a write failed: [A-Z]", line)


def _descriptors() -> list[int]:
    found = []
    for descriptor in range(64):
        try:
            os.fstat(descriptor)
        except OSError:
            continue
        found.append(descriptor)
    return found


def test_a_trace_is_not_written_to_a_file_that_has_its_descriptor(folder: Path) -> None:
    (folder / "closes.py").write_text(CLOSES, encoding="ascii")
    done = python("-m", "winsock.trace", "-o", "trace.txt", "closes.py", cwd=folder, check=True)
    assert (folder / "own").read_text(encoding="ascii") == "mine"
    assert done.stderr == "winsock.trace: the trace ends because a write failed: Bad file descriptor\n"
    assert len((folder / "trace.txt").read_text(encoding="ascii").splitlines()) == 1


def test_a_program_without_standard_error_can_be_traced(tmp_path: Path) -> None:
    program = "import os, sys; os.close(2); sys.stderr = None; import winsock; print(winsock.htons(1))"
    done = python("-c", program, cwd=tmp_path, environment={"WINSOCK_TRACE": "-"})
    assert (done.stdout.strip(), done.returncode) == ("256", 0)


def test_standard_error_is_not_closed() -> None:
    output = Output("-", append=False)
    output.close()
    output.write("ignored")
    os.fstat(2)
