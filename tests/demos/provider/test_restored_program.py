"""Backup and restore of the state of the program `provider`, as its operator does them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from service_kit import RunningProvider, Subscriber, add_user, users
from terminal_kit import demos
from web_kit import network

from demos.provider.messages import Error, Hello, Snapshot, Welcome

__all__ = ["network"]

# On Windows, Python's own sockets need a started Winsock too, and other tests end it.
pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("network")]


def command(folder: Path, *arguments: object) -> list[str]:
    """The lines of a command of ``provider`` that succeeds."""
    done = demos("provider", *arguments, "--state", folder / "provider.sqlite")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_a_state_is_backed_up_while_the_provider_runs_and_returns_after_its_end(tmp_path):
    copy = tmp_path / "backup.sqlite"
    token = add_user(tmp_path, "anna")
    provider = RunningProvider(tmp_path, f"--account={tmp_path / 'account.sqlite'}", tls=False)
    subscriber = Subscriber(provider, login="anna", token=token)
    assert isinstance(subscriber.hello, Hello)
    subscriber.receive_kind(Snapshot)
    [line] = command(tmp_path, "backup", copy)
    assert line.endswith(", 1 user")
    # The provider goes on, and notices the change that follows.
    provider.command("buy 0.25")
    subscriber.receive_lots("0.25")
    with users(tmp_path) as store:
        store.remove("anna")
    assert subscriber.receive_kind(Error).fatal
    refused = demos("provider", "restore", copy, "--state", tmp_path / "provider.sqlite")
    assert refused.returncode == 4
    assert refused.stderr.endswith("provider.sqlite is in use: stop the provider first\n")
    assert provider.stop() == 0
    lines = command(tmp_path, "restore", copy)
    assert lines[1:] == [
        f"the former state is {tmp_path / 'provider.sqlite.old'}",
        "users that can log in again: anna",
        "tokens that are valid again: anna/test",
    ]
    restarted = RunningProvider(tmp_path, f"--account={tmp_path / 'account.sqlite'}", tls=False)
    again = Subscriber(restarted, login="anna", token=token)
    # No number of the former stream can be compared with one of the new stream, which begins with the whole account.
    assert isinstance(again.hello, Hello)
    assert again.hello.stream != subscriber.hello.stream
    again.receive_kind(Welcome)
    assert isinstance(again.receive(), Snapshot)
    assert str(again.lots()) == "0.25"
    assert restarted.stop() == 0


def test_a_provider_runs_with_a_file_of_options_and_a_log_file(tmp_path):
    add_user(tmp_path, "anna")
    config = tmp_path / "provider.toml"
    log = tmp_path / "logs.txt"
    values = {"experts": 2, "name": "Example", "duration": 100, "log": str(log)}
    config.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()), encoding="utf-8")
    checked = demos("provider", "check", "--config", config)
    assert checked.returncode == 0, checked.stdout
    provider = RunningProvider(tmp_path, "--config", str(config), tls=False)
    hello = Subscriber(provider).hello
    assert isinstance(hello, Hello)
    assert hello.server == "Example"
    assert provider.stop() == 0
    assert log.read_text(encoding="utf-8") == provider.log()
