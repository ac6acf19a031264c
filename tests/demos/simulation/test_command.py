"""``python -m demos simulate``: options, exit codes and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from demos.__main__ import main

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
    script.write_text("at 20 partition collector sender1 for 10\n", encoding="utf-8")
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
