"""notes/running.md: its configuration files pass the checks, its units are valid, and its commands exist."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest
from login_kit import add_user, count_hashes, opened
from trace_kit import ROOT

from demos import __main__ as command_line
from demos.copier.config_check import copier_findings
from demos.launcher.config_check import check_config
from demos.provider.certificates import create_certificate
from demos.provider.config_check import provider_findings

NOTE = (ROOT / "notes" / "running.md").read_text(encoding="utf-8")
ANALYZER = shutil.which("systemd-analyze") or ""

CHECKS = {"provider": provider_findings, "copier": copier_findings}


def files(kind: str) -> dict[str, str]:
    """The blocks of a kind by the file name in their first line."""
    found = re.findall(rf"^```{kind}\n# (\S+)\n(.*?)^```$", NOTE, re.DOTALL | re.MULTILINE)
    assert len(found) == len(re.findall(rf"^ *```{kind}$", NOTE, re.MULTILINE))
    return dict(found)


CONFIGURATIONS = files("toml")
UNITS = files("ini")


def with_folder(text: str, folder: Path) -> str:
    """A text whose absolute paths are in this folder."""
    text = re.sub(r"C:\\(winsock-\w+)\\", rf"{folder.as_posix()}/\1/", text)
    return re.sub(r"(?<=\")/(?=(etc|var|run)/)", f"{folder.as_posix()}/", text)


def create_files(text: str) -> None:
    """The files that a configuration names: folders, certificate and key, users, and the token."""
    for path in map(Path, re.findall(r"[\"'](/[^\"']+|[A-Z]:/[^\"']+)[\"']", text)):
        path.parent.mkdir(parents=True, exist_ok=True)
    named = {key: Path(name) for key, name in re.findall(r"^([\w-]+) = [\"'](.*)[\"']$", text, re.MULTILINE)}
    if "cert" in named:
        create_certificate(named["cert"], named["key"], ["localhost"], 90, datetime.now(timezone.utc))
    if "state" in named:
        add_user(opened(named["state"]), "anna")
    if "token-file" in named:
        named["token-file"].write_text("wst_x\n", encoding="ascii")
        named["token-file"].chmod(0o600)


def test_there_is_a_configuration_of_each_program_and_system() -> None:
    assert list(CONFIGURATIONS) == [
        "/etc/winsock-provider/provider.toml",
        "/etc/winsock-copier/copier.toml",
        r"C:\winsock-copier\copier.toml",
        r"C:\winsock-provider\provider.toml",
    ]
    assert len(UNITS) == 4


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_configuration_passes_the_check(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count_hashes(monkeypatch)
    if name.startswith("C:"):
        # The package of MetaTrader 5 exists for Windows only.
        monkeypatch.setattr("demos.launcher.config_check.load", lambda: None)
    text = with_folder(CONFIGURATIONS[name], tmp_path)
    create_files(text)
    config = tmp_path / "config.toml"
    config.write_text(text, encoding="utf-8")
    program = "provider" if "provider.toml" in name else "copier"
    findings = check_config(program, config, CHECKS[program])
    # A port may be in use on the machine of the tests.
    assert [text for text, _ in findings if "is in use" not in text] == []


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_check_notices_that_the_files_are_missing(name: str, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(with_folder(CONFIGURATIONS[name], tmp_path), encoding="utf-8")
    program = "provider" if "provider.toml" in name else "copier"
    assert not all(warning for _, warning in check_config(program, config, CHECKS[program]))


@pytest.mark.skipif(not ANALYZER, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_accepts_a_unit(name: str, tmp_path: Path) -> None:
    for unit, text in UNITS.items():
        # The commands that a unit starts must exist.
        text = text.replace("/opt/winsock/.venv/bin/python", sys.executable)
        (tmp_path / Path(unit).name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [ANALYZER, "verify", str(tmp_path / Path(name).name)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_each_configuration_is_the_one_that_a_unit_uses() -> None:
    used = {name for text in UNITS.values() for name in re.findall(r"--config (\S+)", text)}
    assert used == {name for name in CONFIGURATIONS if name.startswith("/")}


def commands() -> list[str]:
    """The commands of this project in all blocks, from the name of the subcommand on."""
    found = []
    for block in re.findall(r"^ *```(?:sh|ini|bat|powershell)\n(.*?)^ *```$", NOTE, re.DOTALL | re.MULTILINE):
        for line in re.sub(r"\\\n *", "", block).splitlines():
            if match := re.search(r"(?:-m demos|\$demos) (\w.*)$", line):
                found.append(match[1].rstrip("'").replace("$$(date +%%u)", "1"))
    return found


@pytest.mark.parametrize("command", dict.fromkeys(commands()))
def test_a_command_of_the_page_is_accepted(command: str) -> None:
    arguments = shlex.split(command.replace("\\", "/"))
    args = command_line._parser(arguments).parse_args(arguments)
    assert callable(args.main)


def test_the_page_has_the_commands_of_all_steps() -> None:
    text = "\n".join(commands())
    for name in ("cert", "user add", "user token add", "check", "backup", "restore"):
        assert f"provider {name} " in text
    assert "run provider --config" in text
    assert "run copier --config" in text
