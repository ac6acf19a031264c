"""``python -m demos simulate``: options, exit codes and files."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from trace_kit import ROOT

from demos.__main__ import main
from demos.simulation import command, progress, report
from demos.simulation.runs import Outcome, Run
from demos.simulation.sweep import Sums
from winsock.command_line import INTERRUPTED

SHORT = ("--minutes", "2.5")


def run(*arguments: object) -> int:
    return main(["simulate", *map(str, arguments)])


def test_one_seed_is_run_and_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ticks", "--seed", 3, *SHORT) == 0
    output = capsys.readouterr().out
    assert output.startswith("ticks, seed 3: 2.5 min simulated")
    assert output.endswith("result: all invariants hold\n")
    assert max(map(len, output.splitlines())) < 80


def test_a_script_replaces_the_faults_of_the_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "script.faults"
    # As an editor on Windows writes it.
    script.write_bytes(b"\xef\xbb\xbfat 20 partition collector sender1 for 10\r\n")
    assert run("ticks", "--script", script, *SHORT) == 0
    assert "\nfaults\n  at 20 partition collector sender1 for 10\n\n" in capsys.readouterr().out


def test_a_sweep_is_summed_up_and_written_as_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "table.md"
    assert run("ticks", "--seeds", "1-2", "--processes", 1, "--table", table, *SHORT) == 0
    assert capsys.readouterr().out.startswith("ticks: 2 seeds, 5 min simulated in")
    assert "| ticks | 2 | 5 min |" in table.read_text(encoding="utf-8")


def test_seeds_of_one_scenario_have_priority_over_those_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ticks", "--seeds", "1-9", "--seeds", "ticks=3-3", "--processes", 1, *SHORT) == 0
    assert capsys.readouterr().out.startswith("ticks: 1 seeds")


def test_a_trace_can_be_drawn(tmp_path: Path) -> None:
    from winsock.trace.picture import main as picture

    assert run("signal", "--trace", tmp_path, *SHORT) == 0
    assert "process provider starts" in (tmp_path / "network.txt").read_text(encoding="utf-8")
    assert "start server ok" in (tmp_path / "provider.log").read_text(encoding="utf-8")
    traces = sorted(tmp_path.glob("*.jsonl"))
    assert len(traces) >= 3
    assert picture([*map(str, traces), "--html", str(tmp_path / "picture.html")]) == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("elsewhere",), "'elsewhere' is not a scenario"),
        (("all",), "`all` needs --seeds"),
        (("ticks", "--seeds", "5-1"), "'5-1' is not A-B"),
        (("ticks", "--seeds", "1-2", "--trace", "trace"), "--script and --trace concern one run"),
        (("ticks", "--table", "table.md"), "--table needs --seeds"),
        (("ticks", "--minutes", "0.5"), "30 s are too short"),
        (("ticks", "--seeds", "signal=1-2"), "--seeds has no seeds for ticks"),
        (("ticks", "--minutes", "0"), "'0' is not a number above 0"),
        (("ticks", "--hours", "nan"), "'nan' is not a number above 0"),
        (("ticks", "--hours", "1e300"), "at most 10,000 hours can be simulated"),
        (("all", "--seeds", "agents=1-2"), "--seeds has no seeds for broker"),
    ],
)
def test_options_that_cannot_be_used_are_reported_with_exit_code_2(
    arguments: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = run(*arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    assert code == 2
    assert text in capsys.readouterr().err


@pytest.mark.parametrize("processes", [1, 2])
def test_a_file_without_a_scenario_is_reported_in_one_line(
    processes: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "empty.py"
    file.write_text("", encoding="utf-8")
    assert run(file, "--seeds", "1-2", "--processes", processes, *SHORT) == 2
    assert capsys.readouterr().err.endswith("empty.py has no subclass of demos.simulation.scenario.Scenario\n")


def test_the_line_about_an_unknown_scenario_fits_into_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("elsewhere") == 2
    assert len(capsys.readouterr().err.rstrip()) < 80


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--help"], 0, "scenarios:\n  agents "),
        (["ticks", *SHORT], 0, "result: all invariants hold\n"),
        (["provider"], 2, "python -m demos simulate: error: the provider needs more packages: python -m pip "),
        (["provider", "--seeds", "1-2", "--processes", "1"], 2, "the provider needs more packages: python -m pip "),
    ],
)
def test_a_scenario_needs_only_the_packages_of_its_programs(arguments: list[str], code: int, text: str) -> None:
    program = "import sys; sys.modules['wsproto'] = None; import demos.__main__ as m; sys.exit(m.main(sys.argv[1:]))"
    command_line = [sys.executable, "-c", program, "simulate", *arguments]
    done = subprocess.run(command_line, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == code, done.stderr
    assert text in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_more_processes_than_seeds_are_not_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ticks", "--seeds", "1-2", "--processes", 10**17, *SHORT) == 0
    assert capsys.readouterr().out.startswith("ticks: 2 seeds")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGBREAK" if sys.platform == "win32" else "SIGHUP"])
def test_a_signal_lets_the_command_remove_its_temporary_files(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    number = getattr(signal, name)
    monkeypatch.setattr(command, "simulate", lambda run, **options: signal.raise_signal(number))
    previous = signal.signal(number, lambda *_: pytest.fail("the command does not handle the signal"))
    try:
        assert run("ticks", *SHORT) == INTERRUPTED
    finally:
        signal.signal(number, previous)
    assert capsys.readouterr().err.endswith("python -m demos: interrupted\n")


def test_an_invalid_script_is_reported_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "script.faults"
    script.write_text("at 20 explode collector\n", encoding="utf-8")
    assert run("ticks", "--script", script) == 2
    assert "line 1 of the fault script: unknown fault: 'explode'" in capsys.readouterr().err
    assert run("ticks", "--script", tmp_path / "none") == 4


def test_the_help_fits_into_80_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        run("--help")
    assert max(map(len, capsys.readouterr().out.splitlines())) < 80


def test_a_script_that_ends_too_late_to_be_judged_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "script.faults"
    script.write_text("at 590 vanish provider for 100\n", encoding="utf-8")
    assert run("signal", "--seed", 7, "--script", script) == 2
    error = capsys.readouterr().err
    assert "600 s are too short: faults last until 690 s" in error
    assert run("signal", "--seed", 7, "--script", script, "--minutes", error.split()[-1]) == 0


def test_a_folder_with_files_is_refused_for_a_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old.jsonl").write_text("", encoding="utf-8")
    assert run("ticks", "--trace", tmp_path, *SHORT) == 2
    assert "the folder of --trace has files already" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["old.jsonl"]


@pytest.mark.parametrize("option", ["--table", "--failures"])
def test_a_path_that_cannot_be_written_is_found_before_the_runs(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    monkeypatch.setattr(command, "sweep", lambda *arguments: pytest.fail("a run was started"))
    assert run("ticks", "--seeds", "1-2", option, file / "below") == 4
    assert str(file) in capsys.readouterr().err


@pytest.mark.posix_only(reason="Windows has no device that is always full")
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--table", "/dev/full"], "python -m demos simulate: error: /dev/full: No space left on device\n"),
        ([], "python -m demos: error: standard output cannot be written: No space left on device\n"),
    ],
)
def test_a_full_disk_is_reported_with_what_cannot_be_written(arguments: list[str], text: str) -> None:
    command_line = [sys.executable, "-m", "demos", "simulate", "ticks", "--seeds", "1-1", "--processes", "1", *SHORT]
    with open("/dev/full" if not arguments else "/dev/null", "w", encoding="utf-8") as output:
        done = subprocess.run(
            [*command_line, *arguments], cwd=ROOT, stdout=output, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (4, text)


def test_a_time_that_is_too_short_for_one_of_all_scenarios_is_found_before_the_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")
    monkeypatch.setattr(command, "sweep", lambda *arguments: pytest.fail("a run was started"))
    assert run("all", "--seeds", "1-2", "--minutes", 3) == 2
    assert "error: proxy: 180 s are too short" in capsys.readouterr().err


def test_the_short_script_is_shown_before_it_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(failure: object, folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(command, "simulate", lambda run, **options: failing(run))
    monkeypatch.setattr(command, "explain", lambda outcome, budget, show: outcome)
    monkeypatch.setattr(command.report, "failure_text", lambda failure, path: failure.script)
    monkeypatch.setattr(command, "write_failure", refuse)
    assert run("ticks", "--failures", tmp_path) == 4
    assert "at 5 crash collector for 1" in capsys.readouterr().out


def failing(run: Run) -> Outcome:
    return Outcome(
        run=run,
        script="at 5 crash collector for 1\n",
        violation=("ticks arrive again", "1 of 2 ticks are missing"),
        at=50.0,
        paths=[],
        missed=[],
        faults=[],
        unused=[],
        terminals=[],
        packets={},
    )


@pytest.mark.parametrize(
    ("end", "code", "text"),
    [
        (KeyboardInterrupt, INTERRUPTED, "\npython -m demos: interrupted\n"),
        (BrokenProcessPool, 1, "a process of the sweep was ended from outside; if memory is short, use fewer"),
    ],
)
def test_a_sweep_that_ends_early_shows_and_writes_what_it_has_found(
    end: type[BaseException],
    code: int,
    text: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(scenario: str, seeds: range, seconds: float, processes: int, show: object) -> Sums:
        sums = Sums()
        for seed in seeds[:3]:
            sums.take(failing(Run(scenario=scenario, seed=seed, seconds=seconds)))
            assert callable(show)
            show(sums)
        raise end

    monkeypatch.setattr(command, "sweep", interrupted)
    monkeypatch.setattr(progress, "PAUSE", 0.0)
    table = tmp_path / "table.md"
    assert run("ticks", "--seeds", "4-9", "--table", table) == code
    output = capsys.readouterr()
    assert text in output.err
    assert "interrupted after 3 of 6 seeds" in output.out
    assert "seed 5: ticks arrive again: 1 of 2 ticks are missing" in output.out
    assert "| 4, 5, 6 |" in table.read_text(encoding="utf-8")
    assert "failing: 4, 5, 6;" in output.err


def test_a_sweep_names_its_failing_seeds_and_writes_its_table_before_it_shrinks_their_scripts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failed(scenario: str, seeds: range, seconds: float, processes: int, show: object) -> Sums:
        sums = Sums()
        for seed in seeds:
            sums.take(failing(Run(scenario=scenario, seed=seed, seconds=seconds)))
        return sums

    def interrupted(outcome: Outcome, budget: int, show: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "sweep", failed)
    monkeypatch.setattr(command, "explain", interrupted)
    table = tmp_path / "table.md"
    assert run("ticks", "--seeds", "4-6", "--table", table) == INTERRUPTED
    assert "result: 3 of 3 seeds break an invariant: 4, 5, 6\n" in capsys.readouterr().out
    assert "| 4, 5, 6 |" in table.read_text(encoding="utf-8")


@pytest.mark.parametrize("seconds", [600.0, 24 * 3600.0, 187.407402, 1199.988, 3600 / 7])
def test_the_command_that_repeats_a_run_has_its_exact_time(seconds: float) -> None:
    words = report.command(Run(scenario="ticks", seed=1, seconds=seconds)).split()
    assert float(words[words.index("--minutes") + 1]) * 60 == pytest.approx(seconds, rel=1e-15)


def test_a_long_run_shows_its_progress(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PAUSE", 0.0)
    assert run("ticks", *SHORT) == 0
    assert "ticks, seed 1: 60 s of 2.5 min\n" in capsys.readouterr().err
