"""``copier check``: one line for each problem."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import pytest

from demos.__main__ import main
from demos.copier.account_inputs import AccountInputs, StartError, Trading
from demos.copier.account_start import start_account
from demos.copier.account_values import AccountOptions
from demos.copier.limits import Limits
from demos.copier.memory_file import KIND, MemoryFile
from demos.copier.moments import Moment
from demos.copier.rules import Rules
from demos.copier.targets import Targets
from demos.provider.certificates import create_certificate
from demos.provider.protocol import MOST_SYMBOLS
from demos.provider.sqlite_file import StateError
from demos.provider.state_file import StateFile

PIN = ":".join(["AB"] * 32)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a file for the token."""
    monkeypatch.chdir(tmp_path)
    for name in ("WINSOCK_TOKEN", "WINSOCK_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    Path("token").write_text("wst_x\n", encoding="utf-8")
    Path("token").chmod(0o600)


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]):
    """Runs the check of a file with these values, and a working connection; returns the exit code and the lines."""

    def run(**values: object) -> tuple[int, list[str]]:
        values = {"url": "wss://provider.example:8443", "login": "anna", "token_file": "token", **values}
        lines = [f"{name.replace('_', '-')} = {json.dumps(value)}\n" for name, value in values.items()]
        Path("copier.toml").write_text("".join(lines), encoding="utf-8")
        code = main(["copier", "check", "--config", "copier.toml"])
        captured = capsys.readouterr()
        assert captured.err == ""
        return code, captured.out.splitlines()

    return run


FINE = (0, ["copier.toml: no problems found"])


def error_of(result: tuple[int, list[str]]) -> str:
    code, [line] = result
    assert code == 2
    return line.removeprefix("error: ")


def test_a_file_without_problems_is_one_line_and_the_code_0(check):
    assert check() == FINE
    assert check(pin=PIN) == FINE
    assert check(url="ws://127.0.0.1:8443") == FINE
    assert check(url="ws://[::1]:8443") == FINE
    assert check(url="wss://[2001:db8::1]") == FINE
    assert check(url="", login="", token_file="") == FINE


def test_an_address_that_cannot_be_used_is_an_error_with_its_line(check):
    assert error_of(check(url="https://a.example")).startswith(
        "copier.toml line 1: url = 'https://a.example': invalid URL"
    )
    assert "may only be to this computer" in error_of(check(url="ws://a.example"))


def test_options_of_the_secure_protocol_need_an_address(check):
    code, lines = check(url="", pin=PIN)
    text = "needs url: without it the copier speaks the article's plain protocol"
    assert (code, lines) == (2, [f"error: {name} {text}" for name in ("login", "token-file", "pin")])


def test_a_pin_that_is_no_fingerprint_is_an_error_with_its_line(check):
    assert error_of(check(pin="AB:CD")).startswith("copier.toml line 4: pin = 'AB:CD': invalid fingerprint: 'AB:CD'; ")


def test_a_file_of_cas_is_read(check):
    assert error_of(check(ca="missing.pem")).startswith("the CA file 'missing.pem' cannot be used: ")
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    create_certificate(Path("cert.pem"), Path("key.pem"), ["localhost"], 5, now)
    assert check(ca="cert.pem") == FINE


def test_what_verifies_a_server_needs_tls(check):
    assert error_of(check(url="ws://localhost:8443", pin=PIN)).startswith("--ca and --pin verify a server with TLS: ")


def test_a_login_needs_exactly_one_secret(check, monkeypatch):
    assert error_of(check(login="")) == "a provider needs a login: give --login NAME"
    assert error_of(check(token_file="")).startswith("a login needs a password or a token, and none is given: ")
    both = "a login needs a password or a token, and only one is possible: "
    assert error_of(check(password_file="token")).startswith(both)
    monkeypatch.setenv("WINSOCK_TOKEN", "wst_x")
    assert check(token_file="") == FINE


def test_a_secret_that_cannot_be_read_is_an_error(check):
    assert error_of(check(token_file="missing")).startswith("the token file missing cannot be read: ")
    Path("token").write_bytes(b"\n")
    assert error_of(check()) == "the first line of the token file token is empty: it must be the token"


@pytest.mark.posix_only(reason="modes of files")
def test_a_secret_that_others_can_read_is_a_warning(check):
    Path("token").chmod(0o644)
    code, [line] = check()
    assert (code, line) == (0, "warning: other users can access the token in token: change its mode to 600")


def test_the_memory_is_a_database_in_a_folder_that_exists(check):
    folder = Path("missing").absolute()
    assert error_of(check(memory="missing/a.sqlite")) == f"memory: the folder {folder} does not exist"
    Path("bad.sqlite").write_bytes(b"x" * 5000)
    assert error_of(check(memory="bad.sqlite")) == "memory: bad.sqlite: file is not a database"
    assert check(memory="copier.sqlite") == FINE
    with closing(MemoryFile(Path("copier.sqlite"), owner=True)):
        assert check(memory="copier.sqlite") == FINE


def test_a_file_of_another_kind_is_no_memory(check):
    with closing(StateFile(Path("provider.sqlite"))):
        pass
    with closing(sqlite3.connect("other.sqlite")) as db:
        db.execute("CREATE TABLE a (b)")
    assert error_of(check(memory="provider.sqlite")) == "memory: not a copier's memory: provider.sqlite"
    assert error_of(check(memory="other.sqlite")) == "memory: not a copier's memory: other.sqlite"
    assert error_of(check(memory="")) == "memory: not a file: ."
    with closing(sqlite3.connect("newer.sqlite")) as db:
        db.execute(f"PRAGMA application_id = {KIND.application}")
        db.execute("PRAGMA user_version = 99")
    assert error_of(check(memory="newer.sqlite")).startswith("memory: newer.sqlite has version 99; ")


@pytest.mark.parametrize("login", ["", "x" * 65, "a\u0085b"])
def test_a_login_that_no_message_can_have_is_refused_by_check_and_run_alike(check, login):
    problem = error_of(check(login=login))
    assert "login" in problem
    with pytest.raises(StartError) as caught:
        start(login=login)
    assert str(caught.value) == problem


def test_more_symbols_than_a_login_can_have_are_refused_by_check_and_run_alike(check):
    names = [f"S{number}" for number in range(MOST_SYMBOLS + 1)]
    problem = error_of(check(only=",".join(names)))
    assert "a list of more than" in problem
    with pytest.raises(StartError) as caught:
        start(Rules(only=names))
    assert str(caught.value) == problem


def test_a_memory_without_a_name_is_one_clear_error_of_the_run():
    with pytest.raises(StateError, match=r"^not a file: \.$"):
        start(memory="")
    assert not list(Path().glob("*.lock"))


def start(rules: Rules | None = None, **values: str) -> None:
    """Start the account copier with these inputs, as the program does."""
    given = {"login": "anna", "token_file": "token", "memory": "copier.sqlite", **values}
    inputs = AccountInputs("wss://localhost:1", given["login"], "", given["token_file"], "", "", given["memory"])
    start_account(inputs, AccountOptions(), Targets(rules or Rules()), Trading(Limits(), False, str), Moment(0))


@pytest.mark.posix_only(reason="the package may be installed on Windows")
def test_a_real_terminal_needs_its_package(check):
    assert error_of(check(terminal="mt5")).startswith("terminal: the package MetaTrader5 is not installed")


# ---- a broker


def test_a_copier_at_a_broker_is_checked_like_one_at_a_provider(check):
    pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")
    broker = "mqtts://broker.example/signals"
    assert check(url="", broker=broker) == FINE
    assert check(url="", broker=broker, login="", token_file="") == FINE
    assert check(url="", broker="mqtt://127.0.0.1/signals", pin="") == FINE
    assert error_of(check(url="", broker=broker, ca="missing.pem")).startswith("the CA file 'missing.pem' cannot")
    assert "use mqtts://" in error_of(check(url="", broker="mqtt://127.0.0.1/signals", pin=PIN))
    assert "needs a password, and none is given" in error_of(check(url="", broker=broker, token_file=""))
    assert "needs a login" in error_of(check(url="", broker=broker, login=""))
    assert "1 to 8 levels" in error_of(check(url="", broker="mqtts://broker.example"))


def test_a_url_and_a_broker_are_an_error(check):
    assert error_of(check(broker="mqtts://broker.example/a")).startswith("url and broker are both given")


def test_a_broker_without_its_package_is_an_error(check, monkeypatch):
    monkeypatch.setitem(sys.modules, "demos.copier.broker_connection", None)
    assert error_of(check(url="", broker="mqtts://broker.example/a")).startswith("broker: ")
