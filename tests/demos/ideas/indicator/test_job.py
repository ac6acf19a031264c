"""The indicator job with real processes: equal values and pictures, also after kills; its errors, table and figures."""

from __future__ import annotations

import io
import itertools
import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from signal_kit import close, listener, port_of
from terminal_kit import BARS, child, demos

from demos.__main__ import main
from demos.ideas.indicator import job as indicator_job
from demos.ideas.indicator.tally import Tally
from demos.ideas.indicator.view import summary_text, tables
from demos.launcher.children import Child
from winsock import MAKEWORD, WSADATA, WSACleanup, WSAStartup

CHARTS = indicator_job.drawing.problem() is None
PICTURES = () if CHARTS else ("--no-pictures",)
SHORT = ("--bars", BARS, "--replay", "8", "--duration", "1", "--clients", "1", "--timer-ms", "20")

_PROCESS = re.compile(r"job \| (\w+) is process (\d+)")


def job(folder: Path, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    return demos("indicator", "--out", folder, *arguments, **options)


def summary(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_values_and_pictures_are_equal_and_are_left_in_the_folder(tmp_path):
    found = summary(job(tmp_path, *SHORT, *PICTURES, "--json"))
    assert (found["equal"], found["problem"], found["restarts"]) == (True, None, 0)
    assert found["lines"] == ["SMA(20)", "EMA(50)", "RSI(14)", "ATR(14)"]
    [client] = found["per_client"]
    assert client["values_equal"] is True
    assert client["unequal_pixels"] == (0 if CHARTS else None)
    names = ["client1.csv", "server.csv", *(["client1.png", "server.png"] if CHARTS else [])]
    assert sorted(Path(path).name for path in found["files"]) == sorted(names)
    rows = (tmp_path / "server.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == found["bars"] + 1 > 60
    assert all(rows[-1].split(","))


def test_the_result_is_shown_in_lines_and_the_server_calculates_a_function_of_the_user(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def middle(bars): return (bars[-1].high + bars[-1].low) / 2", encoding="utf-8")
    done = job(tmp_path / "out", *SHORT, "--no-pictures", f"--indicators=sma:5,{path}:middle:prices")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("2 lines (SMA(5), mine.middle) at ")
    assert lines[1].startswith("client1  equal values, no picture; lag ")
    assert lines[2].startswith("lag from the close of a bar to its drawing: ")
    assert lines[3:] == [f"wrote {tmp_path / 'out' / each}" for each in ("client1.csv", "server.csv")]


def kill(pid: int) -> None:
    # On Windows SIGTERM is TerminateProcess, as abrupt as SIGKILL is elsewhere.
    os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))


@pytest.mark.wine_differs("a process that is killed can leave its port in use for minutes", run=False)
def test_values_are_equal_after_the_server_and_a_client_were_killed(tmp_path):
    options = ("--seed", 3, "--replay", 40, "--duration", 4, "--timer-ms", 20, "--no-pictures", "--json")
    pids: dict[str, int] = {}
    # The server is killed in the replay, a client when it follows the new server.
    victims = {"server": ("client2", "the replay begins"), "client1": ("client1", "SMA(20)")}
    with child("indicator", "--out", tmp_path, *options) as process:
        for line in process.stderr:
            if started := _PROCESS.match(line):
                pids[started[1]] = int(started[2])
            name, (writer, text) = next(iter(victims.items()), ("", ("none", "")))
            if line.startswith(f"{writer} ") and text in line and name in pids:
                kill(pids.pop(name))
                del victims[name]
        output = process.stdout.read()
    assert process.wait() == 0, output
    found = json.loads(output)
    assert victims == {}
    assert found["restarts"] == 2
    assert found["equal"] is True
    assert [each["restarts"] for each in found["per_client"]] == [1, 0]


def test_a_port_in_use_is_one_line_and_an_error_of_the_network(tmp_path):
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    other = listener()
    done = job(tmp_path, *SHORT, "--no-pictures", "--json", "--Port", port_of(other))
    close(other)
    WSACleanup()
    assert done.returncode == 3
    assert json.loads(done.stdout)["problem"].startswith("server ended with exit code 3: ")
    assert "Traceback" not in done.stderr


def test_a_server_that_cannot_calculate_an_indicator_ends_the_job_with_its_reason(tmp_path):
    done = job(tmp_path, *SHORT, "--no-pictures", f"--indicators={tmp_path / 'absent.py'}:f")
    assert done.returncode == 2
    assert "there is no file" in done.stderr.splitlines()[-1]


def test_a_file_that_cannot_be_read_is_an_error_of_data(tmp_path):
    done = job(tmp_path / "out", "--bars", tmp_path / "nothing_H1.tsv", "--no-pictures", "--json")
    assert done.returncode == 4
    assert json.loads(done.stdout)["equal"] is False


def test_bars_that_are_too_few_for_any_value_are_a_failure(tmp_path):
    lines = BARS.read_text(encoding="utf-8").splitlines()[:6]
    (tmp_path / "EURUSD_H1.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = job(tmp_path / "out", *SHORT[4:], "--bars", tmp_path / "EURUSD_H1.tsv", "--no-pictures", "--json")
    assert done.returncode == 1
    problem = (
        "no indicator has a value at any of 4 bars: these are fewer than it needs, or its results are not numbers "
        "from -1e12 to 1e12; the server's log has the failures of functions"
    )
    assert done.stderr.splitlines()[-1] == f"python -m demos indicator: error: {problem}"


@pytest.mark.parametrize(
    "option",
    [("--duration", "0"), ("--indicators", "sma"), ("--clients", "17"), ("--replay", "0"), ("--Port", "70000")],
)
def test_a_bad_option_is_refused(tmp_path, option, capsys):
    with pytest.raises(SystemExit) as error:
        main(["indicator", "--out", str(tmp_path), *option])
    assert error.value.code == 2
    assert f"argument {option[0]}: " in capsys.readouterr().err


def test_without_matplotlib_it_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(indicator_job.drawing, "problem", lambda: "pictures need matplotlib")
    assert main(["indicator", "--out", str(tmp_path)]) == 2
    assert "or --no-pictures" in capsys.readouterr().err


def test_the_bars_must_not_be_overwritten(tmp_path, capsys):
    path = tmp_path / "server.csv"
    path.write_bytes(BARS.read_bytes())
    assert main(["indicator", "--out", str(tmp_path), "--bars", str(path), "--no-pictures"]) == 2
    assert "would overwrite the file of --bars" in capsys.readouterr().err


@pytest.mark.parametrize("pixels", [0, 7])
def test_unequal_values_and_pictures_are_failures(tmp_path, monkeypatch, pixels):
    made = indicator_job.IndicatorJob(_options(tmp_path))
    made.out, made.connected = tmp_path, {"server", "client1"}
    monkeypatch.setattr(indicator_job, "unequal_pixels", lambda first, second: pixels)
    (tmp_path / "server.csv").write_text("time,a\n1,2.0\n", encoding="utf-8")
    (tmp_path / "client1.csv").write_text("time,a\n1,2.0\n" if pixels else "time,a\n1,2.5\n", encoding="utf-8")
    found = made.summary(_runner())
    assert found["equal"] is False
    text = summary_text(found)
    if pixels:
        assert found["problem"] == "the pictures of client1 differ from the server's"
        assert "PICTURE DIFFERS in 7 pixels" in text
    else:
        assert found["problem"] == "the values of client1 are not equal to the server's"
        assert "OTHER VALUES" in text
    assert made.exit_code(found["problem"]) == 1
    made.connected.clear()
    problem = made.summary(_runner())["problem"]
    assert problem == "client1 never had the server's values"
    assert made.exit_code(problem) == 3


def _options(folder: Path) -> Any:
    from argparse import Namespace

    return Namespace(clients=1, out=folder, no_pictures=False)


def _runner() -> Any:
    from types import SimpleNamespace

    return SimpleNamespace(children={"client1": SimpleNamespace(restarts=0)})


def event(kind: str, **fields: object) -> dict[str, Any]:
    return {"kind": kind, **fields}


def test_lags_are_the_same_in_every_order_of_the_files_of_events():
    server = [event("serving", port=5), event("stream", stream="a", seq=2, t=0)]
    server += [event("bar", stream="a", seq=3, t=1_000_000), event("bar", stream="a", seq=4, t=5_000_000)]
    client = [event("applied", stream="a", seq=2, t=500_000), event("applied", stream="a", seq=3, t=3_000_000)]
    client += [event("applied", stream="a", seq=4, t=5_500_000)]
    for places in itertools.combinations(range(7), 3):
        tally, events = Tally(["client1"]), (iter(server), iter(client))
        for place in range(7):
            taken = place in places
            tally.take("client1" if taken else "server", next(events[taken]))
        assert sorted(tally.lags("client1")) == [0.5, 2.0]
        assert tally.is_current("client1")
        assert tally.port == 5


def test_a_client_of_an_earlier_stream_is_not_current():
    tally = Tally(["client1"])
    assert not tally.is_current("client1")
    tally.take("server", event("stream", stream="a", seq=2, t=0))
    tally.take("client1", event("applied", stream="a", seq=2, t=1))
    assert tally.is_current("client1")
    tally.take("server", event("stream", stream="b", seq=2, t=2))
    assert not tally.is_current("client1")


def test_the_table_fits_into_eighty_columns():
    rich = pytest.importorskip("rich.console", reason="rich is not installed")
    from queue import Queue

    tally = Tally(["client1"])
    tally.take("server", event("stream", stream="0123456789abcdef" * 2, seq=120, t=0))
    tally.take("client1", event("applied", stream="0123456789abcdef" * 2, seq=119, t=1))
    processes = [Child(name, [], Queue()) for name in ("server", "client1")]
    stream = io.StringIO()
    rich.Console(file=stream, width=80, height=24).print(tables(tally, processes, "sending").processes)
    text = stream.getvalue()
    assert "indicator: sending" in text
    assert text.count("01234567") == 2
    assert "119" in text
