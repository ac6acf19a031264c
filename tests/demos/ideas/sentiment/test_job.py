"""``python -m demos sentiment``: its result, its exit codes, and processes that are killed."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest
from terminal_kit import BARS, child, demos

from demos.ideas.sentiment.tally import SERVER, Tally
from demos.ideas.sentiment.view import summary_text, tables

SUMMARY = {"equal", "symbol", "long", "short", "restarts", "per_client", "picture", "problem"}


def summary_of(result: subprocess.CompletedProcess[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(result.stdout)
    return found


@pytest.mark.timeout(300)
def test_every_client_receives_the_sum_of_the_accounts_and_the_chart_is_drawn(tmp_path):
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    picture = tmp_path / "sentiment.png"
    result = demos("sentiment", f"--bars={BARS}", "--duration=3", "--json", f"--picture={picture}")
    assert result.returncode == 0, result.stderr
    summary = summary_of(result)
    assert summary.keys() == SUMMARY
    assert (summary["equal"], summary["symbol"], summary["restarts"]) == (True, "EURUSD", 0)
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.timeout(300)
@pytest.mark.posix_only("the test kills processes by a signal")
def test_killed_clients_and_a_killed_server_are_started_again_and_the_totals_are_right():
    with child("sentiment", "--duration=12", "--seed=7", "--clients=3", "--json") as job:
        killed = ["client2", SERVER]
        pids: dict[str, int] = {}
        for line in job.stderr:
            if match := re.search(r"job \| (\w+) is process (\d+)", line):
                pids[match[1]] = int(match[2])
            if "lots of" in line and killed:
                name = killed.pop(0)
                subprocess.run(["kill", f"-{signal.SIGKILL.value}", str(pids[name])], check=True)
        assert job.stdout is not None
        summary = json.loads(job.stdout.read())
        assert job.wait() == 0
    assert (summary["equal"], summary["restarts"]) == (True, 2)


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (("--clients=2",), 2, "clients"),
        (("--bars=missing.tsv",), 4, "missing.tsv"),
        (("--picture=/",), 2, "--picture"),
    ],
)
def test_options_and_files_that_cannot_be_used_end_the_job_with_their_code(arguments, code, problem):
    result = demos("sentiment", "--json", *arguments)
    assert result.returncode == code, result.stderr
    assert problem in result.stderr


def test_a_port_in_use_is_a_network_error(started):
    from signal_kit import listener, port_of

    result = demos("sentiment", "--json", f"--Port={port_of(listener())}")
    assert result.returncode == 3, result.stderr
    assert summary_of(result)["equal"] is False


class Process:
    """A process of the view."""

    def __init__(self, name: str) -> None:
        self.name, self.pid = name, 1

    def exit_code(self) -> int | None:
        return None


def tally() -> Tally:
    found = Tally(["client1", "client2"])
    for name, lots in (("client1", "0.25"), ("client2", "0.5")):
        found.take(name, {"kind": "started", "symbol": "EURUSD"})
        found.take(name, {"kind": "connected"})
        found.take(name, {"kind": "sent", "volumes": {"EURUSD": [lots, "0"]}})
    found.take(SERVER, {"kind": "published", "participants": 2, "totals": {"EURUSD": [["0.75", 2], None]}})
    return found


def test_the_clients_agree_when_all_have_received_the_sum_of_what_they_sent():
    found = tally()
    assert not found.agreed()
    for name in found.clients:
        found.take(name, {"kind": "totals", "long": ["0.75", 2], "short": None})
    assert found.agreed()
    found.take("client1", {"kind": "totals", "long": ["0.75", 2], "short": ["0.1", 3]})
    assert not found.agreed()
    found.take("client1", {"kind": "totals", "long": None, "short": None})
    assert not found.agreed()


def test_the_table_fits_a_terminal_of_80_columns():
    rich = pytest.importorskip("rich.console", reason="the view needs rich")
    found = tally()
    console = rich.Console(width=80, height=24)
    with console.capture() as shown:
        console.print(tables(found, [Process(SERVER), Process("client1"), Process("client2")], "trading").processes)
    lines = shown.get().splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) == 8
    assert "long 0.75 of 2" in shown.get()
    assert "not published" in shown.get()


def test_the_result_names_each_client_and_what_is_not_equal():
    client = {"name": "client1", "long": "0.1", "short": "0", "received": 1, "equal": False, "restarts": 0}
    text = summary_text(
        {"per_client": [client], "long": "0.1", "short": "0", "symbol": "EURUSD", "restarts": 2, "picture": "a.png"}
    )
    assert text.splitlines() == [
        "client1  long 0.1, short 0; 1 total received, the last NOT EQUAL",
        "sum of the accounts: long 0.1, short 0 lots of EURUSD",
        "processes started again: 2",
        "wrote a.png",
    ]


def test_the_registry_shows_the_programs_and_the_job():
    shown = demos("list").stdout
    assert "sentiment_server" in shown
    assert "sentiment_client" in shown
    assert Path(__file__).exists()
