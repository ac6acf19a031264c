"""Alerts are sent by processes that are bounded in number and time: a command's, and the webhook's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cleanup_kit import closed_after_test
from web_kit import Server, certificate, network, wait_until

from demos.provider import alert_processes
from demos.provider.alert_processes import LONGEST_MS, MOST_PROCESSES, MOST_WAITING, AlertProcesses
from demos.provider.alerts import Alert
from demos.wire.posting import parse_url
from demos.wire.tls_contexts import CertificateFiles
from demos.wire.web_server import text_answer

__all__ = ["network"]

ROOT = Path(__file__).resolve().parents[3]
ALERT = Alert("drift", "raised", "anna", "anna holds 0.1 EURUSD and wants 0.2; $(echo é)", "Example", 1_800_000_000_000)

WRITER = """
import os, sys
names = ("PROVIDER_ALERT", "PROVIDER_ALERT_STATE", "PROVIDER_ALERT_TEXT")
with open(sys.argv[1] + ".new", "w", encoding="utf-8") as file:
    file.write(sys.stdin.buffer.read().decode() + " ".join(os.environ[name] for name in names))
os.rename(sys.argv[1] + ".new", sys.argv[1])
"""
WAITS = "import sys; open(sys.argv[1], 'w').close(); import threading; threading.Event().wait()"


def script(text: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", text, *map(str, arguments)]


def processes(command: list[str] | tuple[()] = (), webhook: str = "", ca_file: str = "") -> AlertProcesses:
    return closed_after_test(AlertProcesses(command, webhook, ca_file))


def until_ended(running: AlertProcesses) -> list[str]:
    """Check until no process runs; the problems."""
    problems: list[str] = []

    def check() -> bool:
        problems.extend(running.check(0))
        return not running._running and not running._waiting

    wait_until(check)
    return problems


def test_a_command_gets_the_alert_on_standard_input_and_in_its_environment(tmp_path):
    file = tmp_path / "alert $HOME; x"
    running = processes(script(WRITER, file))
    running.send(ALERT)
    assert until_ended(running) == []
    line, variables = file.read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == ALERT._asdict()
    assert variables == f"drift raised {ALERT.text}"


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (script("raise SystemExit(3)"), "the alert command failed with the exit code 3: anna holds"),
        (["/no/such/command"], "the alert command cannot be started: "),
    ],
)
def test_a_command_that_fails_is_a_line_for_the_log(command, problem):
    running = processes(command)
    running.send(ALERT)
    [line] = until_ended(running)
    assert line.startswith(problem)


def test_a_command_that_does_not_read_its_input_does_not_matter():
    running = processes(script(""))
    running.send(ALERT._replace(text="x" * 1_000_000)._replace(text="x" * 10_000))
    assert until_ended(running) == []


def test_a_process_that_runs_too_long_is_killed(tmp_path):
    file = tmp_path / "started"
    running = processes(script(WAITS, file))
    running.send(ALERT)
    assert running.check(1000) == []
    wait_until(file.exists)
    assert running.check(1000 + LONGEST_MS - 1) == []
    [problem] = running.check(1000 + LONGEST_MS)
    assert problem.startswith("the alert command was killed after 30 s: anna")
    assert running._running == []


@pytest.mark.posix_only(reason="groups of processes")
def test_a_killed_process_takes_those_with_it_that_it_has_started(tmp_path):
    file, fifo = tmp_path / "started", tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        # Both processes have the writing end open: the reader gets the end of file when both have ended.
        inner = "import sys; open(sys.argv[1], 'w').close(); import threading; threading.Event().wait()"
        outer = (
            "import subprocess, sys; file = open(sys.argv[2], 'w'); "
            "subprocess.run([sys.executable, '-c', sys.argv[3], sys.argv[1]], stdout=file)"
        )
        running = processes(script(outer, file, fifo, inner))
        running.send(ALERT)
        running.check(0)
        wait_until(file.exists)
        with pytest.raises(BlockingIOError):
            os.read(reader, 1)
        assert len(running.check(LONGEST_MS)) == 1
        ended = []

        def read() -> bool:
            try:
                ended.append(os.read(reader, 1))
            except BlockingIOError:
                return False
            return True

        wait_until(read)
        assert ended == [b""]
    finally:
        os.close(reader)


def test_the_numbers_of_processes_and_of_waiting_alerts_are_bounded(tmp_path, monkeypatch):
    started: list[object] = []

    class Endless:
        returncode = None

        def poll(self) -> None:
            return None

    def start(task: Any, now_ms: int) -> Any:
        started.append(task)
        return alert_processes._Running(task, Endless(), now_ms, BytesIO())  # type: ignore[arg-type]

    monkeypatch.setattr(alert_processes, "_start", start)
    running = AlertProcesses(["command"])
    for _ in range(MOST_WAITING + 7):
        running.send(ALERT)
    assert running.check(0) == [f"7 alerts were not sent, because {MOST_WAITING} others wait"]
    assert running.check(1) == []
    assert len(started) == MOST_PROCESSES


def test_without_a_command_and_a_webhook_nothing_is_started():
    running = processes()
    running.send(ALERT)
    assert running.check(0) == []
    assert running._running == []


# ---- the webhook


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://hooks.example.com/services/T0/B0", ("https", "hooks.example.com", 443, "/services/T0/B0")),
        ("https://example.com:8443?x=1", ("https", "example.com", 8443, "/?x=1")),
        ("http://localhost:9000/a", ("http", "localhost", 9000, "/a")),
        ("http://[::1]/a", ("http", "::1", 80, "/a")),
        ("https://b\u00fccher.example/", ("https", "xn--bcher-kva.example", 443, "/")),
    ],
)
def test_the_parts_of_an_address(text, url):
    assert parse_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "example.com/secret", "ftp://example.com/secret", "https://", "https:///secret", "https://a:b@example.com/secret",
        "http://example.com/secret", "https://example.com:x/secret", "https://example.com/secret x",
        "https://example.com/secret\r\nX: y", "https://[::1/secret", "https://example.com/#secret",
    ],
)  # fmt: skip
def test_an_invalid_address_is_refused_without_showing_it(text):
    with pytest.raises(ValueError, match=r"an address|an http address") as caught:
        parse_url(text)
    assert "secret" not in str(caught.value)
    with pytest.raises(ValueError, match="address"):
        AlertProcesses(webhook=text)


class Hook(Server):
    """Records what is posted to /hook, and answers with ``status``."""

    def __init__(self, context=None, status: int = 204) -> None:
        self.posted: list[tuple[str, str, bytes]] = []
        self.status = status
        super().__init__(context)

    def _answer(self, request):
        if request.path == "/hook":
            self.posted.append((request.query, request.header("content-type"), request.body))
            return text_answer(self.status, "taken")
        return super()._answer(request)


@pytest.mark.parametrize("tls", [True, False])
def test_the_webhook_gets_the_alert(network, tmp_path, tls):
    context, ca_file = None, ""
    if tls:
        path = certificate(tmp_path)
        context = CertificateFiles(path, tmp_path / "key.pem").context
        ca_file = str(path)
    hook = Hook(context)
    running = processes(webhook=f"{'https' if tls else 'http'}://localhost:{hook.port}/hook?token=1", ca_file=ca_file)
    running.send(ALERT)
    assert until_ended(running) == []
    [(query, kind, body)] = hook.posted
    assert (query, kind) == ("token=1", "application/json")
    assert json.loads(body) == ALERT._asdict()


def test_the_reason_why_a_webhook_failed_is_a_line_for_the_log(network):
    hook = Hook(status=500)
    running = processes(webhook=f"http://127.0.0.1:{hook.port}/hook?token=secret")
    running.send(ALERT)
    [line] = until_ended(running)
    reason = "(127.0.0.1: the answer has the status 500)"
    assert line == f"the alert webhook failed with the exit code 1 {reason}: {ALERT.text}"


def webhook_process(address: str, ca_file: str = "") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "demos.provider.webhook_command"],
        input=f"{address}\n{ca_file}\n{ALERT.json()}\n".encode(),
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_an_answer_that_is_no_success_is_a_failure(network):
    hook = Hook(status=500)
    done = webhook_process(f"http://127.0.0.1:{hook.port}/hook")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode().splitlines() == ["127.0.0.1: the answer has the status 500"]


def test_a_server_that_cannot_be_verified_gets_nothing(network, tmp_path):
    path = certificate(tmp_path)
    hook = Hook(CertificateFiles(path, tmp_path / "key.pem").context)
    done = webhook_process(f"https://localhost:{hook.port}/hook")
    assert done.returncode == 1
    assert b"certificate" in done.stderr
    assert b"Traceback" not in done.stderr
    assert hook.posted == []


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        (lambda port: f"http://127.0.0.1:{port}/hook", b"127.0.0.1: "),
        (lambda port: "http://example.com/hook", b"the webhook cannot be used: an http address of another machine"),
        (lambda port: "https://name.invalid/hook", b"name.invalid: the host name 'name.invalid' cannot be resolved"),
        (lambda port: "", b"the webhook cannot be used: not an address"),
    ],
    ids=["closed port", "plain http", "unknown name", "nothing"],
)
def test_a_webhook_that_cannot_be_reached_is_one_line(network, address: Callable[[int], str], problem):
    hook = Hook()
    port = hook.port
    hook.close()
    done = webhook_process(address(port))
    assert (done.returncode, done.stdout) == (1, b"")
    [line] = done.stderr.splitlines()
    assert line.startswith(problem)
