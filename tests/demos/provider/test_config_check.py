"""``provider check``: one line for each problem, and nothing is changed."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from login_kit import NOW, add_user, count_hashes, opened

from demos.__main__ import main
from demos.provider import config_check, state_copy
from demos.provider.certificates import create_certificate
from demos.provider.state_file import VERSION
from demos.wire.addresses import port_of
from demos.wire.listening import start_server
from winsock import SOCK_STREAM, WSACleanup, closesocket

START = datetime.fromtimestamp(NOW, timezone.utc)


@contextmanager
def listening() -> Iterator[int]:
    """A port in use."""
    server, address = start_server("127.0.0.1", 0, SOCK_STREAM)
    yield port_of(address)
    closesocket(server)
    WSACleanup()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a certificate and a state with one user, and a fixed clock."""
    count_hashes(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config_check, "wall_clock", lambda: NOW)
    create_certificate(Path("cert.pem"), Path("key.pem"), ["localhost"], 90, START)
    provider = opened(Path("provider.sqlite"))
    add_user(provider, "anna")
    provider.state.close()
    return tmp_path


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]):
    """Runs the command on a file with these values; returns the exit code and the lines."""

    def run(text: str = "", **values: object) -> tuple[int, list[str]]:
        # Any free port, so that no test depends on what else runs on this machine.
        values = {"Port": 0, "plain_port": 0, **values}
        lines = [f"{name.replace('_', '-')} = {json.dumps(value)}\n" for name, value in values.items()]
        Path("provider.toml").write_text("".join(lines) + text, encoding="utf-8")
        code = main(["provider", "check", "--config", "provider.toml"])
        captured = capsys.readouterr()
        assert captured.err == ""
        return code, captured.out.splitlines()

    return run


TLS = {"cert": "cert.pem", "key": "key.pem"}
FINE = (0, ["provider.toml: no problems found"])


def test_a_file_without_problems_is_one_line_and_the_code_0(check):
    assert check() == FINE
    assert check(**TLS) == FINE
    assert check(**TLS, Host="0.0.0.0") == FINE
    assert check(Port=-1) == FINE
    assert check(plain_port=-1) == FINE


def test_nothing_is_changed(check, folder):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    check(**TLS, Host="0.0.0.0", log="a.log", account="account.sqlite")
    after = {path: path.read_bytes() for path in folder.iterdir() if path.name != "provider.toml"}
    assert after == before


def test_each_problem_is_a_line_and_the_code_is_2(check):
    code, lines = check("zzz = 1\nexperts = 'two'\n", cert="missing.pem", log="missing/a.log")
    assert code == 2
    assert lines == [
        "error: provider.toml line 5: unknown option zzz; `python -m demos run provider --help` shows all options",
        "error: provider.toml line 6: experts = 'two': a whole number is needed",
        f"error: log: the folder {Path('missing').absolute()} does not exist",
        "error: the certificate missing.pem cannot be used: No such file or directory",
    ]


def test_a_value_that_is_reported_causes_no_other_finding(check):
    for values in ({"Port": 70000, "plain_port": -1}, {"cert": 5, "Host": "0.0.0.0"}, {"Host": 5}, {"plain_port": -2}):
        code, lines = check(**values)
        assert (code, len(lines)) == (2, 1), lines


def test_a_list_without_a_name_is_an_error_because_no_name_would_mean_all(check):
    assert error_of(check(only=",,")).endswith("no symbol in ',,': name at least one, or leave it empty for all")
    assert error_of(check(hosts=" ")).endswith("no host name in ' ': use names or addresses, or leave it empty")


def test_a_warning_alone_is_the_code_0(check):
    code, [line] = check(plain_host="0.0.0.0")
    assert code == 0
    assert line.startswith("warning: plain-host = '0.0.0.0' is no loopback address: the plain protocol has no password")


def test_a_file_that_is_missing_or_not_toml_is_one_line(capsys):
    assert main(["provider", "check", "--config", "missing.toml"]) == 2
    assert capsys.readouterr().out == "error: --config missing.toml cannot be read: No such file or directory\n"
    Path("bad.toml").write_text("Port 5", encoding="utf-8")
    assert main(["provider", "check", "--config", "bad.toml"]) == 2
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("error: --config bad.toml is not TOML: ")


# ---- the certificate


def error_of(result: tuple[int, list[str]]) -> str:
    """The one error of a check."""
    code, [line] = result
    assert code == 2
    return line.removeprefix("error: ")


def warning_of(result: tuple[int, list[str]]) -> str:
    """The one warning of a check."""
    code, [line] = result
    assert code == 0
    return line.removeprefix("warning: ")


def test_a_key_of_another_certificate_is_an_error(check):
    create_certificate(Path("other.pem"), Path("other_key.pem"), ["localhost"], 90, START)
    expected = "the certificate cert.pem with the key other_key.pem cannot be used: key values mismatch"
    assert error_of(check(cert="cert.pem", key="other_key.pem")) == expected


def test_a_key_without_a_certificate_is_an_error(check):
    assert error_of(check(key="key.pem")) == "key is given without cert: give the file of the certificate too"


@pytest.mark.parametrize(
    ("days", "begins", "problem"),
    [
        (10, -20, "the certificate cert.pem has expired: it was valid until "),
        (10, 5, "the certificate cert.pem is not valid before "),
    ],
)
def test_a_certificate_that_is_not_valid_today_is_an_error(check, days, begins, problem):
    create_certificate(
        Path("cert.pem"), Path("key.pem"), ["localhost"], days, START + timedelta(days=begins), force=True
    )
    assert error_of(check(**TLS)).startswith(problem)


def test_a_certificate_that_ends_soon_is_a_warning(check):
    create_certificate(Path("cert.pem"), Path("key.pem"), ["localhost"], 13, START, force=True)
    end = START + timedelta(days=13)
    expected = f"the certificate cert.pem is valid until {end:%Y-%m-%d %H:%M} UTC only: renew it"
    assert warning_of(check(**TLS)) == expected


@pytest.mark.posix_only(reason="modes of files")
def test_a_private_key_that_others_can_read_is_a_warning(check):
    Path("key.pem").chmod(0o644)
    expected = "others can read or change the private key key.pem: use `chmod 600 key.pem`"
    assert warning_of(check(**TLS)) == expected
    Path("key.pem").chmod(0o640)
    assert check(**TLS) == FINE


def test_without_cryptography_the_dates_are_a_warning(check, monkeypatch):
    monkeypatch.delitem(sys.modules, "demos.provider.certificates", raising=False)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    expected = "the dates of the certificate cannot be checked: the provider needs more packages: "
    assert warning_of(check(**TLS)).startswith(expected)


# ---- addresses and ports


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_without_a_certificate_only_a_loopback_address_is_accepted(check, host):
    problem = error_of(check(Host=host))
    assert problem == (
        f"Host = '{host}' is no loopback address and there is no certificate: give cert and key "
        "(`python -m demos provider cert` creates them)"
    )
    assert check(Host="localhost") == FINE
    assert check(Host="127.0.0.1") == FINE
    assert check(Host=host, Port=-1) == FINE


def test_an_address_of_another_machine_is_an_error(check):
    # An address that is reserved for documentation.
    assert error_of(check(Host="203.0.113.7", **TLS)).startswith("Port: Bind to 203.0.113.7:0 failed error: ")


def test_a_name_that_is_invalid_is_an_error(check):
    assert error_of(check(plain_host="no name")) == "plain-port: invalid host name: 'no name'"


def test_a_port_in_use_is_a_warning_because_the_provider_may_be_running(check):
    with listening() as port:
        expected = f"port {port} is in use: by a provider that is running, or by another program"
        assert warning_of(check(Port=port)) == f"Port: {expected}"
        assert warning_of(check(plain_port=port)) == f"plain-port: {expected}"


def test_one_port_for_both_protocols_is_an_error(check):
    with listening() as port:
        pass
    assert error_of(check(Port=port, plain_port=port)) == (
        f"Port and plain-port are both {port}: use another number for one of them"
    )


def test_no_port_at_all_is_an_error(check):
    expected = "the provider would listen on no port: give Port or plain-port"
    assert error_of(check(Port=-1, plain_port=-1)) == expected


def test_a_broker_is_checked_and_needs_no_port(check):
    pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")
    Path("secret").write_text("x", encoding="ascii")
    Path("secret").chmod(0o600)
    broker = {"Port": -1, "plain_port": -1, "broker": "mqtts://broker.example/signals"}
    assert check(**broker) == FINE
    assert check(**broker, broker_login="anna", broker_password_file="secret") == FINE
    assert "none is given" in error_of(check(**broker, broker_login="anna"))
    assert "missing.pem" in error_of(check(**broker, broker_ca="missing.pem"))
    both = {"broker_ca": "ca.pem", "broker_pin": "ab" * 32}
    assert "use either --broker-ca or --broker-pin" in error_of(check(**broker, **both))
    assert error_of(check(broker_login="anna")).startswith("broker is missing")


def test_a_feed_to_a_proxy_is_checked_and_needs_no_port(check):
    Path("token").write_text("abc", encoding="utf-8")
    Path("token").chmod(0o600)
    feed = {"Port": -1, "plain_port": -1, "publish": "wss://proxy.example/main", "publish_login": "anna"}
    assert check(**feed, publish_token_file="token") == FINE
    assert "none is given: use --publish-password-file or --publish-token-file" in error_of(check(**feed))
    assert "give --publish-login NAME" in error_of(check(**{**feed, "publish_login": ""}, publish_token_file="token"))
    both = {"publish_token_file": "token", "publish_ca": "ca.pem", "publish_pin": "ab" * 32}
    assert "use either --publish-ca or --publish-pin" in error_of(check(**feed, **both))
    plain = {**feed, "publish": "ws://localhost:1/main", "publish_token_file": "token", "publish_ca": "ca.pem"}
    assert "use wss:// in --publish" in error_of(check(**plain))
    assert "missing.pem" in error_of(check(**feed, publish_token_file="token", publish_ca="missing.pem"))
    assert "no topic in" in error_of(check(**{**feed, "publish": "wss://proxy.example"}, publish_token_file="token"))
    assert error_of(check(publish_login="anna")).startswith("publish is missing")


def test_a_broker_without_its_package_is_an_error(check, monkeypatch):
    monkeypatch.setitem(sys.modules, "demos.provider.broker_start", None)
    assert error_of(check(broker="mqtts://broker.example/signals")).startswith("broker: ")


# ---- the state


def test_a_missing_state_is_a_warning_if_subscribers_are_served(check):
    expected = "no such file: missing.sqlite: without it nobody can log in (`python -m demos provider user add`)"
    assert warning_of(check(state="missing.sqlite")) == f"state: {expected}"
    assert check(state="missing.sqlite", Port=-1) == FINE
    folder = Path("missing").absolute()
    assert error_of(check(state="missing/provider.sqlite")) == f"state: the folder {folder} does not exist"


def test_missing_packages_are_an_error_if_subscribers_are_served(check, monkeypatch):
    monkeypatch.setitem(sys.modules, "demos.provider.service", None)
    problem = error_of(check())
    assert problem.startswith("Port: ")
    assert problem.endswith("; or use the plain port alone: Port = -1")
    assert check(Port=-1) == FINE


def test_a_state_that_is_none_or_of_a_newer_version_is_an_error(check):
    Path("other.sqlite").write_bytes(b"x" * 5000)
    assert error_of(check(state="other.sqlite")) == "state: not a provider's file: other.sqlite"
    with closing(sqlite3.connect("provider.sqlite")) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 5}")
    assert error_of(check()).startswith(f"state: provider.sqlite has version {VERSION + 5}; ")


def test_a_state_of_an_older_version_is_a_warning_and_is_not_upgraded(check, monkeypatch):
    for module in (state_copy, config_check):
        monkeypatch.setattr(module, "VERSION", VERSION + 1)
    for _ in range(2):
        assert warning_of(check()) == (
            f"state: provider.sqlite of version {VERSION} becomes version {VERSION + 1} when the provider starts: make "
            "a backup before"
        )


def test_a_state_without_users_is_a_warning(check):
    opened(Path("empty.sqlite"))
    expected = "state: empty.sqlite has no users: `python -m demos provider user add LOGIN` adds one"
    assert warning_of(check(state="empty.sqlite")) == expected


@pytest.mark.posix_only(reason="modes of files")
def test_a_state_that_others_can_read_is_a_warning(check):
    Path("provider.sqlite").chmod(0o644)
    expected = "state: others can read provider.sqlite, which has the hashes of all passwords"
    assert warning_of(check()) == expected


# ---- alerts


@pytest.mark.posix_only(reason="modes of files")
def test_a_file_with_the_address_of_a_webhook_is_not_for_everybody(check):
    Path("provider.toml").touch(0o644)
    expected = (
        "others can read provider.toml, and the address of a webhook is often secret: use `chmod 640 provider.toml`"
    )
    assert warning_of(check(alert_webhook="https://alerts.example/x")) == expected
    Path("provider.toml").chmod(0o640)
    assert check(alert_webhook="https://alerts.example/x") == FINE


def test_a_webhook_that_cannot_be_used_is_an_error(check):
    Path("provider.toml").touch()
    Path("provider.toml").chmod(0o600)
    assert error_of(check(alert_webhook="http://alerts.example/x")).startswith("alert-webhook: ")
    assert error_of(check(alert_ca="missing.pem")).startswith("alert-ca: the CA file 'missing.pem' cannot be used: ")


def test_an_alert_command_without_its_program_is_a_warning(check):
    assert warning_of(check(alert_command="/nonexistent/x -a")).startswith("alert-command: no program '/nonexistent/x'")
    assert check(alert_command=f"'{sys.executable}' -c pass") == FINE


# ---- inputs that the program refuses too


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("name", "", "invalid name: not a string of 1 to 64 characters: ''"),
        ("name", "x" * 65, "invalid name: not a string of 1 to 64 characters: "),
        ("name", "a\u0085b", "invalid name: a string with control characters: "),
        ("hosts", "https://x", "invalid host name: 'https://x'; "),
        ("hosts", "proxy.example,a b/", "invalid host name: 'b/'; "),
        ("only", " , ", "no symbol in ' , ': name at least one"),
    ],
)
def test_a_text_that_the_program_cannot_use_is_refused_by_check_and_run_alike(check, name, value, problem, capsys):
    assert problem in error_of(check(**{name: value}))
    with pytest.raises(SystemExit) as ended:
        main(["run", "provider", f"--{name}={value}", "--duration", "1"])
    assert ended.value.code == 2
    assert f"input {name}: {problem}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"key": "key.pem"}, "key is given without "),
        ({"alert_ca": "missing.pem"}, "alert-ca: the CA file 'missing.pem' cannot be used: "),
        ({"state": ""}, "not a file: ."),
        ({"Host": "a b"}, "invalid host name: 'a b'"),
    ],
)
def test_what_cannot_be_opened_is_refused_by_check_and_run_alike(check, values, problem, capsys):
    assert problem in error_of(check(**values))
    code = main(["run", "provider", "--config", "provider.toml", "--duration", "20"])
    assert code in (2, 3, 4)
    assert problem in capsys.readouterr().err


# ---- the terminal's options


@pytest.mark.parametrize("option", ["log", "account", "events", "picture", "save-template"])
@pytest.mark.parametrize("value", [".", ".."])
def test_a_folder_is_no_file_to_write_for_check_and_run_alike(check, option, value, capsys):
    if option == "picture":
        pytest.importorskip("matplotlib")
    problem = f"--{option} {value} is a folder: give the name of a file"
    assert error_of(check(**{option: value})) == problem
    for given in (value, "") if value == "." else (value,):
        with pytest.raises(SystemExit) as ended:
            main(["run", "provider", f"--{option}={given}", "--duration", "1"])
        assert ended.value.code == 2
        assert problem in capsys.readouterr().err


@pytest.mark.posix_only(reason="modes of files")
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root can write every file")
def test_a_file_that_cannot_be_written_is_an_error(check):
    Path("a.log").touch(0o400)
    assert error_of(check(log="a.log")) == "log: a.log cannot be written by this user"


def test_the_files_of_the_terminal_are_checked(check):
    assert error_of(check(bars="missing.tsv")) == "bars: missing.tsv cannot be read: No such file or directory"
    assert error_of(check(account="provider.sqlite")) == (
        "--account provider.sqlite would overwrite the file of --state; use another file"
    )
    assert error_of(check(magic=5)) == "--magic is not for --terminal embedded"
