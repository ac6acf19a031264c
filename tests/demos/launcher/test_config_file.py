"""The file of --config: every option by its name, and one clear error for what is wrong with it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from terminal_kit import BARS, demos

from demos.__main__ import main
from demos.launcher.config_file import read_config
from demos.launcher.run_options import add_options, given_inputs, parse_options, program_parser, variables_by_option
from demos.registry import PROGRAMS, find_program
from demos.terminal.interfaces import ProgramError
from demos.terminal.runtime.programs import InputVariable, forget_program, input_variables, load_program, read_program

SOURCE = '''
"""Has inputs of all types."""
from typing import Annotated
from demos.terminal import Input
Port: Annotated[int, Input("a port", check=lambda value: "invalid port" if value < 0 else None)] = 8081
plain_host: Annotated[str, Input("a host")] = "127.0.0.1"
factor: Annotated[float, Input("a factor")] = 1.0
fast: Annotated[bool, Input("a switch")] = False
token_file: Annotated[str, Input("a file", file="read")] = ""
def OnInit() -> int:
    from demos.terminal import Event
    Event("inputs", port=Port, plain_host=plain_host, factor=factor, fast=fast)
    return 0
def OnTimer() -> None: ...
'''


class Bench:
    """The parser of a program with inputs of all types."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "probe.py"
        self.path.write_text(SOURCE, encoding="utf-8")
        self.config = folder / "probe.toml"
        program = read_program(self.path, "probe")
        assert program
        module = load_program(program)
        self.variables: dict[str, InputVariable] = input_variables(module)
        forget_program(module)
        self.parser = program_parser("probe")
        add_options(self.parser, program, self.variables, ())

    def options(self, text: str, *arguments: str):
        self.config.write_text(text, encoding="utf-8")
        options, unknown = parse_options(self.parser, self.variables, ["--config", str(self.config), *arguments])
        assert not unknown
        return options

    def problem(self, text: str) -> str:
        """The error of a file with this text, from the line number on."""
        with pytest.raises(ProgramError) as caught:
            self.options(text)
        place = str(self.config)
        assert str(caught.value).count(place) == 1
        return str(caught.value).partition(place)[2].lstrip(": ")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


ALL = """
# Inputs and options, in any order.
Port = 9000
plain-host = "::1"
factor = 2          # a whole number is a number
"fast" = true
duration = 1.5
timer-ms = 20
speed = "60x"
lots = "0.1:5:0.1"
live = false
account = 'C:\\new\\account.sqlite'
"""


def test_a_file_has_inputs_and_options_by_their_names(bench):
    options = bench.options(ALL)
    inputs = given_inputs(options)
    assert (inputs["Port"], inputs["plain_host"], inputs["factor"], inputs["fast"]) == (9000, "::1", 2.0, True)
    assert type(inputs["factor"]) is float
    assert (options.duration, options.timer_ms, options.speed, options.live) == (1.5, 20, "60x", False)
    assert options.lots == bench.parser.parse_args(["--lots", "0.1:5:0.1"]).lots
    assert options.account == Path("C:\\new\\account.sqlite")


def test_what_the_file_does_not_have_keeps_its_default(bench):
    options = bench.options("Port = 9000")
    defaults = vars(bench.parser.parse_args([]))
    assert {name for name, value in vars(options).items() if value != defaults[name]} == {"input:Port", "config"}


def test_the_command_line_has_priority(bench):
    options = bench.options(ALL, "--Port", "7", "--fast=false", "--duration=9", "--plain-host", "localhost")
    inputs = given_inputs(options)
    assert (inputs["Port"], inputs["plain_host"], inputs["fast"]) == (7, "localhost", False)
    assert options.duration == 9


def test_a_source_on_the_command_line_replaces_another_source_of_the_file(bench):
    options = bench.options(f"bars = '{BARS}'", "--seed", "3")
    assert (options.bars, options.seed) == (None, 3)
    options = bench.options("seed = 0", "--seed", "3")
    assert options.seed == 3


def test_each_option_can_be_in_a_file(bench):
    keys = {name.removeprefix("--") for name in bench.parser._option_string_actions if name.startswith("--")}
    keys -= {"config", "help"}
    bench.config.write_text("".join(f'"{key}" = []\n' for key in keys), encoding="utf-8")
    config = read_config(bench.config, bench.parser, variables_by_option(bench.variables))
    # An array is a value of no option: so each key is known, and each has a problem.
    assert len(config.problems) == len(keys)
    assert all(problem.endswith(" needed") for problem in config.problems)


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_takes_its_own_defaults_from_a_file(name, tmp_path):
    program = find_program(name)
    module = load_program(program)
    try:
        variables = input_variables(module)
    finally:
        forget_program(module)
    parser = program_parser(name)
    add_options(parser, program, variables, ())
    lines = [f"{key.replace('_', '-')} = {json.dumps(each.default)}\n" for key, each in variables.items()]
    config = tmp_path / "all.toml"
    config.write_text("".join(lines), encoding="utf-8")
    options, _ = parse_options(parser, variables, ["--config", str(config)])
    assert given_inputs(options) == {key: each.default for key, each in variables.items()}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('\nPort = "8081"', "line 2: Port = '8081': a whole number is needed"),
        ("Port = 1.0", "line 1: Port = 1.0: a whole number is needed"),
        ("Port = true", "line 1: Port = true: a whole number is needed"),
        ("Port = -5", "line 1: Port = -5: invalid port"),
        (f"Port = {10**18}", f"line 1: Port = {10**18}: '{10**18}' is not a whole number"),
        ('factor = "2"', "line 1: factor = '2': a number is needed"),
        ("factor = nan", "line 1: factor = nan: 'nan' is not a number"),
        ("fast = 1", "line 1: fast = 1: true or false is needed"),
        ("live = 'yes'", "line 1: live = 'yes': true or false is needed"),
        ("plain-host = 5", "line 1: plain-host = 5: text in quotes is needed"),
        ("plain-host = ['a']", "line 1: plain-host = ['a']: text in quotes is needed"),
        ('account = ""', "line 1: account = '': a value is needed; leave the option out for its default"),
        ("account = 5", "line 1: account = 5: text in quotes is needed"),
        ("speed = []", "line 1: speed = []: a number or text in quotes is needed"),
        ("duration = 0", "line 1: duration = 0: '0' is not a number of seconds above 0"),
        ('terminal = "mt4"', "line 1: terminal = 'mt4': use one of embedded, mt5"),
        (
            'account = "C:\\new"',
            "line 1: account = 'C:\\new': a control character cannot be used; write a Windows path in single quotes",
        ),
        ("port = 1", "line 1: unknown option port; did you mean Port?"),
        ("plain_host = 1", "line 1: unknown option plain_host; did you mean plain-host?"),
        ("zzz = 1", "line 1: unknown option zzz; `python -m demos run probe --help` shows all options"),
        ("config = 'b'", "line 1: unknown option config; `python -m demos run probe --help` shows all options"),
        ("token = 'x'", "line 1: token is a secret: store it in a file, and give its name with token-file"),
        ("[inputs]\nPort = 1", "line 1: [inputs] is a table: a file has no tables, only options such as Port = 8081"),
        ("bars = 'a'\nseed = 1", "bars and seed exclude each other: use one of them"),
        ("plain-host = 'Port = 1'\nPort = 1.5", "line 2: Port = 1.5: a whole number is needed"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_one_clear_error_with_its_place(bench, text, problem):
    assert bench.problem(text).startswith(problem)


def test_the_line_is_left_out_when_several_lines_look_like_the_key(bench):
    text = "plain-host = '''Host = 1\nPort = 2'''\nPort = 1.5"
    bench.config.write_text(text, encoding="utf-8")
    config = read_config(bench.config, bench.parser, variables_by_option(bench.variables))
    assert config.problems[-1] == f"{bench.config}: Port = 1.5: a whole number is needed"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"Port = \n", "is not TOML: Invalid value (at line 1, column 8)"),
        (b"Port = 1\nPort = 2\n", "is not TOML: Cannot overwrite a value (at line 2, column 9)"),
        (b"Port = 1\nPort = 2", "(at line 2, column 9); the file has the key Port twice"),
        (b'Port = 1\nlog = "a', " (at line 2, column "),
        (b"Port = ", "(at line 1, column 8)"),
        (b'account = "C:\\Users"', "; write a Windows path in single quotes: 'C:\\folder\\file'"),
        (b"a=" + b"[" * 100_000, "is not TOML: "),
        (b"Port = 1 # \xff", "is not UTF-8: save it in this encoding"),
    ],
)
def test_a_file_that_is_not_toml_is_one_clear_error(bench, data, problem):
    bench.config.write_bytes(data)
    with pytest.raises(ProgramError, match="--config") as caught:
        parse_options(bench.parser, bench.variables, ["--config", str(bench.config)])
    assert problem in str(caught.value)


def test_line_ends_of_windows_and_a_byte_order_mark_are_accepted(bench):
    bench.config.write_bytes(b"\xef\xbb\xbf# a comment\r\nPort = 9000\r\n")
    options, _ = parse_options(bench.parser, bench.variables, ["--config", str(bench.config)])
    assert given_inputs(options)["Port"] == 9000


def test_all_problems_of_a_file_are_found(bench):
    bench.config.write_text("Port = 1.5\nzzz = 1\nduration = 0\n", encoding="utf-8")
    config = read_config(bench.config, bench.parser, variables_by_option(bench.variables))
    assert [problem.split(": ")[0].rpartition(" ")[2] for problem in config.problems] == ["1", "2", "3"]


# ---- as a command


def test_a_program_runs_with_its_file(bench, tmp_path):
    events = tmp_path / "events.jsonl"
    bench.config.write_text(
        f"Port = 9000\nplain-host = 'x'\nfast = true\nduration = 0.1\nevents = '{events}'\n", encoding="utf-8"
    )
    done = demos("run", bench.path, "--config", bench.config, "--factor=3")
    assert done.returncode == 0, done.stderr
    event = next(event for event in map(json.loads, events.read_text().splitlines()) if event["kind"] == "inputs")
    assert (event["port"], event["plain_host"], event["factor"], event["fast"]) == (9000, "x", 3.0, True)


def error_of(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["run", *map(str, arguments)])
    assert caught.value.code == 2
    return capsys.readouterr().err.splitlines()[-1].partition(": error: ")[2]


def test_a_missing_file_is_one_clear_error(bench, capsys):
    config = bench.config.with_name("missing.toml")
    expected = f"--config {config} cannot be read: No such file or directory"
    assert error_of(capsys, bench.path, "--config", config) == expected


def test_no_output_replaces_the_file_of_the_options(bench, capsys):
    bench.config.write_text("Port = 1\n", encoding="utf-8")
    error = error_of(capsys, bench.path, "--config", bench.config, "--events", bench.config)
    assert error == f"--events {bench.config} would overwrite the file of --config; use another file"
    assert bench.config.read_text() == "Port = 1\n"


def test_no_output_replaces_a_file_that_an_input_names(bench, capsys, tmp_path):
    secret = tmp_path / "token"
    error = error_of(capsys, bench.path, f"--token-file={secret}", f"--account={secret}")
    assert error == f"--account {secret} would overwrite the file of --token-file; use another file"


def test_an_input_with_an_underscore_has_an_option_with_a_hyphen(bench, capsys):
    assert given_inputs(bench.parser.parse_args(["--plain-host", "::1"]))["plain_host"] == "::1"
    assert "--plain-host STR" in bench.parser.format_help()
    assert error_of(capsys, bench.path, "--plain_host", "x") == "unrecognized arguments: --plain_host x"


def test_an_input_whose_option_is_one_of_the_terminals_is_refused(bench, capsys):
    bench.path.write_text(SOURCE.replace("token_file", "mt5_path"), encoding="utf-8")
    expected = "input mt5_path has the name of one of the terminal's own options"
    assert error_of(capsys, bench.path) == expected


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="from Python 3.11 on tomllib is part of the standard library")
def test_without_tomli_the_error_names_the_extra(bench, monkeypatch):
    monkeypatch.setitem(sys.modules, "tomli", None)
    with pytest.raises(ProgramError, match=r'python -m pip install -e "\.\[demos\]"'):
        bench.options("Port = 1")
