"""The check of a copier's file: one line for each problem."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import pytest
from config_kit import use_stand_ins

from demos.copier.config_check import check_copier
from demos.provider.certificates import create_certificate

PIN = ":".join(["AB"] * 32)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a file for the token."""
    use_stand_ins(monkeypatch)
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
        code = check_copier(Path("copier.toml"))
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


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://a.example", "it must begin with wss://, or with ws:// for a provider on this machine"),
        ("a.example:8443", "it must begin with wss://, or with ws:// for a provider on this machine"),
        ("wss://", "it must have a host and may have a port, as in wss://provider.example:8443"),
        ("wss://a b", "it must have a host and may have a port, as in wss://provider.example:8443"),
        ("wss://a.example:0", "it must have a host and may have a port, as in wss://provider.example:8443"),
        ("wss://a.example:99999", "Port out of range 0-65535"),
        ("wss://anna:x@a.example", "a login and a password have no place in it: use login and password-file"),
        ("ws://a.example", "without TLS the password would be readable on the network: use wss:// for a.example"),
    ],
)
def test_an_address_that_cannot_be_used_is_an_error(check, url, problem):
    assert error_of(check(url=url)) == f"url = {url!r}: {problem}"


def test_options_of_the_secure_protocol_need_an_address(check):
    code, lines = check(url="", pin=PIN)
    text = "needs url: without it the copier speaks the article's plain protocol"
    assert (code, lines) == (2, [f"error: {name} {text}" for name in ("login", "token-file", "pin")])


def test_a_pin_that_is_no_fingerprint_is_an_error(check):
    assert error_of(check(pin="AB:CD")).startswith("pin: invalid fingerprint: 'AB:CD'; use the 64 hexadecimal digits")


def test_a_file_of_cas_is_read(check):
    assert error_of(check(ca="missing.pem")).startswith("ca: the CA file 'missing.pem' cannot be used: ")
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    create_certificate(Path("cert.pem"), Path("key.pem"), ["localhost"], 5, now)
    assert check(ca="cert.pem") == FINE


def test_what_verifies_a_server_has_no_effect_without_tls(check):
    assert check(url="ws://localhost:8443", pin=PIN) == (
        0,
        ["warning: ca and pin have no effect on a ws:// connection: it has no certificate"],
    )


def test_a_login_needs_exactly_one_secret(check, monkeypatch):
    assert error_of(check(login="")) == "login is needed for a connection to url"
    missing = "password-file or token-file is needed, or WINSOCK_TOKEN or WINSOCK_PASSWORD in the environment"
    assert error_of(check(token_file="")) == missing
    both = "password-file and token-file exclude each other: use one of them"
    assert error_of(check(password_file="token")) == both
    monkeypatch.setenv("WINSOCK_TOKEN", "wst_x")
    assert check(token_file="") == FINE


@pytest.mark.parametrize("data", [b"", b"\n", b"one\ntwo\n", b"x" * 5000])
def test_a_secret_is_one_line_and_is_never_shown(check, data):
    Path("token").write_bytes(data)
    assert error_of(check()) == "token-file: token must have one line with the secret and nothing else"


def test_a_secret_that_is_no_text_or_missing_is_an_error(check):
    Path("token").write_bytes(b"\xff\xfe")
    assert error_of(check()) == "token-file: token is not UTF-8"
    expected = "token-file: missing cannot be read: No such file or directory"
    assert error_of(check(token_file="missing")) == expected


@pytest.mark.posix_only(reason="modes of files")
def test_a_secret_that_others_can_read_is_an_error_and_for_its_group_a_warning(check):
    Path("token").chmod(0o644)
    assert error_of(check()) == "token-file: others can read token: use `chmod 600 token`"
    Path("token").chmod(0o640)
    code, [line] = check()
    assert (code, line) == (0, "warning: token-file: the group of token can read it: use `chmod 600 token`")


def test_the_memory_is_a_database_in_a_folder_that_exists(check):
    folder = Path("missing").absolute()
    assert error_of(check(memory="missing/a.sqlite")) == f"memory: the folder {folder} does not exist"
    Path("bad.sqlite").write_bytes(b"x" * 5000)
    assert error_of(check(memory="bad.sqlite")) == "memory: bad.sqlite: file is not a database"
    with closing(sqlite3.connect("good.sqlite")) as db:
        db.execute("CREATE TABLE a (b)")
    assert check(memory="good.sqlite") == FINE
