"""``python -m demos``: what a user types, sees and gets back."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import closing

import pytest
from terminal_kit import BARS, DATA, FOLLOWER, child, demos, wait_for

from demos.__main__ import main
from demos.registry import PROGRAMS, SUBCOMMANDS, Entry, Kind, Subcommand
from demos.terminal.paper.account import PaperAccount
from winsock.interrupts import interrupted_by_signals, stopped_by_signals

STUBBORN = DATA / "programs" / "stubborn.py"
ERROR = re.compile(r"usage: python -m demos run \S+ \[options\]\npython -m demos run \S+: error: ([^\n]+)\n")


def refusal(*arguments: object) -> str:
    """The one line that a bad option gets."""
    done = demos("run", FOLLOWER, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    match = ERROR.fullmatch(done.stderr)
    assert match, done.stderr
    return match[1]


def test_help_names_the_subcommands():
    done = demos("--help")
    assert done.returncode == 0
    assert "list the programs" in done.stdout
    assert "run one program on a chart" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("list",),
        *((name, "--help") for name in SUBCOMMANDS),
        *(("run", name, "--help") for name in PROGRAMS),
    ],
    ids=" ".join,
)
def test_help_fits_a_terminal_of_80_columns(arguments, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with contextlib.suppress(SystemExit):
        main(arguments)
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize("arguments", [(), ("nonsense",), ("--nonsense",), ("run",), ("run", "--Port", "1")])
def test_a_bad_command_line_is_code_2_and_no_traceback(arguments):
    done = demos(*arguments)
    assert done.returncode == 2
    assert "error: " in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_list_names_each_program_with_its_description(capsys, monkeypatch, tmp_path):
    (tmp_path / "one.py").write_text('"""Does it.\n\nMore."""\ndef OnTick(): pass\n', encoding="utf-8")
    (tmp_path / "two.py").write_text('"""Does more."""\ndef OnTimer(): pass\n', encoding="utf-8")
    monkeypatch.setattr("demos.registry._DEMOS", tmp_path)
    programs = {
        "my_program": Entry("one.py", Kind.STUDY, "longer_name_"),
        "longer_name_": Entry("two.py"),
        "a_name": Entry("two.py"),
    }
    monkeypatch.setattr("demos.registry.PROGRAMS", programs)
    assert main(["list"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "the article's programs, to read next to its listings:",
        "my_program    Does it.",
        "",
        "the product programs, which do more and use the same protocols:",
        "a_name        Does more.",
        "longer_name_  Does more.",
    ]


def test_each_study_program_has_a_product_program():
    for name, entry in PROGRAMS.items():
        if entry.kind is Kind.STUDY:
            assert PROGRAMS[entry.product].kind is Kind.PRODUCT, name
        else:
            assert entry.product == ""


def test_list_without_programs_prints_nothing(capsys, monkeypatch):
    monkeypatch.setattr("demos.registry.PROGRAMS", {})
    assert main(["list"]) == 0
    assert capsys.readouterr().out == ""


def test_list_names_a_program_that_is_not_python(capsys, monkeypatch, tmp_path):
    (tmp_path / "one.py").write_text("def OnTick(:\n", encoding="utf-8")
    monkeypatch.setattr("demos.registry._DEMOS", tmp_path)
    monkeypatch.setattr("demos.registry.PROGRAMS", {"mine": Entry("one.py")})
    with pytest.raises(SystemExit, match="2"):
        main(["list"])
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith(f"python -m demos list: error: {tmp_path / 'one.py'} is not Python: ")


def test_help_of_a_program_shows_its_inputs_with_defaults_the_commands_and_an_example():
    done = demos("run", FOLLOWER, "--help")
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    assert "Logs each event, and trades on request." in text
    order = [text.index(part) for part in ("inputs of follower:", "the terminal:", "--help", "the chart:", "commands")]
    assert order == sorted(order)
    assert "--Host STR address of the server, 100% optional (default: 127.0.0.1)" in text
    assert "--Port INT port of the server (default: 8081)" in text
    assert "--Fast [true|false] send at once (default: false)" in text
    assert "open, low, high and close" in text
    assert "buy LOTS" in text
    assert f"example: python -m demos run {FOLLOWER} --bars tests/data/EURUSD_H1.tsv" in text


def test_inputs_are_options_and_bars_are_replayed_with_commands_on_standard_input(tmp_path):
    events = tmp_path / "events.jsonl"
    done = demos(
        "run", FOLLOWER, "--Port", 9000, "--Host=::1", "--Fast", "--Factor", 0.5, "--bars", BARS, "--speed", "max",
        "--timer-ms", 20, "--duration", 0.5, "--events", events, "--account", tmp_path / "paper.db",
        input="buy 0.25\nnonsense\npositions\n",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = done.stdout.splitlines()
    assert re.fullmatch(r"done: buy 0\.25 EURUSD at 1\.2\d{4}, deal 1", answers[0])
    assert answers[1:] == ["error: unknown command 'nonsense'; help lists the commands", "EURUSD 0.25"]
    assert "follower[EURUSD,H1] info OnInit hello from ::1:9000 0.5 true" in done.stderr
    assert f"{BARS}: 200 bars of EURUSD, 5 digits" in done.stderr
    assert "info OnTimer timer at 2021.03.11 07:45:00" in done.stderr
    assert "info OnDeinit bye, reason 9 after 800 ticks" in done.stderr
    kinds = [json.loads(line)["kind"] for line in events.read_text(encoding="utf-8").splitlines()]
    assert kinds == ["ready", "deal"]
    with closing(PaperAccount(tmp_path / "paper.db")) as account:
        assert [position.volume for position in account.positions()] == [25]


def test_a_tick_export_is_replayed(tmp_path):
    path = tmp_path / "GBPUSD_202001020000.csv"
    path.write_text(
        "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\n2020.01.02\t00:00:00.123\t1.5\t1.502\t\t\t6\n",
        encoding="utf-16",
    )
    done = demos("run", FOLLOWER, "--ticks", path, "--digits", 4, "--speed", "60x", "--duration", 0.2, input="buy 1")
    assert done.stdout == "done: buy 1.00 GBPUSD at 1.5020, deal 1\n"
    assert f"{path}: 1 ticks of GBPUSD, 4 digits" in done.stderr


@pytest.mark.parametrize("option", ["--bars", "--ticks"])
@pytest.mark.parametrize(
    "command",
    [
        ("run", FOLLOWER, "--duration", 0.1),
        ("tick_clients", "EURUSD"),
        ("signal", "--duration", 0.1, "--json"),
        ("ticks", "--duration", 0.1, "--json", "--clients", 1),
    ],
)
def test_the_first_line_says_that_a_file_is_read(tmp_path, option, command):
    path = tmp_path / "EURUSD_H1.csv"
    header = {"--bars": "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>", "--ticks": "<DATE>\t<TIME>\t<BID>\t<ASK>"}
    row = {"--bars": "09:00:00\t1\t1\t1\t1", "--ticks": "09:00:00\t1\t1.1"}[option]
    # The file is malformed at its second row: nothing is started.
    path.write_text(f"{header[option]}\n2017.04.19\t{row}\nx\n", encoding="utf-8")
    done = demos(*command, option, path)
    assert done.returncode == 4
    first, last = done.stderr.splitlines()
    assert first.endswith((f" terminal info market reading {path}", f"job | reading {path}"))
    assert f"error: {path}: line 3: " in last


def test_a_random_walk_can_be_repeated_by_its_seed_and_has_its_symbol_and_digits():
    first = demos("run", FOLLOWER, "--duration", 0.1, "--Symbol", "USDJPY", "--digits", 3, input="buy 1")
    seed = re.search(r"random walk of USDJPY, --seed (\d+)", first.stderr)
    assert seed
    again = ("run", FOLLOWER, "--duration", 0.1, "--Symbol", "USDJPY", "--digits", 3, "--seed", seed[1])
    assert demos(*again, input="buy 1").stdout == first.stdout
    assert re.fullmatch(r"done: buy 1\.00 USDJPY at 1\d\d\.\d{3}, deal 1\n", first.stdout)


def test_a_program_without_a_use_of_prices_does_not_log_the_market():
    assert "random walk" not in demos("run", "sentiment_server", "--Port", 0, "--duration", 0.1).stderr
    assert "random walk" in demos("run", "signal_server", "--Port", 0, "--duration", 0.1).stderr


def test_lots_set_the_limits_of_an_order():
    done = demos("run", FOLLOWER, "--lots", "0.1:2:0.1", "--duration", 0.1, input="buy 0.05\nbuy 2.1\nbuy 0.3\n")
    assert done.stdout.splitlines()[:2] == [
        "error: volume 0.05 is not a multiple of the step 0.1",
        "error: volume 2.1 is above the maximum 2.00",
    ]
    assert done.stdout.splitlines()[2].startswith("done: buy 0.30 EURUSD")


def test_quit_ends_with_code_0_while_the_input_stays_open():
    with child("run", FOLLOWER) as process:
        process.stdin.write("quit\n")
        process.stdin.flush()
        assert process.wait() == 0
        assert "bye, reason 9" in process.stderr.read()


def test_the_end_of_standard_input_is_not_quit(tmp_path):
    with child("run", FOLLOWER, "--timer-ms", 50, stdin=subprocess.DEVNULL) as process:
        wait_for(process.stderr, "timer at")
        wait_for(process.stderr, "timer at")
        assert process.poll() is None


@pytest.mark.skipif(sys.platform == "win32", reason="a process starts without a standard input only on POSIX")
def test_a_closed_standard_input_is_no_hindrance(tmp_path):
    events = tmp_path / "events.jsonl"
    # Descriptor 0 is free then, and the next file that is opened gets it: nothing must read commands from there.
    options = f'--events "{events}" --bars "{BARS}" --duration 0.2'
    command = f'exec "{sys.executable}" -m demos run "{FOLLOWER}" {options} <&-'
    done = subprocess.run(["sh", "-c", command], cwd=BARS.parents[2], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert "bye, reason 9" in done.stderr


SIGNALS = ["SIGINT", "SIGTERM", "SIGBREAK" if sys.platform == "win32" else "SIGHUP"]


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_lets_the_event_function_return_and_runs_OnDeinit(tmp_path, name):
    path = tmp_path / "signalled.py"
    path.write_text(
        f"import signal\nfrom demos.terminal import EventSetMillisecondTimer, Print\n"
        f"def OnInit(): EventSetMillisecondTimer(1)\n"
        f"def OnTimer():\n    signal.raise_signal(signal.{name})\n    Print('to its end')\n"
        f"def OnDeinit(reason): Print('deinit ', reason)\n",
        encoding="utf-8",
    )
    done = demos("run", path)
    assert done.returncode == 0
    texts = [line.split(" ", 4)[4] for line in done.stderr.splitlines() if " signalled[" in line]
    assert texts == ["to its end", "deinit 9"]


@pytest.mark.parametrize("name", ["CTRL_BREAK_EVENT"] if sys.platform == "win32" else SIGNALS)
def test_a_signal_ends_the_wait_and_the_program_with_code_0(name):
    options = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if sys.platform == "win32" else {}
    with child("run", FOLLOWER, **options) as process:
        wait_for(process.stderr, "hello")
        try:
            process.send_signal(getattr(signal, name))
        except (OSError, SystemError) as error:
            # SystemError is what CPython makes of a second error on top of the first.
            pytest.skip(f"there is no console to send Ctrl-Break through: {error}")
        assert process.wait() == 0
        assert "follower[EURUSD,H1] info OnDeinit bye, reason 9" in process.stderr.read()


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process on Windows")
def test_a_second_ctrl_c_interrupts_a_program_that_does_not_return():
    with child("run", STUBBORN) as process:
        wait_for(process.stderr, "waiting")
        process.send_signal(signal.SIGINT)
        wait_for(process.stderr, "asked to stop")
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        rest = process.stderr.read()
    assert "stubborn[EURUSD,H1] info OnDeinit deinit" in rest
    assert rest.endswith(f"python -m demos run {STUBBORN}: interrupted\n")
    assert "Traceback" not in rest


# Raises the signal of Ctrl-C when a module is searched for.
INTERRUPTED_IMPORT = """
import runpy, signal, sys

class Finder:
    name = sys.argv.pop(1)

    def find_spec(self, name, *rest):
        if name == self.name:
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Finder())
runpy.run_module("demos", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(
    "module", ["winsock", "demos.registry", "demos.launcher.run_command", "demos.terminal.terminal"]
)
def test_ctrl_c_while_the_program_is_imported_is_one_line_and_the_code_130(module):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT, module, "run", str(FOLLOWER)],
        cwd=BARS.parents[2], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "python -m demos: interrupted\n")


@pytest.mark.posix_only(reason="Windows has no SIGHUP")
def test_a_process_that_ignores_the_end_of_its_terminal_still_does(monkeypatch):
    stops = []
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        for handling in (stopped_by_signals(lambda: stops.append(1)), interrupted_by_signals()):
            with handling:
                signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, former)
    assert not stops


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--Port", "many"), "argument --Port: 'many' is not a whole number"),
        (("--Port", "70000"), "input Port: 70000 is not a port"),
        (("--Fast", "maybe"), "argument --Fast: 'maybe' is neither true nor false"),
        (("--Prot", "1"), "unrecognized arguments: --Prot 1"),
        (
            ("--speed", "fast"),
            "argument --speed: invalid speed: 'fast'; use ticks per second (10), a factor (60x) or max",
        ),
        (("--digits", "9"), "argument --digits: '9' is not a whole number from 0 to 8"),
        (("--seed", "x"), "argument --seed: 'x' is not a whole number"),
        (("--seed", "1", "--bars", "x"), "argument --bars: not allowed with argument --seed"),
        (("--timer-ms", "0"), "argument --timer-ms: '0' is not a whole number of at least 1"),
        (("--duration", "-1"), "argument --duration: '-1' is not a number of seconds above 0"),
        (("--duration", "long"), "argument --duration: 'long' is not a number of seconds above 0"),
        (("--Symbol", "EUR|USD"), "argument --Symbol: a symbol's name cannot contain '|'"),
        (("--Symbol", " EURUSD"), "argument --Symbol: a symbol's name neither begins nor ends with a blank"),
        (("--Symbol", "EUR\nUSD"), "argument --Symbol: a symbol's name has no control characters: 'EUR\\nUSD'"),
        (("--Symbol", ""), "argument --Symbol: a symbol's name is empty"),
        (("--chart", "EUR|USD,H1"), "argument --chart: a symbol's name cannot contain '|'"),
        (("--chart", "EURUSD"), "argument --chart: 'EURUSD' is not SYMBOL,PERIOD; periods: M1,"),
        (("--lots", "1"), "argument --lots: '1' is not MIN:MAX:STEP in lots, as in 0.01:100:0.01"),
        (("--lots", "0.1:1:0"), "argument --lots: '0.1:1:0' is not"),
        (("--lots", "0.15:1:0.1"), "argument --lots: '0.15:1:0.1' is not"),
        (("--lots", "2:1:0.1"), "argument --lots: '2:1:0.1' is not"),
        (("--history", "1000001"), "--history 1000001 is too long: a random walk has at most 1000000 ticks"),
    ],
)
def test_a_bad_option_is_one_clear_line(arguments, said):
    assert refusal(*arguments).startswith(said)


@pytest.mark.parametrize("symbol", ["Volatility 75 Index", "eurusd", "EURUSD.m", "#AAPL", "EURUSD_i", "EUR USD", "A,B"])
def test_every_symbol_that_the_protocols_can_carry_is_accepted(symbol):
    done = demos("run", FOLLOWER, "--Symbol", symbol, "--duration", 0.1, input="positions")
    assert (done.returncode, done.stdout) == (0, f"{symbol} 0.00\n")
    done = demos("run", FOLLOWER, "--chart", f"{symbol},M15", "--duration", 0.1)
    assert done.returncode == 0
    assert f"follower[{symbol},M15] info OnInit" in done.stderr


@pytest.mark.parametrize(
    ("program", "commands", "others"),
    [
        ("tick_client", {"help", "quit"}, {"buy", "close", "chart", "fibo"}),
        ("provider", {"buy", "close", "help", "quit"}, {"chart", "fibo"}),
        ("chart_server", {"chart", "fibo", "help", "quit"}, {"buy", "close"}),
    ],
)
def test_help_shows_only_the_commands_that_apply_to_the_program(program, commands, others, capsys):
    with pytest.raises(SystemExit):
        main(["run", program, "--help"])
    _, _, after = capsys.readouterr().out.partition("commands on standard input, one on each line:\n")
    shown = {line.split()[0] for line in after.partition("example:")[0].splitlines() if line.strip()}
    assert commands <= shown
    assert not others & shown


@pytest.mark.parametrize("program", ["chart_server", "provider", "signal_server", "tick_server"])
def test_a_running_program_accepts_exactly_the_commands_that_its_help_option_shows(program, capsys, tmp_path):
    with pytest.raises(SystemExit):
        main(["run", program, "--help"])
    _, _, after = capsys.readouterr().out.partition("commands on standard input, one on each line:\n")
    shown = after.partition("example:")[0].split()
    others = [name for name in ("buy", "chart") if name not in shown]
    done = demos(
        "run", program, "--Port", 0,
        *(["--plain-port", 0, "--state", tmp_path / "p.sqlite"] if program == "provider" else []),
        "--seed", 1, "--speed", "max", "--duration", 3,
        input="".join(f"{command}\n" for command in ("help", *others, "quit")),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = done.stdout.splitlines()
    errors = [f"error: unknown command '{name}'; help lists the commands" for name in others]
    lines = answers[: len(answers) - len(errors)]
    assert " ".join(lines).split() == shown
    assert answers[len(lines) :] == errors


STUDY = """\
from typing import Annotated
from demos.terminal import Input
def OnTick(): pass
Host: Annotated[str, Input("address")] = "127.0.0.1"
Port: Annotated[int, Input("port")] = 8081
"""
PRODUCT = (
    STUDY
    + """\
map: Annotated[str, Input("names")] = ""
fast: Annotated[bool, Input("at once")] = False
"""
)


@pytest.fixture
def study(monkeypatch, tmp_path, capsys):
    """Run a study program with these options, in this process: its exit code and its last line."""
    (tmp_path / "study.py").write_text(STUDY, encoding="utf-8")
    (tmp_path / "product.py").write_text(PRODUCT, encoding="utf-8")
    monkeypatch.setattr("demos.registry._DEMOS", tmp_path)
    programs = {"signal_client": Entry("study.py", Kind.STUDY, "copier"), "copier": Entry("product.py")}
    monkeypatch.setattr("demos.registry.PROGRAMS", programs)

    def run(*options: str) -> tuple[object, str]:
        try:
            code: object = main(["run", "signal_client", *options])
        except SystemExit as ended:
            code = ended.code
        return code, capsys.readouterr().err.splitlines()[-1]

    return run


@pytest.mark.skipif(sys.platform == "win32", reason="the command is quoted for another shell there")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--Host", "127.0.0.1", "--map", "GOLD=XAUUSD"],
            "no --map; the product program has it: python -m demos run copier --Host 127.0.0.1 --map GOLD=XAUUSD",
        ),
        (
            ["--map=A=B C", "--fast", "--bars", "x y"],
            "no --map or --fast; the product program has them: "
            "python -m demos run copier '--map=A=B C' --fast --bars 'x y'",
        ),
    ],
)
def test_a_study_program_that_is_given_a_product_option_prints_the_product_programs_command(study, options, said):
    prefix = "python -m demos run signal_client: error: signal_client is the article's program and has "
    assert study(*options) == (2, prefix + said)


def test_an_option_that_neither_program_has_is_the_usual_error(study):
    for options in (["--mop", "x"], ["--map", "x", "--mop"], ["stray"]):
        code, line = study(*options)
        assert code == 2
        assert line == f"python -m demos run signal_client: error: unrecognized arguments: {' '.join(options)}"


def test_the_terminals_own_options_work_with_a_study_program(study):
    code, line = study("--bars", str(BARS), "--speed", "max", "--duration", "0.1", "--Port", "1")
    assert code == 0
    assert "the last tick has been replayed" in line or "200 bars" in line


def test_the_product_program_takes_its_own_options(study, capsys):
    assert main(["run", "copier", "--map", "A=B", "--duration", "0.05"]) == 0
    assert "error" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_module\ndef OnTick(): pass", "cannot be imported: No module named 'no_such_module'"),
        ("x = 1", "is not a program"),
        ("def OnTick(: pass", "is not Python"),
        (
            "from typing import Annotated\nfrom demos.terminal import Input\ndef OnTick(): pass\n"
            "account: Annotated[str, Input('name')] = ''",
            "input account has the name of one of the terminal's own options",
        ),
    ],
)
def test_a_program_that_cannot_be_used_is_one_clear_line(tmp_path, source, said):
    path = tmp_path / "broken.py"
    path.write_text(source, encoding="utf-8")
    done = demos("run", path)
    assert done.returncode == 2
    match = ERROR.fullmatch(done.stderr)
    assert match
    assert said in match[1]


def test_an_unknown_program_is_one_clear_line():
    done = demos("run", "nothing")
    assert done.returncode == 2
    assert ERROR.fullmatch(done.stderr)


def test_a_program_without_inputs_imports_its_neighbours(tmp_path):
    (tmp_path / "neighbour.py").write_text("TEXT = 'from next door'\n", encoding="utf-8")
    path = tmp_path / "simple.py"
    path.write_text(
        "from demos.terminal import Print\nfrom neighbour import TEXT\ndef OnStart(): Print(TEXT)\n", encoding="utf-8"
    )
    done = demos("run", path)
    assert done.returncode == 0
    assert "simple[EURUSD,H1] info OnStart from next door" in done.stderr
    assert "--Host" not in demos("run", path, "--help").stdout


def test_a_malformed_market_file_is_code_4_before_anything_runs(tmp_path):
    path = tmp_path / "EURUSD_H1.tsv"
    path.write_bytes(BARS.read_bytes() + b"2021.03.11\t08:00:00\t1.2\r\n")
    done = demos("run", FOLLOWER, "--bars", path)
    assert done.returncode == 4
    first, last = done.stderr.splitlines()
    assert first.endswith(f" terminal info market reading {path}")
    expected = f"{path}: line 202: expected 9 tab-separated columns, found '3'"
    assert last == f"python -m demos run {FOLLOWER}: error: {expected}"


def test_a_file_that_is_no_account_is_code_4(tmp_path):
    path = tmp_path / "paper.db"
    path.write_bytes(BARS.read_bytes())
    done = demos("run", FOLLOWER, "--account", path)
    assert done.returncode == 4
    assert done.stderr == f"python -m demos run {FOLLOWER}: error: {path} is not an account\n"


def test_an_account_that_knows_the_symbol_with_other_digits_is_code_4(tmp_path):
    path = tmp_path / "paper.db"
    demos("run", FOLLOWER, "--account", path, "--duration", 0.1, input="buy 1")
    done = demos("run", FOLLOWER, "--account", path, "--digits", 3)
    assert done.returncode == 4
    said = "EURUSD has 5 digits and volume step 0.01 there, 3 digits and step 0.01 in this market"
    assert done.stderr == f"python -m demos run {FOLLOWER}: error: {path}: {said}\n"


def test_an_event_file_that_cannot_be_opened_is_code_4(tmp_path):
    done = demos("run", FOLLOWER, "--events", tmp_path / "missing" / "events")
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1


def test_when_nobody_reads_the_answers_the_program_ends_with_code_4():
    with child("run", FOLLOWER) as process:
        process.stdout.close()
        process.stdin.write("help\n")
        process.stdin.flush()
        assert process.wait() == 4
        rest = process.stderr.read()
    assert "bye, reason 9" in rest
    assert "error: standard output cannot be written: " in rest.splitlines()[-1]
    assert "Traceback" not in rest


@pytest.mark.parametrize(
    "arguments", [("list",), ("--help",), ("run", "--help"), ("run", "copier", "--help"), ("signal", "-h")]
)
def test_when_nobody_reads_a_list_or_a_help_text_the_command_ends_silently(arguments):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        with child(*arguments, stdout=writing) as process:
            process.stdin.close()
            assert (process.stderr.read(), process.wait()) == ("", 0)
    finally:
        os.close(writing)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has /dev/full")
@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        ("signal", "--bars", BARS, "--speed", "max", "--timer-ms", 20, "--json"),
        ("ticks", "--bars", BARS, "--speed", "max", "--timer-ms", 20, "--duration", 1),
        ("tpl", "--no-pictures", "--bars", BARS, "--out"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_standard_output_that_cannot_be_written_is_one_clear_line_and_code_4(arguments, tmp_path):
    folder = [tmp_path] if arguments[-1] == "--out" else []
    with open("/dev/full", "w", encoding="utf-8") as full, child(*arguments, *folder, stdout=full) as process:
        process.stdin.close()
        errors = process.stderr.read()
        assert process.wait() == 4, errors
    assert "standard output cannot be written: No space left on device" in errors.splitlines()[-1]
    assert "Traceback" not in errors


def test_when_nobody_reads_the_log_the_program_ends_with_code_4():
    with child("run", FOLLOWER, "--timer-ms", 20) as process:
        wait_for(process.stderr, "hello")
        process.stderr.close()
        assert process.wait() == 4


def test_a_symbol_that_the_code_page_lacks_is_shown_escaped():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = demos("run", FOLLOWER, "--Symbol", "ЖУК", "--duration", 0.1, input="positions", env=environment)
    assert done.stdout == "\\u0416\\u0423\\u041a 0.00\n"


def test_a_subcommand_that_is_not_there_is_not_offered(monkeypatch, capsys):
    monkeypatch.setitem(SUBCOMMANDS, "later", Subcommand("demos.not_yet_written", "something"))
    assert main(["list"]) == 0
    with pytest.raises(SystemExit) as caught:
        main(["later"])
    assert caught.value.code == 2
    assert "invalid choice: 'later'" in capsys.readouterr().err


def test_a_program_can_add_a_symbol_to_a_random_walk_and_not_to_a_file(tmp_path):
    path = tmp_path / "probe.py"
    path.write_text(
        '''"""Selects symbols."""
from demos.terminal import *

def OnInit():
    Print("selected ", SymbolSelect("GOLD", True), SymbolSelect("A|B", True))
    EventSetMillisecondTimer(10)

def OnTimer():
    if not SymbolSelect("GOLD", True) or SymbolInfoDouble("GOLD", SYMBOL_BID):
        Print("bid ", SymbolInfoDouble("GOLD", SYMBOL_BID) > 0)
        ExpertRemove()
''',
        encoding="utf-8",
    )
    for options, answers in ((("--seed", 1), ("truefalse", "true")), (("--bars", BARS), ("falsefalse", "false"))):
        done = demos("run", path, "--speed", "max", "--duration", 20, *options)
        assert done.returncode == 0
        assert f"selected {answers[0]}" in done.stderr
        assert f"bid {answers[1]}" in done.stderr
