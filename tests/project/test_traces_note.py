"""notes/traces.md shows what its commands really print; the numbers in it are those of one run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from trace_kit import ROOT

from winsock.trace.__main__ import COMMANDS

NOTE = (ROOT / "notes" / "traces.md").read_text(encoding="utf-8")
PORT = "8081"


class Command(NamedTuple):
    """A command of the page and the output below it."""

    words: list[str]
    output: str


def programs() -> dict[str, str]:
    """The programs of the page by their file names."""
    return {match[1]: match[0] for match in re.finditer(r"(?<=^```py\n)# (\w+\.py)\n.*?(?=^```$)", NOTE, re.M | re.S)}


def commands() -> list[Command]:
    found = []
    for block in re.findall(r"^```shell\n(.*?)^```$", NOTE, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, output = part.partition("\n")
            found.append(Command(shlex.split(line), output))
    return found


def masked(text: str) -> list[str]:
    """The lines, sorted, with # for each number, and one space between two words: times and handles differ.

    Whether a call of a program that runs live waits for long enough to be shown depends on the machine.
    """
    lines = [line for line in text.splitlines() if not line.endswith(" waits ...")]
    return sorted(re.sub(r"\s+", " ", re.sub(r"\d+(\.\d+)?", "#", line)).strip() for line in lines)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in programs().items():
        (tmp_path / name).write_text(text, encoding="ascii")
    return tmp_path


class Shell:
    """Runs the commands of the page in a folder; a server runs until its client has ended."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder, self._port = folder, str(port)
        self._server: subprocess.Popen[str] | None = None

    def start(self, words: list[str]) -> subprocess.Popen[str]:
        # Options of the interpreter and the port are this run's.
        words = [word.replace(PORT, self._port) for word in words]
        words = [sys.executable, "-X", "utf8", *words[1:]] if words[0] == "python" else words
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "compat")])}
        return subprocess.Popen(
            words, cwd=self._folder, env=environment | {"PYTHONUTF8": "1"}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT if words[0] == sys.executable else subprocess.DEVNULL,
            encoding="utf-8",
        )  # fmt: skip

    def run(self, words: list[str]) -> str:
        """The output of a command. That of a server is its first line, after which it listens."""
        if words[0] == "mkdir":
            (self._folder / words[1]).mkdir()
            return ""
        process = self.start(words)
        if "server.py" in words and "-o" in words:
            self._server = process
            assert process.stdout is not None
            return process.stdout.readline()
        output, _ = process.communicate(timeout=60)
        if self._server and "client.py" in words:
            self._server.communicate(timeout=60)
            assert self._server.returncode == 0
            self._server = None
        return output

    def close(self) -> None:
        if self._server:
            self._server.kill()
            self._server.communicate()


@pytest.fixture
def shell(folder: Path, winsock_port: int) -> Iterator[Shell]:
    shell = Shell(folder, winsock_port)
    yield shell
    shell.close()


def test_each_command_prints_what_the_page_shows(shell: Shell) -> None:
    for words, output in commands():
        if shutil.which(words[0]) or words[0] in ("python", "mkdir"):
            assert masked(shell.run(words)) == masked(output), words


def test_the_page_has_each_command_and_the_table_has_no_other() -> None:
    shown = {words[3] for words, _ in commands() if words[:3] == ["python", "-m", "winsock.trace"]}
    assert shown >= COMMANDS.keys()
    assert set(re.findall(r"^\| \[`(\w+)`\]", NOTE, re.MULTILINE)) == COMMANDS.keys()
