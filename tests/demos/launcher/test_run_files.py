"""No output of ``run`` replaces a file that one of the program's inputs names, whatever the form of the input."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from terminal_kit import FOLLOWER

from demos.__main__ import main
from demos.launcher.run_options import input_option
from demos.registry import PROGRAMS, find_program
from demos.terminal.runtime.programs import InputVariable, forget_program, input_variables, load_program

# The inputs with a text that names no file.
NOT_FILES = {
    *("Host", "hosts", "plain_host", "url", "upstream", "broker", "publish", "alert_webhook", "topics"),
    *("name", "login", "broker_login", "publish_login", "pin", "broker_pin", "publish_pin"),
    *("map", "suffix", "only", "reconcile", "scale", "join", "stale", "on_end", "parameters"),
}

# The values of inputs that are not simply the path of a file; FILE is in its place.
FORMS = {
    "strategy": ("FILE", "FILE:run"),
    "indicators": ("sma:20,FILE:val", "FILE:val,other.py:val,rsi:14"),
    "alert_command": ("FILE", "notify --to FILE"),
    "folder": ("FOLDER",),
}
LISTS = {("proxy", name) for name in ("password_file", "token_file", "ca")}

# What creates, replaces or extends a file.
OUTPUTS = ("--picture", "--save-template", "--events", "--log", "--account")


@cache
def variables(name: str) -> dict[str, InputVariable]:
    module = load_program(find_program(name))
    try:
        return input_variables(module)
    finally:
        forget_program(module)


def cases() -> list[tuple[str, str, str]]:
    """Each program with each of its inputs that name files, and each form of its value."""
    found = []
    for program in PROGRAMS:
        for name, variable in variables(program).items():
            if variable.input.file:
                forms = FORMS.get(name, ("FILE", "FILE,other", "other,FILE") if (program, name) in LISTS else ("FILE",))
                found += [(program, name, form) for form in forms]
    return found


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_input_that_is_a_text_is_declared_as_a_file_or_listed_here_as_none(program):
    texts = {name: each for name, each in variables(program).items() if each.type is str}
    assert {name for name, each in texts.items() if not each.input.file} <= NOT_FILES
    for name, each in texts.items():
        if each.input.file:
            assert name not in NOT_FILES
            assert list(each.input.paths("x.py:f" if name == "indicators" else "x")) or name == "alert_command"


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["run", *arguments])
    assert caught.value.code == 2
    return capsys.readouterr().err.splitlines()[-1].partition(": error: ")[2]


@pytest.mark.parametrize(("program", "name", "form"), cases())
def test_no_output_replaces_a_file_that_an_input_names(program, name, form, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file = Path("passwords" if name == "folder" else "file.py")
    file.write_text("precious", encoding="ascii")
    value = form.replace("FILE", str(file)).replace("FOLDER", ".")
    for output in OUTPUTS:
        error = error_of(capsys, program, f"{input_option(name)}={value}", output, str(file))
        # A database is an output too.
        assert f"{output} {file} would overwrite the file of {input_option(name)}" in error
    assert file.read_text(encoding="ascii") == "precious"


@pytest.mark.parametrize("option", ["--hold", "--template"])
def test_no_output_replaces_a_file_that_an_option_names(option, tmp_path, capsys):
    file = tmp_path / "file"
    error = error_of(capsys, str(FOLLOWER), option, str(file), "--log", str(file))
    assert error == f"--log {file} would overwrite the file of {option}; use another file"
