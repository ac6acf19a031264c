"""``python -m demos provider --demo``: processes that trade and copy over TLS, are killed, and end in order."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import AbstractContextManager, closing
from decimal import Decimal
from pathlib import Path

import pytest
from job_process_kit import Log, started_job
from terminal_kit import ROOT
from web_kit import wait_until
from winsock_kit import LIMIT_SECONDS

from demos.copier.job import account_positions
from demos.copier.journal import read_orders
from demos.copier.memory_file import MemoryFile
from demos.provider.state_file import StateFile
from demos.provider.users import UserStore
from demos.terminal.interfaces import AccountError
from demos.terminal.paper.account import PaperAccount

pytestmark = pytest.mark.timeout(180)

NAMES = ("provider", "copier1", "copier2")
QUICK = ("--every", 2, "--speed", 20, "--seed", 1, "--json")


def demo(folder: Path, *arguments: object) -> AbstractContextManager[subprocess.Popen[str]]:
    return started_job("provider", "--demo", "--folder", folder, *arguments)


def account(folder: Path, name: str) -> Path:
    return folder / f"{name}-account.sqlite"


def lots(folder: Path, name: str) -> Decimal:
    return Decimal(account_positions(account(folder, name)).get("EURUSD", "0"))


def assert_scaled(folder: Path) -> None:
    own = lots(folder, "provider")
    assert [lots(folder, name) for name in NAMES[1:]] == [own, own / 2]


def is_released(path: Path) -> bool:
    """Whether no process uses an account any more."""
    try:
        PaperAccount(path).close()
    except AccountError:
        return False
    return True


def kill(pid: int) -> None:
    os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))


def test_each_copier_ends_with_the_providers_position_scaled_by_its_factor(tmp_path):
    with demo(tmp_path, "--duration", 3, *QUICK) as process:
        log = Log(process)
        url = log.wait(r"job \| dashboard: (\S+)")
        password = log.wait(r"login: operator  password: (\S+)")
        log.wait("certificate: continue to the page")
        summary = log.end()
    assert process.returncode == 0, log.lines
    assert (summary["equal"], summary["problem"], summary["restarts"]) == (True, None, 0)
    assert summary["dashboard"] == url
    assert summary["trades"] > 5
    assert 0 < summary["lag_ms"]["median"] <= summary["lag_ms"]["p99"] <= summary["lag_ms"]["max"]
    for copier, factor in zip(summary["per_copier"], ("1", "0.5"), strict=True):
        assert copier["factor"] == factor
        assert copier["logins"] == 1
        assert copier["orders"] > 0
        assert copier["states"] > copier["orders"] / 2
        assert copier["positions"] == copier["target"]
    assert_scaled(tmp_path)
    with closing(MemoryFile(tmp_path / "copier2-memory.sqlite", owner=False)) as memory:
        assert len(read_orders(memory, "EURUSD", 1000)) == summary["per_copier"][1]["orders"]
    # The password is only shown; tokens and key are readable by their owner alone.
    assert len(password) > 15
    assert all(password.encode() not in path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.posix_only(reason="Windows has no modes")
def test_the_secrets_of_a_kept_folder_are_private(tmp_path):
    with demo(tmp_path, "--duration", 1, *QUICK) as process:
        Log(process).end()
    for name in ("key.pem", "provider.sqlite", "copier1.token", "copier2.token"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600, name


def test_a_kept_folder_is_continued_with_a_new_password_and_the_same_certificate(tmp_path):
    found = []
    for _ in range(2):
        with demo(tmp_path, "--duration", 2, *QUICK) as process:
            log = Log(process)
            found.append((log.wait(r"  password: (\S+)"), (tmp_path / "cert.pem").read_bytes()))
            assert log.end()["equal"] is True
        assert process.returncode == 0, log.lines
        assert_scaled(tmp_path)
    (password, certificate), (other_password, same_certificate) = found
    assert password != other_password
    assert certificate == same_certificate
    with closing(StateFile(tmp_path / "provider.sqlite")) as state:
        assert [user.login for user in UserStore(state).all()] == ["copier1", "copier2", "operator"]


def post_login(url: str, folder: Path, password: str) -> int:
    request = urllib.request.Request(
        f"{url}operator/login",
        json.dumps({"login": "operator", "password": password}).encode(),
        {"Content-Type": "application/json", "Origin": url.rstrip("/")},
    )
    context = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    try:
        with urllib.request.urlopen(request, context=context, timeout=LIMIT_SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.posix_only(reason="Ctrl-C cannot be sent to one process on Windows")
def test_the_dashboard_accepts_the_operators_password_and_ctrl_c_ends_all_processes(tmp_path):
    with demo(tmp_path, *QUICK) as process:
        log = Log(process)
        pids = [int(log.wait(r"provider is process (\d+)"))]
        url, password = log.wait(r"job \| dashboard: (\S+)"), log.wait(r"  password: (\S+)")
        pids += [int(log.wait(rf"{name} is process (\d+)")) for name in NAMES[1:]]
        log.wait(r"copier\d \| .* deal #3 ")
        assert post_login(url, tmp_path, password) == 200
        assert post_login(url, tmp_path, "another one") != 200
        process.send_signal(signal.SIGINT)
        summary = log.end()
    assert (process.returncode, summary["equal"]) == (0, True), log.lines
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert_scaled(tmp_path)


def test_no_process_is_left_when_the_demo_itself_is_killed(tmp_path):
    with demo(tmp_path, *QUICK) as process:
        log = Log(process)
        log.wait(r"copier\d \| .* deal #1 ")
        process.kill()
        process.wait()
    wait_until(lambda: all(is_released(account(tmp_path, name)) for name in NAMES))


@pytest.mark.parametrize(
    "victim",
    [
        "copier1",
        pytest.param(
            "provider",
            marks=pytest.mark.wine_differs("a process that is killed can leave its port in use for minutes", run=False),
        ),
    ],
)
def test_a_killed_process_is_started_again_and_the_positions_are_right_at_the_end(victim, tmp_path):
    # Ctrl-C cannot be sent to one process on Windows: there the demo ends after a time that is long enough for it all.
    duration = ("--duration", 12) if sys.platform == "win32" else ()
    with demo(tmp_path, *duration, *QUICK) as process:
        log = Log(process)
        pid = int(log.wait(rf"{victim} is process (\d+)"))
        log.wait(r"copier1 \| .* deal #2 ")
        kill(pid)
        log.wait(rf"{victim} ended .* and is started again")
        log.wait("copier1 .*logged in as copier1")
        log.wait(r"copier1 \| .* deal #")
        if not duration:
            process.send_signal(signal.SIGINT)
        summary = log.end()
    assert process.returncode == 0, log.lines
    assert (summary["equal"], summary["restarts"]) == (True, 1)
    assert summary["per_copier"][0]["logins"] == 2
    assert_scaled(tmp_path)


@pytest.mark.posix_only(reason="TerminateProcess gives the exit code 1 of a failure, as no signal does")
def test_a_copier_that_is_killed_at_each_start_is_reported(tmp_path):
    with demo(tmp_path, *QUICK) as process:
        log = Log(process)
        for _ in range(3):
            kill(int(log.wait(r"copier1 is process (\d+)")))
        summary = log.end()
    assert process.returncode == 1
    assert summary["problem"].startswith("copier1 ended with exit code -9")
    wait_until(lambda: all(is_released(account(tmp_path, name)) for name in NAMES if account(tmp_path, name).exists()))


def test_a_copier_whose_login_was_disabled_is_reported_with_the_reason(tmp_path):
    with demo(tmp_path, "--duration", 4, *QUICK) as process:
        log = Log(process)
        log.wait(r"copier2 \| .* deal #1 ")
        with closing(StateFile(tmp_path / "provider.sqlite")) as state:
            UserStore(state).set_disabled("copier2", True)
        log.wait(r"copier2 \| .*disabled")
        summary = log.end()
    assert process.returncode == 1
    # The strategy may have returned to the position at which copier2 was stopped.
    position = "not copied to the end" if summary["equal"] else r".*, but the volume times 0.5 of the provider's is .*"
    assert re.fullmatch(f"copier2 has {position}; its login was refused: disabled", summary["problem"])
    assert summary["equal"] == (lots(tmp_path, "copier2") == lots(tmp_path, "provider") / 2)


@pytest.mark.posix_only(reason="Ctrl-C cannot be sent to one process on Windows")
@pytest.mark.parametrize("line", ["provider is process", "copier1 is process"])
def test_ctrl_c_while_the_demo_starts_is_exit_code_130_and_no_network_error(tmp_path, line):
    with demo(tmp_path, *QUICK) as process:
        log = Log(process)
        log.wait(line)
        process.send_signal(signal.SIGINT)
        summary = log.end()
    assert process.returncode == 130, log.lines
    assert summary["problem"].startswith("interrupted before ")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, text=True, capture_output=True, check=False, stdin=subprocess.DEVNULL,
        timeout=LIMIT_SECONDS * 2,
    )  # fmt: skip


def test_a_folder_that_another_demo_uses_is_exit_code_4_and_its_users_stay(tmp_path):
    with closing(StateFile(tmp_path / "provider.sqlite")), closing(PaperAccount(account(tmp_path, "copier1"))):
        done = run("-m", "demos", "provider", "--demo", "--folder", str(tmp_path))
    assert done.returncode == 4
    assert "in use by another program" in done.stderr
    with closing(StateFile(tmp_path / "provider.sqlite")) as state:
        assert list(UserStore(state).all()) == []


def test_missing_packages_are_one_line_and_exit_code_2():
    program = "import sys; sys.modules['cryptography'] = None; import demos.__main__ as m; "
    done = run("-c", f"{program}sys.exit(m.main(['provider', '--demo', '--duration', '1']))")
    assert done.returncode == 2
    assert (
        done.stderr
        == 'python -m demos provider: error: the provider needs more packages: python -m pip install -e ".[provider]"\n'
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "give a COMMAND, or --demo"),
        (["--demo", "user", "list"], "unrecognized arguments: user list"),
        (["--demo", "--duration", "0"], "is not a number of seconds above 0"),
        (["--demo", "--Port", "65536"], "65536"),
    ],
)
def test_invalid_arguments_are_exit_code_2_with_a_usage_line(arguments, text):
    done = run("-m", "demos", "provider", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: python -m demos provider")
    assert text in done.stderr


def test_the_help_of_the_demo_and_of_the_group_explain_it():
    group, own = run("-m", "demos", "provider", "--help"), run("-m", "demos", "provider", "--demo", "--help")
    assert (group.returncode, own.returncode) == (0, 0)
    assert "python -m demos provider --demo\n" in group.stdout
    for text in ("--folder DIR", "--duration SECONDS", "--json", "dashboard", "certificate", "exit codes:"):
        assert text in own.stdout
    assert max(map(len, (*group.stdout.splitlines(), *own.stdout.splitlines()))) <= 80
