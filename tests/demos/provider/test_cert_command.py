"""The command that creates a certificate: what it prints, and its exit code."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from datetime import datetime, timezone
from pathlib import Path

from demos.provider.cert_command import add_cert_options, run_cert_command
from demos.wire.tls_contexts import CertificateFiles, fingerprint_from_text

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)


def run(folder: Path, *arguments: str) -> int:
    parser = ArgumentParser()
    add_cert_options(parser)
    files = ("--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem"))
    return run_cert_command(parser.parse_args([*files, *arguments]), NOW)


def test_the_command_prints_the_fingerprint_of_the_certificate_that_a_server_loads(tmp_path, capsys):
    assert run(tmp_path, "localhost", "127.0.0.1") == 0
    printed = capsys.readouterr().out.splitlines()[-1]
    assert fingerprint_from_text(printed) == CertificateFiles(tmp_path / "cert.pem", tmp_path / "key.pem").fingerprint


def test_a_problem_is_one_line_and_changes_nothing(tmp_path, capsys):
    assert run(tmp_path, "localhost") == 0
    before = (tmp_path / "cert.pem").read_bytes()
    capsys.readouterr()
    assert run(tmp_path, "localhost") == 4
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith(f"python -m demos provider: error: {tmp_path / 'cert.pem'} exists; ")
    assert (tmp_path / "cert.pem").read_bytes() == before
    assert run(tmp_path, "localhost", "--force") == 0
    assert (tmp_path / "cert.pem").read_bytes() != before


def test_without_cryptography_the_command_names_the_extra(tmp_path, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "demos.provider.certificates", raising=False)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert run(tmp_path, "localhost") == 2
    expected = (
        'python -m demos provider: error: the provider needs more packages: python -m pip install -e ".[provider]"\n'
    )
    assert capsys.readouterr().err == expected
