"""``provider cert``, ``backup`` and ``restore``: what a user types, sees and gets back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from login_kit import NOW, PASSWORD, add_user, code, count_hashes, log_in, opened

from demos.__main__ import main
from demos.wire.tls_contexts import CertificateFiles, fingerprint_from_text


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the default state file and the user anna."""
    count_hashes(monkeypatch)
    monkeypatch.chdir(tmp_path)
    provider = opened(Path("provider.sqlite"))
    add_user(provider, "anna")
    provider.state.close()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    """Runs the command; returns the exit code and the lines of the output."""

    def command(*arguments: str) -> tuple[int, list[str]]:
        result = main(["provider", *arguments])
        captured = capsys.readouterr()
        assert captured.err == ""
        return result, captured.out.splitlines()

    return command


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line of a command that fails."""
    assert main(["provider", *arguments]) == 4
    captured = capsys.readouterr()
    assert captured.out == ""
    match = re.fullmatch(r"python -m demos provider: error: (.+)\n", captured.err)
    assert match, captured.err
    return match[1]


def test_cert_creates_the_files_and_prints_the_fingerprint(run):
    result, lines = run("cert", "localhost", "203.0.113.7")
    assert result == 0
    assert fingerprint_from_text(lines[-1]) == CertificateFiles(Path("cert.pem"), Path("key.pem")).fingerprint


def test_backup_and_restore_print_what_they_did(run):
    copied = "copied provider.sqlite to backup.sqlite: version {}, 1 user"
    result, [line] = run("backup", "backup.sqlite")
    assert result == 0
    assert re.fullmatch(re.escape(copied).replace(r"\{\}", r"\d+"), line)
    provider = opened(Path("provider.sqlite"))
    provider.users.add_token("anna", "copier", NOW)
    provider.users.remove("anna")
    add_user(provider, "bob")
    provider.state.close()
    result, lines = run("restore", "backup.sqlite")
    assert result == 0
    assert re.fullmatch(r"restored provider\.sqlite from backup\.sqlite: version \d+, 1 user", lines[0])
    assert lines[1:] == ["the former state is provider.sqlite.old", "users that can log in again: anna"]
    assert code(log_in(opened(Path("provider.sqlite")), "anna", NOW, password=PASSWORD)) == "granted"


def test_a_restore_without_a_former_state_asks_for_a_check_of_the_users(run):
    run("backup", "backup.sqlite")
    Path("provider.sqlite").unlink()
    _, lines = run("restore", "backup.sqlite")
    assert lines[1:] == [
        "users and tokens are those of the backup: check them with `python -m demos provider user list`"
    ]


def test_a_file_of_another_name_is_backed_up_with_state(run):
    Path("provider.sqlite").rename("other.sqlite")
    assert run("backup", "backup.sqlite", "--state", "other.sqlite")[0] == 0


def test_a_backup_that_cannot_be_made_is_one_line(run, capsys):
    assert error_of(capsys, "backup", "a.sqlite", "--state", "missing.sqlite") == "no such file: missing.sqlite"
    Path("a.sqlite").write_text("kept", encoding="ascii")
    assert error_of(capsys, "backup", "a.sqlite") == "a.sqlite exists: use another name, or --force to replace it"
    assert Path("a.sqlite").read_text(encoding="ascii") == "kept"
    assert run("backup", "a.sqlite", "--force")[0] == 0


def test_a_restore_while_the_provider_runs_is_one_line(run, capsys):
    run("backup", "backup.sqlite")
    opened(Path("provider.sqlite"))
    assert error_of(capsys, "restore", "backup.sqlite") == "provider.sqlite is in use: stop the provider first"
