"""``python -m demos broker``: a broker, a provider and copiers as processes that are killed and end in order."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path

import pytest
from broker_kit import ScriptedProvider
from job_process_kit import Log, started_job
from mosquitto_kit import COPIER, PASSWORDS, PROVIDER, Mosquitto, needs_mosquitto
from terminal_kit import ROOT
from web_kit import certificate, wait_until
from winsock_kit import LIMIT_SECONDS

from demos.copier.job import account_positions

pytestmark = pytest.mark.timeout(180)

FACTORS = {"copier1": Decimal(1), "copier2": Decimal("0.5"), "copier3": Decimal(2)}
QUICK = ("--every", 2, "--speed", 20, "--seed", 1, "--json")


def needs_paho() -> None:
    pytest.importorskip("paho.mqtt", reason="the programs use a broker with paho-mqtt")


def job(*arguments: object) -> AbstractContextManager[subprocess.Popen[str]]:
    needs_paho()
    return started_job("broker", *arguments, *QUICK)


def lots(folder: Path, name: str) -> Decimal:
    return Decimal(account_positions(folder / f"{name}-account.sqlite").get("EURUSD", "0"))


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@needs_mosquitto
def test_each_copier_ends_with_the_providers_position_scaled_by_its_factor(tmp_path: Path) -> None:
    with job("--folder", tmp_path, "--duration", 3) as process:
        log = Log(process)
        summary = log.end()
    assert process.returncode == 0, log.lines
    # The lines of the job and of its processes come in any order.
    text = "".join(log.lines)
    [broker] = map(int, re.findall(r"mosquitto is process (\d+)", text))
    [url] = re.findall(r"job \| broker: (mqtts://\S+)", text)
    assert (summary["equal"], summary["problem"], summary["restarts"]) == (True, None, 0)
    assert summary["broker"] == url
    assert summary["trades"] > 5
    assert [each["name"] for each in summary["per_copier"]] == list(FACTORS)
    assert all(each["orders"] > 0 and each["positions"] == each["target"] for each in summary["per_copier"])
    assert [lots(tmp_path, name) for name in FACTORS] == [
        lots(tmp_path, "provider") * each for each in FACTORS.values()
    ]
    assert is_gone(broker)
    # Passwords and the key are readable by their owner alone.
    for name in ("key.pem", "provider.token", "copier1.token", "mosquitto/passwords"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600, name


@needs_mosquitto
def test_killed_processes_are_started_again_and_ctrl_c_ends_all_with_the_right_positions() -> None:
    with job("--copiers", 2) as process:
        log = Log(process)
        pids = {
            name: int(log.wait(rf"{name} is process (\d+)")) for name in ("broker", "provider", "copier1", "copier2")
        }
        log.wait(r"copier1 \| .* deal #2 ")
        for victim in ("broker", "provider", "copier1"):
            os.kill(pids[victim], signal.SIGKILL)
            log.wait(rf"{victim} ended .* and is started again")
            pids[victim] = int(log.wait(rf"{victim} is process (\d+)"))
            log.wait(r"copier1 \| .* deal #")
        summary = log.interrupt()
    assert process.returncode == 0, log.lines
    assert (summary["equal"], summary["restarts"]) == (True, 3)
    assert all(map(is_gone, pids.values()))


@needs_mosquitto
def test_a_killed_mosquitto_is_started_again_with_its_program() -> None:
    with job("--copiers", 1) as process:
        log = Log(process)
        pid = int(log.wait(r"mosquitto is process (\d+)"))
        log.wait(r"copier1 \| .* deal #1 ")
        os.kill(pid, signal.SIGKILL)
        log.wait("broker ended with exit code 1 and is started again")
        log.wait(r"copier1 \| .* deal #")
        assert log.interrupt()["equal"] is True
    assert process.returncode == 0, log.lines


@needs_mosquitto
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a signal for the end of a parent process")
def test_no_process_is_left_when_the_job_itself_is_killed() -> None:
    with job() as process:
        log = Log(process)
        pids = [int(log.wait(r"broker is process (\d+)")), int(log.wait(r"mosquitto is process (\d+)"))]
        pids += [int(log.wait(rf"{name} is process (\d+)")) for name in ("provider", *FACTORS)]
        log.wait(r"copier\d \| .* deal #1 ")
        process.kill()
        process.wait()
        wait_until(lambda: all(map(is_gone, pids)))


def existing(broker: Mosquitto) -> list[str]:
    """The options with which the job uses this broker."""
    folder = broker.folder
    for login, password in PASSWORDS.items():
        (folder / login).write_text(f"{password}\n")
    options = {
        "broker": broker.url(),
        "broker-login": PROVIDER,
        "broker-password-file": folder / PROVIDER,
        "login": COPIER,
        "password-file": folder / COPIER,
        "ca": broker.certificate,
    }
    return [f"--{name}={value}" for name, value in options.items()]


@needs_mosquitto
def test_a_broker_that_is_running_is_used_with_its_logins(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path, certificate=certificate(tmp_path))
    with job(*existing(broker), "--copiers", 1, "--duration", 2) as process:
        log = Log(process)
        summary = log.end()
    assert process.returncode == 0, log.lines
    assert (summary["equal"], summary["broker"]) == (True, broker.url())
    assert broker.process is not None
    assert broker.process.poll() is None


@needs_mosquitto
def test_another_provider_at_the_same_prefix_ends_the_job_with_its_name(tmp_path: Path) -> None:
    needs_paho()
    broker = Mosquitto(tmp_path, certificate=certificate(tmp_path))
    other = ScriptedProvider(broker, name="first provider", EURUSD="0.1")
    other.start()
    with job(*existing(broker), "--duration", 2) as process:
        wait_until(lambda: other.serve() or process.poll() is not None)
        log = Log(process)
        summary = log.end()
    assert process.returncode == 4, log.lines
    assert "another provider" in summary["problem"]
    assert "first provider" in summary["problem"]


def run(*arguments: str, program: str = "") -> subprocess.CompletedProcess[str]:
    command = ["-c", f"{program}import demos.__main__ as m, sys; sys.exit(m.main({list(arguments)}))"]
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, text=True, capture_output=True, check=False, stdin=subprocess.DEVNULL,
        timeout=LIMIT_SECONDS * 2,
    )  # fmt: skip


def test_a_missing_mosquitto_is_one_line_that_says_what_to_do_and_exit_code_2() -> None:
    program = "import demos.ideas.broker.mosquitto as m; m.find_program = lambda name: None; "
    done = run("broker", "--duration", "1", program=program)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("python -m demos broker: error: ")
    assert line.endswith("; or give --broker URL of an existing broker")
    if sys.platform != "win32":
        assert "apt-get install mosquitto" in line


@needs_mosquitto
def test_a_broker_that_cannot_be_reached_is_exit_code_3() -> None:
    needs_paho()
    url = "mqtt://127.0.0.1:1/signals"
    program = "import demos.ideas.broker.job as j; j.STARTING = 2.0; "
    done = run("broker", "--broker", url, "--duration", "1", "--copiers", "1", "--json", program=program)
    assert done.returncode == 3, done.stderr
    assert f"the provider has not published to {url}" in json.loads(done.stdout)["problem"]


@pytest.mark.parametrize(("option", "text"), [("--copiers=0", "copiers"), ("--duration=0", "duration")])
def test_invalid_options_are_exit_code_2_with_a_usage_line(option: str, text: str) -> None:
    done = run("broker", option)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: python -m demos broker")
    assert text in done.stderr


def test_a_password_in_the_url_is_refused_before_a_program_starts_and_not_shown() -> None:
    done = run("broker", "--broker", "mqtts://anna:se/cret@broker.example/a")
    assert done.returncode == 2
    assert "password file" in done.stderr
    assert "cret" not in done.stderr


def test_options_of_a_running_broker_are_refused_without_its_url() -> None:
    done = run("broker", "--login", "anna", "--ca", "ca.pem", "--duration", "1")
    assert done.returncode == 2
    assert "--broker is missing: --login, --ca can be used" in done.stderr


def test_the_port_of_the_broker_that_the_job_starts_is_refused_with_another_broker() -> None:
    done = run("broker", "--broker", "mqtt://127.0.0.1/signals", "--Port", "5555", "--duration", "1")
    assert done.returncode == 2
    assert "--Port cannot be used with --broker" in done.stderr


def test_the_help_explains_the_job_and_fits_into_80_columns() -> None:
    done = run("broker", "--help")
    assert done.returncode == 0
    for text in ("mosquitto", "--broker URL", "--copiers N", "exit codes:", "examples:"):
        assert text in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
