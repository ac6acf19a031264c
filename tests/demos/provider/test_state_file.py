"""The provider's file: mode, versions, two processes, and a kill at any moment."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from login_kit import NOW, add_user, count_hashes, opened

from demos.provider import state_file
from demos.provider.rights import Rights
from demos.provider.state_file import VERSION, StateBusy, StateError, StateFile
from demos.provider.users import UserStore

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "what is 50% of #1.sqlite"


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.posix_only(reason="modes of files")
def test_the_file_and_what_sqlite_adds_are_readable_by_their_owner_only(path, monkeypatch):
    count_hashes(monkeypatch)
    previous = os.umask(0)
    try:
        add_user(opened(path), "anna")
    finally:
        os.umask(previous)
    files = sorted(path.parent.iterdir())
    assert {mode_of(file) for file in files} == {0o600}
    assert len(files) == 3


@pytest.mark.posix_only(reason="modes of files")
def test_a_file_that_others_could_read_becomes_private(path):
    StateFile(path).close()
    path.chmod(0o644)
    StateFile(path).close()
    assert mode_of(path) == 0o600


@pytest.mark.posix_only(reason="modes of files")
def test_the_mode_of_a_file_that_is_not_a_providers_is_not_changed(path):
    path.write_text("something else, which is longer than the header of a database", encoding="ascii")
    path.chmod(0o644)
    with pytest.raises(StateError, match="not a provider's file"):
        StateFile(path)
    assert mode_of(path) == 0o644


def test_a_missing_file_is_created_only_when_that_is_asked_for(path):
    with pytest.raises(StateError, match=r"no such file: .*user add"):
        StateFile(path, create=False)
    assert not path.exists()
    with closing(StateFile(path)) as state:
        assert state.created
    with closing(StateFile(path, create=False)) as state:
        assert not state.created


def test_a_file_in_a_missing_folder_and_a_folder_are_one_clear_error(tmp_path):
    with pytest.raises(StateError, match="cannot be created: No such file or directory"):
        StateFile(tmp_path / "missing" / "provider.sqlite")
    with pytest.raises(StateError, match="not a file"):
        StateFile(tmp_path)


def test_another_database_is_refused_and_stays_as_it_is(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE mine (x)")
    before = path.read_bytes()
    with pytest.raises(StateError, match="not a provider's file"):
        StateFile(path)
    assert path.read_bytes() == before


def test_a_newer_version_is_refused(path):
    StateFile(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(StateError, match=f"has version {VERSION + 1}; this program reads versions 1 to {VERSION}"):
        StateFile(path)


def test_an_older_file_goes_through_the_steps_that_it_lacks(path, monkeypatch):
    count_hashes(monkeypatch)
    provider = opened(path)
    add_user(provider, "anna")
    provider.state.close()
    steps = (*state_file._STEPS, "ALTER TABLE users ADD COLUMN note TEXT NOT NULL DEFAULT 'new'")
    monkeypatch.setattr(state_file, "_STEPS", steps)
    monkeypatch.setattr(state_file, "VERSION", len(steps))
    for _ in range(2):
        with closing(StateFile(path)) as state:
            assert state.rows("SELECT login, note FROM users") == [("anna", "new")]
            assert state.rows("PRAGMA user_version") == [(len(steps),)]


def everything_in(state: StateFile) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables; of the users, the columns of version 1."""
    columns = {"users": "id, login, password, generation, symbols, connections, expires, disabled, created"}
    tables = ("users", "tokens", "changes", "attempts", "known")
    return {table: state.rows(f"SELECT {columns.get(table, '*')} FROM {table}") for table in tables}


def test_a_file_of_version_1_keeps_everything_and_its_users_become_subscribers(path, monkeypatch):
    count_hashes(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(state_file, "_STEPS", state_file._STEPS[:1])
        patch.setattr(state_file, "VERSION", 1)
        with closing(StateFile(path)) as old, old.writing() as db:
            db.execute("INSERT INTO users VALUES (7, 'anna', 'a hash', 3, '[\"EURUSD\"]', 2, 9e9, 1, 1e9)")
            db.execute("INSERT INTO users VALUES (9, 'bob', 'another', 1, NULL, 1, NULL, 0, 1e9)")
            db.execute("INSERT INTO tokens VALUES (4, 7, 'copier-1', x'00ff', 1e9)")
            db.execute("INSERT INTO changes VALUES (12, 'anna')")
            db.execute("INSERT INTO attempts VALUES ('anna', '203.0.113.7', 1, 2, 3.0, 4.0, 5.0, 6.0)")
            db.execute("INSERT INTO known VALUES (9, '203.0.113.7', 1e9)")
        with closing(StateFile(path)) as old:
            before = everything_in(old)
    with closing(StateFile(path)) as state:
        assert state.rows("PRAGMA user_version") == [(VERSION,)]
        assert everything_in(state) == before
        assert state.setting("pause") == ""
        users = UserStore(state)
        assert users.get("anna").rights == Rights(("EURUSD",), 2, 9e9, operator=False)
        assert users.get("bob").rights == Rights()
        users.set_rights("bob", lambda rights: replace(rights, operator=True))
        assert users.get("bob").rights.operator


def test_a_setting_survives_closing_and_can_be_replaced(path):
    for value in ("paused", ""):
        with closing(StateFile(path)) as state:
            state.set_setting("pause", value)
        with closing(StateFile(path)) as state:
            assert state.setting("pause") == value


def test_a_step_that_fails_changes_nothing(path, monkeypatch):
    StateFile(path).close()
    steps = (*state_file._STEPS, "ALTER TABLE users ADD COLUMN note TEXT; CREATE TABLE users (x)")
    with monkeypatch.context() as patch:
        patch.setattr(state_file, "_STEPS", steps)
        patch.setattr(state_file, "VERSION", len(steps))
        with pytest.raises(StateError, match="already exists"):
            StateFile(path)
    with closing(StateFile(path)) as state:
        assert state.rows("PRAGMA user_version") == [(VERSION,)]
        assert "note" not in [row[1] for row in state.rows("PRAGMA table_info(users)")]


def test_an_exception_rolls_a_transaction_back(path):
    def fail_in_a_transaction() -> None:
        with state.writing() as db:
            db.execute("INSERT INTO changes (login) VALUES ('anna')")
            raise ZeroDivisionError

    with closing(StateFile(path)) as state:
        with pytest.raises(ZeroDivisionError):
            fail_in_a_transaction()
        assert state.rows("SELECT count(*) FROM changes") == [(0,)]


def test_a_reader_does_not_wait_for_a_writer_and_a_second_writer_gets_a_clear_error(path):
    with closing(StateFile(path)) as first, closing(StateFile(path, timeout=0.0)) as second:
        with first.writing() as db:
            db.execute("INSERT INTO changes (login) VALUES ('anna')")
            assert second.rows("SELECT count(*) FROM changes") == [(0,)]
            with pytest.raises(StateBusy, match="in use by another process"), second.writing():
                pass
        assert second.rows("SELECT count(*) FROM changes") == [(1,)]
        with second.writing() as db:
            db.execute("DELETE FROM changes")


def test_the_data_version_changes_when_another_connection_has_written(path):
    with closing(StateFile(path)) as running, closing(StateFile(path)) as command:
        before = running.data_version()
        assert running.data_version() == before
        with command.writing() as db:
            db.execute("INSERT INTO changes (login) VALUES ('anna')")
        assert running.data_version() != before


CREATOR = """
import sys
from pathlib import Path
from demos.provider.state_file import StateFile
sys.stdin.readline()
StateFile(Path(sys.argv[1])).close()
"""


def test_processes_that_create_the_file_at_the_same_time_all_succeed(path):
    command = [sys.executable, "-c", CREATOR, str(path)]
    children = [subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    try:
        for child in children:
            assert child.stdin
            child.stdin.write(b"\n")
            child.stdin.flush()
        assert [child.communicate(timeout=60)[1] for child in children] == [b""] * 4
    finally:
        for child in children:
            child.kill()
    with closing(StateFile(path, create=False)) as state:
        assert state.rows("PRAGMA user_version") == [(VERSION,)]


WRITER = f"""
import sys
from pathlib import Path
from demos.provider.guard import Guard
from demos.provider.rights import Rights
from demos.provider.state_file import StateFile
from demos.provider.users import UserStore
state = StateFile(Path(sys.argv[1]))
users, guard = UserStore(state), Guard(state)
for number in range(100_000):
    users.add(f"user{{number}}", "a stored password", Rights(), {NOW})
    ticket = guard.admit(f"user{{number}}", f"10.0.{{number // 250}}.{{number % 250}}", {NOW})
    guard.failed(ticket, {NOW})
    print(number, flush=True)
"""


@pytest.mark.parametrize("reports", [1, 7, 40])
def test_a_process_that_is_killed_at_any_moment_loses_nothing_that_it_reported(path, reports):
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout
        try:
            lines = [child.stdout.readline() for _ in range(reports)]
        finally:
            child.kill()
        lines += child.stdout.readlines()
    assert child.returncode != 0
    if os.name == "posix":
        assert child.returncode == -signal.SIGKILL
    complete = [line for line in lines if line.endswith(b"\n")]
    with closing(StateFile(path, create=False)) as state:
        assert state.rows("PRAGMA integrity_check") == [("ok",)]
        [[users]] = state.rows("SELECT count(*) FROM users")
        [[changes]] = state.rows("SELECT count(*) FROM changes")
        [[failures]] = state.rows("SELECT count(*) FROM attempts WHERE login = ''")
    assert len(complete) <= failures <= users == changes <= len(complete) + 1
