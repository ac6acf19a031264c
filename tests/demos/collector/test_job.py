"""The tick collector as a job: real processes, what comes of them, and what a killed server loses."""

from __future__ import annotations

import io
import json
import math
import os
import re
import signal
import sqlite3
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack, closing
from ctypes import sizeof
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from signal_kit import address, close
from terminal_kit import BARS, child, demos, wait_for
from tick_kit import peer
from winsock_kit import name_of

from demos.__main__ import main
from demos.collector.job import TicksJob
from demos.collector.job_symbols import digits_of, symbols_for
from demos.collector.rows import SenderRow, SymbolRow
from demos.collector.store import TickStore
from demos.collector.study_job import StudyTicksJob
from demos.collector.tally import SERVER, Tally
from demos.collector.view import tables
from demos.launcher.children import Child
from demos.registry import PROGRAMS
from demos.terminal.paper.export_file import check_export
from winsock import ntohs, sendto

QUICK = ("--duration", 1.5, "--timer-ms", 20, "--json")


def run(*arguments: object) -> Any:
    return demos("ticks", *arguments)


def last_line(done: Any) -> str:
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def test_all_ticks_of_several_clients_are_collected(tmp_path):
    database = tmp_path / "ticks.sqlite"
    done = run("--clients", 2, "--symbols", 5, "--database", database, "--export", tmp_path / "export", *QUICK)
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    summary = json.loads(line)
    assert summary["problem"] is None
    assert summary["ticks"] == summary["sent"] == summary["received"] > 20
    assert (summary["lost"], summary["lost_by_number"], summary["refused"], summary["symbols"]) == (0, 0, 0, 5)
    for client, symbols in zip(summary["per_client"], (3, 2), strict=True):
        assert client["symbols"] == symbols
        assert client["ticks"] == client["sent"] == client["received"] > 0
    with closing(TickStore(database, reading=True)) as store:
        kept = {symbol.name: list(store.ticks(symbol.name)) for symbol in store.symbols()}
    assert sorted(kept) == sorted(symbols_for(5))
    assert sum(map(len, kept.values())) == summary["received"]
    for path, ticks in zip(summary["exported"], kept.values(), strict=True):
        assert check_export(Path(path), "tick").rows == len(ticks)


def test_a_file_is_replayed_to_its_end_and_a_second_run_adds_to_the_first(tmp_path):
    ticks = tmp_path / "GBPUSD_2024.csv"
    lines = [f"2024.01.02\t00:00:{second:02}.000\t1.2500{second % 10}\t1.25010" for second in range(60)]
    ticks.write_text("\n".join(["<DATE>\t<TIME>\t<BID>\t<ASK>", *lines]) + "\n", encoding="utf-8")
    database = tmp_path / "ticks.sqlite"
    for turn in (1, 2):
        arguments = ("--ticks", ticks, "--clients", 2, "--symbols", 3, "--speed", 200, "--timer-ms", 20)
        done = run(*arguments, "--database", database, "--json")
        assert done.returncode == 0, done.stderr
        summary = json.loads(done.stdout)
        assert summary["ticks"] == summary["received"] == 180
        with closing(TickStore(database, reading=True)) as store:
            assert [(row.name, row.ticks) for row in store.symbols()] == [
                (name, 60 * turn) for name in ("GBPUSD", "GBPUSD.2", "GBPUSD.3")
            ]
            bids = [tick.bid for tick in store.ticks("GBPUSD.3")]
            assert bids == [125_000 + second % 10 for second in range(60)] * turn


def test_without_json_the_result_is_printed_as_text(tmp_path):
    done = run("--bars", BARS, "--clients", 1, "--symbols", 1, "--duration", 1, "--export", tmp_path / "export")
    assert done.returncode == 0, done.stderr
    first, client, wrote = done.stdout.splitlines()
    assert re.match(r"(\d+) of \1 ticks of 1 symbol collected; 0 lost, ", first)
    assert client.startswith("client1  1 symbol, ")
    assert wrote.startswith(f"wrote {tmp_path / 'export' / 'EURUSD_'}")
    assert "server | " in done.stderr
    assert "client1 | " in done.stderr


def test_a_picture_is_drawn_if_matplotlib_is_installed(tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "picture.png"
    done = run("--clients", 1, "--picture", picture, *QUICK)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["picture"] == str(picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_ticks_that_the_servers_file_lacks_are_exit_code_1(tmp_path):
    database = tmp_path / "ticks.sqlite"
    TickStore(database).close()
    with closing(sqlite3.connect(database)) as db:
        # As if each event that comes after a sender's first had brought one tick less than was sent.
        db.execute(
            "CREATE TRIGGER loss AFTER UPDATE OF ticks ON senders BEGIN "
            "UPDATE senders SET ticks = new.ticks - 1 WHERE id = new.id; END"
        )
    done = run("--clients", 1, "--symbols", 1, "--database", database, *QUICK)
    assert done.returncode == 1
    summary = json.loads(done.stdout)
    assert summary["lost"] == summary["ticks"] - summary["received"] > 0
    assert last_line(done) == f"python -m demos ticks: error: {summary['problem']}"
    assert summary["problem"] == f"{summary['lost']} of {summary['ticks']} ticks were not collected"


def test_a_client_without_a_tick_is_a_failure_that_names_it(tmp_path):
    options = Namespace(clients=2, export=tmp_path / "export", picture=tmp_path / "picture.png", database=None)
    with closing(TickStore(tmp_path / "ticks.sqlite")) as store:
        job = TicksJob(options)
        job.store, job.database = store, tmp_path / "ticks.sqlite"
        summary = job.summary(None)
    assert summary["problem"] == "client1, client2 had no tick to send"
    assert (summary["exported"], summary["picture"]) == ([], None)


@pytest.mark.parametrize("name", ["server", "client2"])
def test_a_process_that_is_killed_is_one_clear_line_and_exit_code_1(name):
    with child("ticks", "--clients", 2) as process:
        pid = int(wait_for(process.stderr, f"{name} is process ").split()[-1])
        wait_for(process.stderr, "ticks to server")
        # On Windows SIGTERM is TerminateProcess, as abrupt as SIGKILL is elsewhere.
        os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        output, errors = process.communicate()
    assert process.returncode == 1
    assert output == ""
    assert f"error: {name} ended with exit code " in errors.splitlines()[-1]


@pytest.mark.posix_only(reason="Ctrl-C cannot be sent to one process on Windows")
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process on Windows")
def test_ctrl_c_ends_it_with_a_summary():
    with child("ticks", "--clients", 1, "--symbols", 1) as process:
        wait_for(process.stderr, "ticks to server")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert " ticks of 1 symbol collected; " in output
    assert "Traceback" not in errors


@pytest.mark.usefixtures("started")
def test_a_port_in_use_is_one_clear_line_and_exit_code_3():
    s = peer()
    done = run("--Port", ntohs(name_of(s).sin_port), *QUICK)
    close(s)
    assert done.returncode == 3
    line = last_line(done)
    assert line.startswith("python -m demos ticks: error: server ended with exit code 3: Bind to 127.0.0.1:")
    assert json.loads(done.stdout) == {"problem": line.removeprefix("python -m demos ticks: error: ")}


def test_an_invalid_file_is_one_clear_line_and_exit_code_4(tmp_path):
    bad = tmp_path / "EURUSD_H1.tsv"
    bad.write_text("<DATE>\t<TIME>\n" * 100, encoding="utf-8")
    for option in ("--bars", "--ticks", "--database"):
        done = run(option, bad, *QUICK)
        assert done.returncode == 4
        assert str(bad) in last_line(done)
    done = run("--export", bad / "folder", "--clients", 1, *QUICK)
    assert done.returncode == 4
    assert last_line(done).startswith("python -m demos ticks: error: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--clients", "0"),
        ("--clients", "65"),
        ("--symbols", "0"),
        ("--speed", "fast"),
        ("--duration", "0"),
        ("--Port", "65536"),
        ("--timer-ms", "x"),
        ("--bars", "a", "--ticks", "b"),
        ("--unknown",),
    ],
)
def test_bad_options_are_exit_code_2(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert "error: " in last_line(done)


def test_the_clients_terminal_ends_with_its_commands_and_with_bad_files(tmp_path):
    done = demos("tick_clients", "--Port", 9, "EURUSD", input="buy 0.1\nquit\n")
    assert (done.returncode, done.stdout) == (0, "error: unknown command 'buy'; help lists the commands\n")
    assert "tick_sender[EURUSD,H1] info OnDeinit" in done.stderr
    done = demos("tick_clients", "--bars", tmp_path / "nowhere.tsv", "EURUSD")
    assert done.returncode == 4
    assert last_line(done).startswith("python -m demos tick_clients: error: ")
    done = demos("tick_clients", "--Host", "a b", "EURUSD")
    assert done.returncode == 3


def received(line: str) -> int:
    """How many ticks a line of the server's log reports."""
    match = re.search(r" receive (?:tick|(\d+) ticks) from ", line)
    return int(match[1] or 1) if match else 0


@pytest.mark.usefixtures("started")
def test_a_server_that_is_killed_loses_at_most_the_event_in_progress(tmp_path):
    database = tmp_path / "ticks.sqlite"
    arguments = ("run", "tick_collector", "--database", database, "--timer-ms", 20, "--speed", 0.001)
    s, number = peer(), 0

    def send(count: int) -> None:
        nonlocal number
        for _ in range(count):
            number += 1
            datagram = b"EURUSD %d\0#0123456789abcdef %d\0" % (number, number)
            assert sendto(s, datagram, len(datagram), 0, address(port), sizeof(address(port))) == len(datagram)

    def bids() -> list[int]:
        with closing(TickStore(database, reading=True)) as store:
            return [tick.bid for tick in store.ticks("EURUSD")]

    with child(*arguments, "--Port", 0) as process:
        port = int(wait_for(process.stderr, "start server ok").rpartition(":")[2])
        reported = []
        while sum(reported) < 200:
            send(20)
            reported.append(received(wait_for(process.stderr, " receive ")))
        send(50)
        process.kill()
        # Lines that it had written before it was killed count as well.
        reported += filter(None, map(received, process.stderr))
        process.wait()
    kept = bids()
    # An event writes its line before it stores its ticks: those of the last line may be lost.
    assert sum(reported[:-1]) <= len(kept) <= number
    assert kept == list(range(1, len(kept) + 1))
    send(30)  # no program listens
    sent_before = number
    with child(*arguments, "--Port", port) as process:
        wait_for(process.stderr, "start server ok")
        send(10)
        reported = 0
        while reported < 10:
            reported += received(wait_for(process.stderr, " receive "))
        process.stdin.write("quit\n")
        process.stdin.flush()
        assert process.wait() == 0
    assert bids() == [*range(1, len(kept) + 1), *range(sent_before + 1, number + 1)]
    with closing(TickStore(database, reading=True)) as store:
        [sender] = store.senders()
    assert sender.lost == sent_before - len(kept)
    close(s)


def test_a_server_that_never_listens_is_one_clear_line_and_exit_code_3(monkeypatch, capsys):
    monkeypatch.setattr("demos.collector.job._STARTING", 0.0)
    assert main(["ticks", "--json", "--duration", "1"]) == 3
    assert capsys.readouterr().err.endswith("ticks: error: the server has not begun to listen within 0 s\n")


def test_any_number_of_symbols_get_distinct_names_and_their_digits():
    names = symbols_for(20)
    assert len(set(names)) == 20
    assert names[:2] == ["EURUSD", "USDJPY"]
    assert symbols_for(3, "GBPUSD") == ["GBPUSD", "GBPUSD.2", "GBPUSD.3"]
    assert [digits_of(name) for name in ("EURUSD.7", "USDJPY.2", "XAUUSD", "other")] == [5, 3, 2, 5]


@pytest.fixture
def tally() -> Tally:
    tally = Tally(["client1", "client2"])
    old = SenderRow("127.0.0.1:5001", 10, 1, 1, 0, 2)
    tally.begin([SymbolRow("EURUSD", 10, 1, 0, 0), SymbolRow("OLD", 5, 1, 0, 0)], [old])
    tally.take(SERVER, {"kind": "listening", "port": 8082})
    tally.take("client1", {"kind": "sending", "port": 5001, "symbol": "EURUSD"})
    tally.take("client2", {"kind": "sending", "port": 5002, "symbol": "USDJPY"})
    tally.take("client1", {"kind": "sent", "symbol": "EURUSD", "ticks": 3, "sent": 3, "given_up": 0})
    tally.take("client1", {"kind": "sent", "symbol": "EURUSD", "ticks": 7, "sent": 6, "given_up": 1})
    tally.take("client2", {"kind": "sent", "symbol": "USDJPY", "ticks": 4, "sent": 4, "given_up": 0})
    tally.take("client2", {"kind": "refused", "symbol": "USDJPY"})
    tally.take_rows(
        [SymbolRow("EURUSD", 16, 110_001, 5, 1), SymbolRow("OLD", 5, 1, 0, 0), SymbolRow("\x1b[2J", 3, 5, 1, 1)],
        [
            SenderRow("127.0.0.1:5001", 16, 1, 2, 0, 3),
            SenderRow("127.0.0.1:5002", 3, 0, 0, 0, 0),
            SenderRow("10.0.0.1:5001", 99, 4, 0, 0, 0),
        ],
    )
    return tally


def test_the_tally_counts_the_sent_and_the_received_ticks_of_this_run(tally):
    assert (tally.port, tally.ticks, tally.sent, tally.received) == (8082, 11, 10, 9)
    assert [client.received for client in tally.clients.values()] == [6, 3]
    assert (tally.refused, tally.lost_by_number) == (5, 1)
    assert [(row.name, row.ticks) for row in tally.symbols] == [("EURUSD", 6), ("\x1b[2J", 3)]


class Standing:
    """A child as a view sees it."""

    pid = 4711

    def __init__(self, name: str, code: int | None = None) -> None:
        self.name, self.code = name, code

    def exit_code(self) -> int | None:
        return self.code


def test_the_tables_show_clients_and_symbols_and_escape_text_from_the_network(tally):
    from rich.console import Console

    children: list[Any] = [Standing(SERVER), Standing("client1"), Standing("client2", 1)]
    stream = io.StringIO()
    processes, symbols = tables(tally, children, "collecting", 30)
    Console(file=stream, width=160).print(processes, symbols)
    picture = stream.getvalue()
    for text in ("ticks: collecting; 9 collected", "1 lost, 5 refused", "4711", "ended", "1.10001", "\\x1b[2J"):
        assert text in picture
    assert "\x1b" not in picture


SERVER_LINE = "2026-01-31T12:00:00.123+01:00 tick_server[EURUSD,H1] info OnTimer "
CLIENT_LINE = "2026-01-31T12:00:00.123+01:00 tick_client[EURUSD,H1] info OnTick "


@pytest.fixture
def study(tmp_path) -> Iterator[StudyTicksJob]:
    options = Namespace(clients=2, database=None, export=None, picture=None, seed=1, bars=None, ticks=None)
    with ExitStack() as stack:
        job = StudyTicksJob(options)
        job.prepare(tmp_path, stack)
        yield job


def test_the_ticks_of_the_articles_programs_are_counted_by_their_log_lines(study):
    lines = [
        (SERVER, SERVER_LINE + "start server ok, 127.0.0.1:8082"),
        ("client1", CLIENT_LINE + "send EURUSD tick to server"),
        ("client2", CLIENT_LINE + "send Volatility 75 Index tick to server"),
        ("client2", CLIENT_LINE + "send Volatility 75 Index tick to server"),
        (SERVER, SERVER_LINE + "receive tick from client 127.0.0.1:5001: EURUSD 1.10001"),
        (SERVER, SERVER_LINE + "receive tick from client 127.0.0.1:5002: Volatility 75 Index 12"),
        ("client1", CLIENT_LINE + "create socket OK"),
    ]
    for name, text in lines:
        study.take_line(Child(name, [], Queue()), text)
    study.refresh(math.inf)
    assert study.tally.port == 8082
    assert [(row.name, row.ticks, row.bid, row.digits) for row in study.tally.symbols] == [
        ("EURUSD", 1, 110_001, 5),
        ("Volatility 75 Index", 1, 12, 0),
    ]
    summary = study.summary(None)
    assert (summary["ticks"], summary["received"], summary["lost"]) == (3, 2, 1)
    assert [client["received"] for client in summary["per_client"]] == [1, 1]
    assert summary["problem"] == "1 of 3 ticks were not collected"
    assert "database" not in summary
    assert study.summary_text(summary).startswith("2 of 3 ticks of 2 symbols collected; 1 lost\n")


@pytest.mark.parametrize("option", ["--database", "--export", "--picture"])
def test_study_refuses_the_options_of_the_product_programs(tmp_path, option):
    done = run("--study", option, tmp_path / "x", *QUICK)
    assert done.returncode == 2
    assert f"{option} needs the product programs" in last_line(done)


@pytest.mark.skipif(
    PROGRAMS["tick_server"].file == PROGRAMS["tick_collector"].file, reason="the article's programs are not there yet"
)
def test_study_collects_all_ticks_with_the_articles_programs():
    done = run("--study", "--clients", 2, "--symbols", 3, *QUICK)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["ticks"] == summary["sent"] == summary["received"] > 20
    assert (summary["lost"], summary["symbols"]) == (0, 3)


def test_tick_clients_runs_the_articles_program_too_and_accepts_symbols_with_blanks():
    done = demos("tick_clients", "--study", "--Port", 9, "Volatility 75 Index", input="quit\n")
    assert done.returncode == 0
    assert "tick_client[Volatility 75 Index,H1] info OnDeinit" in done.stderr
    for arguments, text in (
        (("--study", "--sequence", "EURUSD"), "--sequence needs the product program"),
        (("EUR|USD",), "a symbol's name cannot contain '|'"),
        (("--speed", "fast", "EURUSD"), "argument --speed: "),
    ):
        done = demos("tick_clients", *arguments)
        assert done.returncode == 2
        assert text in last_line(done)
