"""The main job: real processes that trade, are killed, and end with equal positions."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from signal_kit import close, dial, listener, port_of, read_all

from demos.terminal.interfaces import AccountError
from demos.terminal.paper.account import PaperAccount
from demos.terminal.paper.export_file import check_export, ticks_of

ROOT = Path(__file__).resolve().parents[3]
BARS = ROOT / "tests" / "data" / "EURUSD_H1.tsv"
NAMES = ("server", "client1", "client2")
QUICK = ("--timer-ms", "50", "--speed", "60", "--json")


@contextmanager
def job(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "demos", "signal", *map(str, arguments)]
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, encoding="utf-8", **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    with job(*arguments) as process:
        output, errors = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def wait_for(process: subprocess.Popen[str], text: str) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return line
    raise AssertionError(f"no {text!r}")


def ledgers(folder: Path) -> list[tuple[int, int]]:
    """Each account's position and the sum of its deals, in steps; that they are equal is also checked on opening."""
    found = []
    for name in NAMES:
        PaperAccount(folder / f"{name}.sqlite").close()
        with closing(sqlite3.connect(folder / f"{name}.sqlite")) as db:
            [[position]] = db.execute("SELECT coalesce(sum(volume), 0) FROM positions")
            [[deals]] = db.execute("SELECT sum(volume) FROM deals")
        found.append((position, deals))
    return found


def test_it_copies_trades_and_ends_with_equal_positions(tmp_path):
    done = run("--bars", BARS, "--duration", 2, "--accounts", tmp_path / "kept", *QUICK)
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    summary = json.loads(line)
    assert summary["equal"] is True
    assert summary["problem"] is None
    assert summary["trades"] > 10
    assert summary["sent"] == summary["received"] == sum(client["sent"] for client in summary["per_client"])
    assert 0 < summary["lag_ms"]["median"] <= summary["lag_ms"]["p99"] <= summary["lag_ms"]["max"]
    assert list(summary["lag_parts_ms"]) == ["trade_to_sent", "sent_to_received", "received_to_order"]
    assert all(part["median"] <= part["p99"] <= part["max"] for part in summary["lag_parts_ms"].values())
    # Each trade has its own message or was merged with a later one; the first and the last states do not count.
    for client in summary["per_client"]:
        assert client["sent"] == client["received"]
        assert client["sent"] + client["merged"] == summary["trades"] + 1
        assert client["positions"] == summary["positions"]
    positions, deals = zip(*ledgers(tmp_path / "kept"), strict=True)
    assert len({*positions, *deals}) == 1


def test_study_copies_trades_with_the_articles_programs(tmp_path):
    accounts = ("--accounts", tmp_path / "kept")
    for _ in range(2):
        done = run("--study", "--bars", BARS, "--duration", 4, *accounts, *QUICK)
        assert done.returncode == 0, done.stderr
        assert "no quotes" not in done.stderr
        summary = json.loads(done.stdout)
        assert (summary["equal"], summary["problem"]) == (True, None)
        assert summary["trades"] >= 5
        assert "sent" not in summary
        assert "lag_parts_ms" not in summary
        assert 0 < summary["lag_ms"]["median"] <= summary["lag_ms"]["max"]
    positions, deals = zip(*ledgers(tmp_path / "kept"), strict=True)
    assert len({*positions, *deals}) == 1


def test_study_trades_although_the_file_is_over_at_once():
    done = run("--study", "--bars", BARS, "--speed", "max", "--timer-ms", 50, "--json")
    assert done.returncode == 0, done.stderr
    # The first order waits for the first quote.
    assert "no quotes" not in done.stderr
    assert json.loads(done.stdout)["trades"] >= 10


def test_without_a_file_it_says_what_came_of_a_random_walk():
    done = run("--seed", 1, "--duration", 1, "--timer-ms", 50, "--speed", 100)
    assert done.returncode == 0, done.stderr
    first, server, *clients, last, sending, network, trading = done.stdout.splitlines()
    assert "messages sent" in first
    # Where the walk stands when time is up is the machine's doing: it may be nowhere.
    assert re.fullmatch(r"server   (EURUSD -?\d+\.\d\d|no position)", server)
    assert [line.split()[0] for line in clients] == ["client1", "client2"]
    assert all(", equal; lag median " in line for line in clients)
    assert last.startswith("lag from trade to copy: median ")
    assert "client2 | " in done.stderr
    assert "random walk of EURUSD, --seed 1" in done.stderr
    parts = [part.partition(": median ")[0] for part in (sending, network, trading)]
    assert parts == ["  trade to sent", "  sent to received", "  received to order"]


def kill(pid: int) -> None:
    # On Windows SIGTERM is TerminateProcess, as abrupt as SIGKILL is elsewhere.
    os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))


def killed_again_and_again(bars: Path, folder: Path, seed: int) -> None:
    """The server and a client are each killed twice; after how many of the server's trades, chance decides."""
    chance = random.Random(seed)
    victims = ["server", "client1", "client1", "server"]
    chance.shuffle(victims)
    pids: dict[str, int] = {}
    trades, due, kills = 0, 10, []
    # Ctrl-C cannot be sent to one process on Windows: there the job ends after a time for all kills.
    may_interrupt = sys.platform != "win32"
    duration = () if may_interrupt else ("--duration", 10)
    with job("--bars", bars, *duration, "--accounts", folder, *QUICK) as process:
        assert process.stderr is not None
        for line in process.stderr:
            name, _, text = line.partition(" | ")
            if name == "job" and " is process " in text:
                child, _, number = text.partition(" is process ")
                pids[child] = int(number)
            trades += name == "server" and " deal #" in text
            # A victim that was killed before has a pid again once the job has restarted it.
            if victims and trades >= due and victims[-1] in pids:
                kills.append(trades)
                kill(pids.pop(victims.pop()))
                due = trades + 5 + int(chance.random() * 15)
            if may_interrupt and not victims and len(pids) == len(NAMES) and trades > kills[-1] + 20:
                may_interrupt = False
                process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        output = process.stdout.read()
        assert process.wait() == 0, output
    assert len(kills) == 4
    # There were trades before, between and after, among them some while a client was away.
    assert kills[0] >= 10
    assert trades > kills[-1] + 10
    summary = json.loads(output)
    assert summary["equal"] is True
    assert summary["restarts"] == 4
    assert summary["per_client"][0]["restarts"] == 2
    assert summary["trades"] >= trades - 4
    positions, deals = zip(*ledgers(folder), strict=True)
    assert len({*positions, *deals}) == 1


@pytest.mark.wine_differs("a process that is killed can leave its port in use for minutes", run=False)
def test_positions_are_equal_after_server_and_client_were_killed_twice(tmp_path):
    killed_again_and_again(BARS, tmp_path, seed=2)


@pytest.mark.wine_differs("a process that is killed can leave its port in use for minutes", run=False)
@pytest.mark.skipif(not os.environ.get("WINSOCK_SHARED"), reason="WINSOCK_SHARED names no folder with the full file")
def test_positions_are_equal_on_the_full_file_too(tmp_path):
    killed_again_and_again(Path(os.environ["WINSOCK_SHARED"]) / "data" / "EURUSD_H1.tsv", tmp_path, seed=3)


def listening_port(process: subprocess.Popen[str]) -> int:
    return int(wait_for(process, "start server ok").rpartition(":")[2])


def assert_released(account: Path) -> None:
    """The account is in use until its process has ended; opening it waits for that for a second at a time."""
    problem = ""
    for _ in range(20):
        try:
            PaperAccount(account).close()
        except AccountError as error:
            problem = str(error)
        else:
            return
    raise AssertionError(problem)


def test_nothing_is_left_behind_when_the_job_itself_is_killed(started, tmp_path):
    with job("--accounts", tmp_path, *QUICK) as process:
        peer = dial(listening_port(process))
        wait_for(process, "client2 | ")
        process.kill()
        process.wait()
        # The server closes its connections in order.
        assert b"<<EURUSD|" in read_all(peer)
    close(peer)
    for name in NAMES:
        assert_released(tmp_path / f"{name}.sqlite")


@pytest.mark.posix_only(reason="Ctrl-C cannot be sent to one process on Windows")
def test_ctrl_c_ends_it_with_a_summary():
    with job("--timer-ms", 50, "--speed", 100) as process:
        wait_for(process, "client2 | ")
        wait_for(process, "deal #5")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "lag from trade to copy: median" in output
    assert "Traceback" not in errors


@pytest.mark.posix_only(reason="Ctrl-C cannot be sent to one process on Windows")
def test_two_quick_ctrl_c_leave_no_traceback_and_no_process_behind(tmp_path):
    with job("--timer-ms", 20_000, "--accounts", tmp_path) as process:
        wait_for(process, "server is process")
        wait_for(process, "random walk")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode in (3, 130)
    assert "Traceback" not in errors
    for name in NAMES:
        assert_released(tmp_path / f"{name}.sqlite")


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def test_a_port_in_use_is_one_clear_line_and_exit_code_3(started):
    other = listener()
    done = run("--Port", port_of(other), *QUICK)
    close(other)
    assert done.returncode == 3
    assert last_line(done).startswith("python -m demos signal: error: server ended with exit code 3: ")
    assert f"127.0.0.1:{port_of_line(last_line(done))} failed error: (#10048)" in last_line(done)
    [line] = done.stdout.splitlines()
    assert json.loads(line)["problem"] == last_line(done).removeprefix("python -m demos signal: error: ")
    # The reason stands there once: a line of the child's would only say it again.
    assert done.stderr.count("failed error") == 1


def port_of_line(line: str) -> str:
    return line.partition("127.0.0.1:")[2].split()[0]


def test_a_malformed_file_is_one_clear_line_and_exit_code_4(tmp_path):
    bars = tmp_path / "EURUSD_H1.tsv"
    bars.write_text("<DATE>\t<TIME>\n", encoding="utf-8")
    done = run("--bars", bars, *QUICK)
    assert done.returncode == 4
    assert str(bars) in last_line(done)
    # Nothing was started.
    assert len(done.stderr.splitlines()) == 1
    assert str(bars) in json.loads(done.stdout)["problem"]


def test_an_account_in_use_is_one_clear_line_and_exit_code_4(tmp_path):
    with closing(PaperAccount(tmp_path / "server.sqlite")):
        done = run("--accounts", tmp_path, *QUICK)
    assert done.returncode == 4
    assert "in use by another program" in last_line(done)
    assert done.stderr.count("in use by another program") == 1
    assert "in use by another program" in json.loads(done.stdout)["problem"]


def test_a_folder_that_cannot_be_made_is_exit_code_4(tmp_path):
    (tmp_path / "file").touch()
    done = run("--accounts", tmp_path / "file" / "folder", *QUICK)
    assert done.returncode == 4
    assert last_line(done).startswith(f"python -m demos signal: error: {tmp_path}")
    assert "Errno" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--speed", "fast"),
        ("--duration", "0"),
        ("--duration", "x"),
        ("--Port", "65536"),
        ("--every", "0"),
        ("--timer-ms", "x"),
        ("--bars", "a", "--ticks", "b"),
        ("--unknown",),
    ],
)
def test_bad_options_are_exit_code_2(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert "error: " in last_line(done)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--digits", "x"), "'x' is not a whole number from 0 to 8"),
        (("--digits", "9"), "'9' is not a whole number from 0 to 8"),
        (("--Symbol", "EUR|USD"), "a symbol's name cannot contain '|'"),
    ],
)
def test_bad_options_of_the_terminal_are_found_before_anything_is_started(arguments, said):
    done = run(*arguments, *QUICK)
    assert done.returncode == 2
    assert said in last_line(done)
    assert " is process " not in done.stderr


@pytest.mark.posix_only(reason="TerminateProcess gives the exit code 1 of a failure, as no signal does")
def test_a_server_killed_before_it_lives_three_times_is_a_problem_in_the_json_line_too():
    with job(*QUICK) as process:
        assert process.stderr is not None
        errors = ""
        for line in process.stderr:
            errors += line
            if "server is process" in line:
                kill(int(line.rsplit(maxsplit=1)[1]))
        assert process.stdout is not None
        [output] = process.stdout.read().splitlines()
        assert process.wait() == 1
    assert json.loads(output)["problem"].startswith("server ended with exit code -9")
    assert "Traceback" not in errors


def test_a_run_without_any_trade_is_a_failure_that_says_why():
    done = run("--bars", BARS, "--every", 1_000_000, "--speed", "max", "--json", "--timer-ms", "50")
    assert done.returncode == 1
    assert json.loads(done.stdout)["trades"] == 0
    assert "nothing was traded" in last_line(done)


def traded_from_end_to_end(bars: Path, folder: Path) -> None:
    """Every tick of the file is traded on, however fast: what came of it does not depend on the clients' start."""
    done = run("--bars", bars, "--speed", "max", "--every", 1, "--timer-ms", 50, "--json", "--accounts", folder)
    assert done.returncode == 0, done.stderr[-2000:]
    summary = json.loads(done.stdout)
    assert summary["equal"] is True
    assert summary["trades"] > 10
    with closing(sqlite3.connect(folder / "server.sqlite")) as db:
        [[first]] = db.execute("SELECT min(time) FROM deals")
    export = check_export(bars, "bar")
    early = [tick.time for tick in islice(ticks_of(export, "EURUSD"), 20)]
    assert first in early


def test_a_file_without_a_pause_is_traded_from_its_beginning(tmp_path):
    traded_from_end_to_end(BARS, tmp_path)


@pytest.mark.skipif(not os.environ.get("WINSOCK_SHARED"), reason="WINSOCK_SHARED names no folder with the full file")
def test_the_full_file_without_a_pause_is_traded_from_its_beginning(tmp_path):
    traded_from_end_to_end(Path(os.environ["WINSOCK_SHARED"]) / "data" / "EURUSD_H1.tsv", tmp_path)
