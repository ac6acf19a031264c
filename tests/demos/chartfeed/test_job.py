"""The template job with real processes: a server, a client, and what they leave."""

from __future__ import annotations

import io
import itertools
import json
import queue
import subprocess
from collections import deque
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from signal_kit import close, listener, port_of, read, take, write
from terminal_kit import BARS, child, demos, wait_for
from tpl_kit import message

from demos.__main__ import main
from demos.chartfeed import job as tpl_job
from demos.chartfeed.frames import HELLO, frame
from demos.chartfeed.server_commands import change_command, change_count, random_bars
from demos.chartfeed.tally import Tally
from demos.chartfeed.view import tables
from demos.launcher.children import Child
from demos.terminal.charts.template import parse
from demos.terminal.paper.export_file import check_export
from winsock import MAKEWORD, WSADATA, WSACleanup, WSAStartup

CHARTS = tpl_job.drawing.problem() is None


def job(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    pictures = () if CHARTS else ("--no-pictures",)
    return demos("tpl", "--out", folder, *pictures, *arguments)


def summary(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_both_charts_are_equal_and_two_pictures_and_templates_are_left(tmp_path):
    found = summary(job(tmp_path, "--bars", BARS, "--json"))
    assert found["equal"] is True
    assert found["templates_equal"] is True
    assert found["unequal_pixels"] == (0 if CHARTS else None)
    assert found["problem"] is None
    assert found["applied"] == 1
    names = ["server.tpl", "client.tpl", *(["server.png", "client.png"] if CHARTS else [])]
    assert sorted(Path(path).name for path in found["files"]) == sorted(names)
    for name in ("server", "client"):
        text = (tmp_path / f"{name}.tpl").read_bytes().decode("utf-16")
        assert "symbol=EURUSD\r\nperiod_type=1\r\nperiod_size=1\r\n" in text
        assert text.count("name=Moving Average") == 2
        assert "descr=resistance" in text
        parse((tmp_path / f"{name}.tpl").read_bytes())


def test_in_a_longer_run_each_change_reaches_the_subscriber(tmp_path):
    done = job(tmp_path, "--seed", 5, "--duration", 4.5, "--timer-ms", 50)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "templates made" in lines[0]
    assert lines[1].startswith("lag from template to chart: median ")
    assert "templates: equal" in lines
    assert f"pictures:  {'equal' if CHARTS else 'not drawn'}" in lines
    assert "client | " in done.stderr
    assert done.stderr.count("applied the template of EURUSD") >= 3


def test_a_port_in_use_is_one_line_and_an_error_of_the_network(tmp_path):
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    other = listener()
    done = job(tmp_path, "--Port", port_of(other), "--bars", BARS, "--json")
    close(other)
    WSACleanup()
    assert done.returncode == 3
    line = done.stderr.splitlines()[-1]
    assert line.startswith("python -m demos tpl: error: server ended with exit code 3: ")
    assert json.loads(done.stdout) == {"equal": False, "problem": line.removeprefix("python -m demos tpl: error: ")}
    assert "Traceback" not in done.stderr


def test_a_file_that_cannot_be_read_is_an_error_of_data(tmp_path):
    done = job(tmp_path / "out", "--bars", tmp_path / "nothing_H1.tsv", "--json")
    assert done.returncode == 4
    [line] = done.stderr.splitlines()
    assert json.loads(done.stdout) == {"equal": False, "problem": line.removeprefix("python -m demos tpl: error: ")}


def test_a_folder_that_cannot_be_made_is_an_error_of_files(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    done = job(tmp_path / "file" / "out", "--bars", BARS)
    assert done.returncode == 4


@pytest.mark.parametrize("option", [("--duration", "0"), ("--Port", "70000"), ("--timer-ms", "x"), ("--bars",)])
def test_a_bad_option_is_refused(tmp_path, option):
    done = job(tmp_path, *option)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_study_refuses_a_duration(tmp_path):
    done = job(tmp_path, "--study", "--duration", 5, "--json")
    assert done.returncode == 2
    problem = "--duration cannot be used with --study: tpl_client makes one transfer"
    assert done.stderr.splitlines()[-1] == f"python -m demos tpl: error: {problem}"


def test_without_matplotlib_it_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tpl_job.drawing, "problem", lambda: "pictures need matplotlib")
    assert main(["tpl", "--out", str(tmp_path)]) == 2
    assert "or --no-pictures" in capsys.readouterr().err


def test_files_of_an_earlier_run_are_not_taken_for_those_of_this_run(tmp_path):
    for name in ("server", "client"):
        (tmp_path / f"{name}.tpl").write_bytes(b"old")
    done = job(tmp_path, "--bars", BARS, "--json")
    assert summary(done)["equal"]
    assert (tmp_path / "server.tpl").read_bytes() != b"old"


def test_unequal_charts_are_reported_and_are_a_failure(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tpl_job, "same_templates", lambda first, second: False)
    assert main(["tpl", "--out", str(tmp_path), "--bars", str(BARS), "--no-pictures"]) == 1
    captured = capsys.readouterr()
    assert "NOT EQUAL" in captured.out
    assert captured.err.splitlines()[-1] == "python -m demos tpl: error: the templates are not equal"


def test_unequal_pictures_are_reported_and_are_a_failure(tmp_path, monkeypatch, capsys):
    if not CHARTS:
        pytest.skip("the extra `charts` is not installed")
    monkeypatch.setattr(tpl_job, "unequal_pixels", lambda first, second: 7)
    assert main(["tpl", "--out", str(tmp_path), "--bars", str(BARS)]) == 1
    assert "7 pixels differ" in capsys.readouterr().out


@contextmanager
def started():
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    yield
    WSACleanup()


def test_the_client_as_a_process_saves_its_chart(tmp_path):
    with started():
        server = listener()
        options = ("--chart", "GBPUSD,M15", "--data", tmp_path, "--save-template", tmp_path / "chart.tpl", "--seed", 1)
        with child("run", "tpl_client", "--Port", port_of(server), *options) as process:
            peer = take(server)
            write(peer, message("it"))
            close(peer, server)
            _, log = process.communicate()
        assert process.returncode == 0, log
    text = (tmp_path / "chart.tpl").read_bytes().decode("utf-16")
    assert "mark=it\r\n" in text
    assert "symbol=EURUSD\r\n" in text
    assert (tmp_path / "MQL5" / "Files" / "tcprecv.tpl").read_bytes() == message("it")[20:]


def test_a_client_that_stays_connected_ends_by_a_command(tmp_path):
    with started():
        server = listener()
        with child("run", "chart_client", "--Port", port_of(server), "--follow", "--seed", 1) as process:
            peer = take(server)
            assert read(peer, len(HELLO)) == HELLO
            write(peer, frame(message("it")))
            wait_for(process.stderr, "applied the template")
            _, log = process.communicate("quit\n")
        close(peer, server)
    assert process.returncode == 0, log


def test_a_template_is_applied_at_the_start_and_a_bad_one_is_refused(tmp_path):
    good, bad = tmp_path / "good.tpl", tmp_path / "bad.tpl"
    good.write_bytes(message("start")[20:])
    bad.write_bytes(b"x")
    options = ("--duration", 0.3, "--Port", 0, "--seed", 1, "--save-template", tmp_path / "kept.tpl")
    assert demos("run", "tpl_server", "--template", good, *options).returncode == 0
    assert "mark=start" in (tmp_path / "kept.tpl").read_bytes().decode("utf-16")
    for path in (bad, tmp_path / "nothing.tpl"):
        done = demos("run", "tpl_server", "--template", path, *options)
        assert done.returncode == 4
        assert path.name in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr


def test_a_file_that_cannot_be_saved_is_an_error_of_files(tmp_path):
    done = demos("run", "tpl_server", "--Port", 0, "--duration", 0.2, "--save-template", tmp_path / "no" / "a.tpl")
    assert done.returncode == 4
    assert "a.tpl" in done.stderr.splitlines()[-1]


def test_a_picture_without_matplotlib_is_refused_before_anything_begins(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("demos.terminal.charts.drawing.problem", lambda: "pictures need matplotlib")
    with pytest.raises(SystemExit) as ended:
        main(["run", "tpl_server", "--picture", str(tmp_path / "a.png")])
    assert ended.value.code == 2
    assert "pictures need matplotlib" in capsys.readouterr().err


@pytest.mark.skipif(not CHARTS, reason="the extra `charts` is not installed")
def test_a_program_saves_a_picture(tmp_path):
    options = ("--Port", 0, "--bars", BARS, "--history", 150, "--duration", 0.3, "--picture", tmp_path / "a.png")
    done = demos("run", "tpl_server", *options)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("chart", ["GBPUSD", "GBPUSD,M7", ",M1", "A|B,M1", " A,M1"])
def test_a_wrong_chart_is_a_bad_option(chart):
    done = demos("run", "tpl_server", "--chart", chart)
    assert done.returncode == 2
    assert "--chart" in done.stderr.splitlines()[-1]


def test_random_bars_are_a_bar_export_and_the_same_for_the_same_number(tmp_path):
    paths = []
    for number in (1, 1, 2):
        folder = tmp_path / str(len(paths))
        folder.mkdir()
        paths.append(random_bars(folder, number))
    export = check_export(paths[0], "bar")
    assert (export.rows, export.digits) == (400, 5)
    first, same, other = (path.read_bytes() for path in paths)
    assert first == same != other


def test_the_providers_changes_are_commands_and_a_new_period_counts_twice():
    steps = [change_command(number, "EURUSD", "H4", "1.10000") for number in range(1, 9)]
    assert steps[3] == "chart EURUSD D1"
    assert steps[7] == "chart EURUSD H4"
    assert [change_count(each) for each in steps] == [1, 1, 1, 2, 1, 1, 1, 2]
    assert len(set(steps)) == 8


def test_the_tally_counts_templates_and_measures_the_lag_of_each():
    tally = Tally()
    tally.take({"kind": "listening", "port": 8080})
    for crc, changes, ms in ((1, 1, 100), (2, 5, 200)):
        tally.take({"kind": "created", "crc": crc, "changes": changes, "bytes": 50 + crc, "t": ms * 1_000_000})
    tally.take({"kind": "applied", "crc": 1, "t": 250_000_000})
    assert not tally.newest_is_applied
    tally.take({"kind": "applied", "crc": 2, "t": 260_000_000})
    tally.take({"kind": "served"})
    assert tally.newest_is_applied
    assert (tally.port, tally.made, tally.applied, tally.bytes, tally.changes) == (8080, 2, 2, 52, 5)
    assert tally.lags == [150.0, 60.0]


def test_the_tally_is_the_same_for_every_order_of_the_two_processes_events():
    server = [{"kind": "listening", "port": 8080}] + [
        {"kind": "created", "crc": crc, "changes": crc, "bytes": 50 + crc, "t": crc * 100_000_000} for crc in (1, 2, 3)
    ]
    client = [{"kind": "applied", "crc": crc, "t": crc * 100_000_000 + 5_000_000} for crc in (1, 3)]
    results = []
    for order in set(itertools.permutations("sssscc")):
        tally, streams = Tally(), {"s": deque(server), "c": deque(client)}
        for name in order:
            tally.take(streams[name].popleft())
        counts = (tally.port, tally.made, tally.applied, tally.bytes, tally.changes, tally.newest_is_applied)
        results.append((counts, sorted(tally.lags)))
    assert len(results) == 15
    assert all(each == ((8080, 3, 2, 53, 3, True), [5.0, 5.0]) for each in results)


def test_the_table_shows_what_was_made_and_applied():
    from rich.console import Console

    tally = Tally()
    tally.take({"kind": "created", "crc": 1, "changes": 1, "bytes": 51, "t": 0})
    stream = io.StringIO()
    children = [Child(name, [], queue.Queue()) for name in ("server", "client")]
    Console(file=stream, width=120).print(tables(tally, "server", children, "following").processes)
    for text in ("tpl: following; the last template has 51 bytes", "1 made", "0 applied"):
        assert text in stream.getvalue()


def test_study_makes_one_transfer_with_the_articles_programs(tmp_path):
    found = summary(job(tmp_path, "--study", "--bars", BARS, "--timer-ms", 50, "--json"))
    assert (found["equal"], found["applied"], found["problem"]) == (True, 1, None)
    assert found["bytes"] > 1000
