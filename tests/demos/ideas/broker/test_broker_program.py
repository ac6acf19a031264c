"""The program ``broker``: it runs mosquitto, reports its end, and leaves no process behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mosquitto_kit import PASSWORDS, RULES, needs_mosquitto
from terminal_kit import ROOT
from web_kit import wait_until
from winsock_kit import LIMIT_SECONDS

from demos.ideas.broker.mosquitto import write_access


@contextmanager
def running(folder: Path, *arguments: object, program: str = "") -> Iterator[subprocess.Popen[str]]:
    """The program ``broker`` in a process, which first executes ``program``."""
    words = ["run", "broker", f"--folder={folder}", *map(str, arguments), f"--events={folder / 'events'}"]
    command = [sys.executable, "-c", f"{program}import sys, demos.__main__ as m; sys.exit(m.main({words}))"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_access(tmp_path, PASSWORDS, RULES)
    return tmp_path


def listening(folder: Path) -> dict[str, Any]:
    """The event of the broker that listens."""

    def found() -> list[dict[str, Any]]:
        path = folder / "events"
        events = map(json.loads, path.read_text().splitlines()) if path.exists() else ()
        return [event for event in events if event["kind"] == "listening"]

    wait_until(lambda: bool(found()))
    return found()[-1]


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, errors = process.communicate(timeout=LIMIT_SECONDS)
    assert "Traceback" not in errors
    return process.returncode, errors


@needs_mosquitto
def test_the_broker_ends_with_its_program(folder: Path) -> None:
    with running(folder) as process:
        pid = listening(folder)["pid"]
        assert process.stdin
        process.stdin.write("quit\n")
        assert ended(process)[0] == 0
    assert is_gone(pid)


@needs_mosquitto
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a signal for the end of a parent process")
def test_the_broker_ends_when_its_program_is_killed_and_starts_again_on_the_same_port(folder: Path) -> None:
    with running(folder) as process:
        event = listening(folder)
        process.kill()
        wait_until(lambda: is_gone(event["pid"]))
    (folder / "events").unlink()
    with running(folder, f"--Port={event['port']}"):
        assert listening(folder)["port"] == event["port"]


@needs_mosquitto
def test_a_killed_broker_is_the_exit_code_1_of_its_program(folder: Path) -> None:
    with running(folder) as process:
        os.kill(listening(folder)["pid"], signal.SIGKILL)
        code, errors = ended(process)
    assert code == 1
    assert "mosquitto has ended with exit code -9" in errors


@needs_mosquitto
def test_a_port_in_use_is_exit_code_3_with_the_brokers_own_message(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with running(folder, f"--Port={other.getsockname()[1]}") as process:
            code, errors = ended(process)
    assert code == 3
    assert "Address already in use" in errors


@needs_mosquitto
def test_another_free_port_is_chosen_when_another_process_has_taken_the_first_one(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        program = (
            f"import demos.wire.addresses as a; found, first = a.port_of, [{taken}]; "
            "a.port_of = lambda address: first.pop() if first else found(address); "
        )
        with running(folder, program=program):
            assert listening(folder)["port"] != taken
    assert "Address already in use" in (folder / "mosquitto.log").read_text()


@needs_mosquitto
def test_no_folder_is_exit_code_2(tmp_path: Path) -> None:
    with running(tmp_path, "--folder=") as process:
        code, errors = ended(process)
    assert (code, "give the folder of the broker: --folder" in errors) == (2, True)


def test_a_missing_mosquitto_is_reported_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from demos.ideas.broker import mosquitto

    monkeypatch.setattr(mosquitto, "find_program", lambda name: None)
    text = mosquitto.missing_problem()
    assert "mosquitto" in text
    if sys.platform != "win32":
        assert text == (
            "the program 'mosquitto' is not installed; on Debian and Ubuntu: apt-get install mosquitto; "
            "on macOS: brew install mosquitto"
        )
