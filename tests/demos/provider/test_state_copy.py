"""Backups of the provider's file and their return."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from login_kit import NOW, PASSWORD, add_user, code, count_hashes, log_in, opened

from demos.provider import state_copy
from demos.provider.passwords import new_password
from demos.provider.state_copy import Summary, backup_state, inspect_state, restore_state
from demos.provider.state_file import VERSION, StateBusy, StateError, StateFile

ROOT = Path(__file__).resolve().parents[3]

# Adds users in transactions of three, with a token each, as fast as it can.
WRITER = """
import sys
from contextlib import closing
from pathlib import Path
from demos.provider.state_file import StateFile
with closing(StateFile(Path(sys.argv[1]))) as state:
    for number in range(10**9):
        with state.writing(durable=False) as db:
            for part in "abc":
                user = db.execute(
                    "INSERT INTO users (login, password, generation, symbols, connections, expires, disabled, created) "
                    "VALUES (?, ?, 1, NULL, 1, NULL, 0, 0)", (f"user{number}{part}", "x" * 200)).lastrowid
                db.execute("INSERT INTO tokens (user, name, digest, created) VALUES (?, 'a', ?, 0)",
                    (user, f"{number}{part}".encode()))
        if number % 50 == 0:
            print(number, flush=True)
"""


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    count_hashes(monkeypatch)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A file with the user anna, which no process has open."""
    path = tmp_path / "provider.sqlite"
    with closing(StateFile(path)) as file:
        add_user_to(file, "anna")
    return path


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "backup.sqlite"


def add_user_to(file: StateFile, login: str) -> None:
    with file.writing() as db:
        db.execute(
            "INSERT INTO users (login, password, generation, symbols, connections, expires, disabled, created) "
            "VALUES (?, ?, 1, NULL, 1, NULL, 0, 0)",
            (login, new_password(PASSWORD)),
        )


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# ---- backup


def test_a_copy_has_everything_and_is_one_file(state, copy):
    assert backup_state(state, copy) == Summary(VERSION, 1)
    assert names(state.parent) == {"provider.sqlite", "backup.sqlite"}
    assert code(log_in(opened(copy), "anna", NOW)) == "granted"


def test_a_copy_has_what_an_open_provider_has_written_last(state, copy):
    provider = opened(state)
    add_user(provider, "bob")
    assert backup_state(state, copy).users == 2
    assert [user.login for user in opened(copy).users.all()] == ["anna", "bob"]


@pytest.mark.posix_only(reason="modes of files")
def test_a_copy_is_readable_by_its_owner_only(state, copy):
    previous = os.umask(0)
    try:
        backup_state(state, copy)
        backup_state(state, copy, force=True)
    finally:
        os.umask(previous)
    assert copy.stat().st_mode & 0o777 == 0o600


def test_a_copy_never_replaces_a_file_without_force(state, copy, tmp_path, monkeypatch):
    copy.write_text("kept", encoding="ascii")
    with pytest.raises(StateError, match=r"backup\.sqlite exists: use another name, or --force to replace it"):
        backup_state(state, copy)
    # Also not one that is created while the copy is made.
    monkeypatch.setattr(Path, "exists", lambda path: False)
    with pytest.raises(StateError, match=r"backup\.sqlite exists: use another name, or --force to replace it"):
        backup_state(state, copy)
    monkeypatch.undo()
    assert copy.read_text(encoding="ascii") == "kept"
    assert names(tmp_path) == {"provider.sqlite", "backup.sqlite"}
    assert backup_state(state, copy, force=True).users == 1


@pytest.mark.parametrize("end", ["", "-wal", "-shm", "-journal"])
def test_a_copy_never_replaces_a_file_of_the_state(state, end):
    before = state.read_bytes()
    with pytest.raises(StateError, match="is a file of the state"):
        backup_state(state, state.with_name(state.name + end), force=True)
    link = state.with_name("link")
    link.hardlink_to(state)
    with pytest.raises(StateError, match="is a file of the state"):
        backup_state(state, link, force=True)
    assert state.read_bytes() == before


def test_a_copy_that_fails_leaves_nothing_and_the_earlier_copy(state, copy, monkeypatch):
    copy.write_text("earlier", encoding="ascii")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(state_copy.os, "fsync", fail)
    with pytest.raises(StateError, match="No space left on device"):
        backup_state(state, copy, force=True)
    assert copy.read_text(encoding="ascii") == "earlier"
    assert names(state.parent) == {"provider.sqlite", "backup.sqlite"}


# Limits the size of files, as a full disk does, and then makes a backup.
LIMITED_BACKUP = """
import resource, sys
from pathlib import Path
from demos.provider.state_copy import backup_state
from demos.provider.state_file import StateError

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    backup_state(Path(sys.argv[1]), Path(sys.argv[2]), force=True)
except StateError as error:
    print(error)
"""


@pytest.mark.posix_only(reason="Windows has no limit of a file's size")
@pytest.mark.parametrize(("size", "file"), [(0, "provider"), (20_000, "provider"), (40_000, "backup")])
def test_a_copy_for_which_there_is_no_space_names_the_reason_and_leaves_nothing(state, copy, size, file):
    assert state.stat().st_size > 40_000
    copy.write_text("earlier", encoding="ascii")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED_BACKUP, str(state), str(copy), str(size)],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == f"{state.with_name(f'{file}.sqlite')}: {os.strerror(errno.EFBIG)}\n"
    assert copy.read_text(encoding="ascii") == "earlier"
    # SQLite's own files of the state may stay: it removes them when it can write again.
    assert not [name for name in names(state.parent) if ".part" in name]
    assert backup_state(state, copy, force=True).users == 1
    assert names(state.parent) == {"provider.sqlite", "backup.sqlite"}


def test_what_a_killed_copy_has_left_is_replaced_and_removed(state, copy):
    for end in ("", "-wal", "-shm", "-journal"):
        copy.with_name(f"{copy.name}.part{end}").write_bytes(b"x" * 5000)
    assert backup_state(state, copy).users == 1
    assert names(state.parent) == {"provider.sqlite", "backup.sqlite"}


def test_a_damaged_file_is_not_copied(state, copy):
    with closing(StateFile(state)) as file:
        for number in range(300):
            add_user_to(file, f"user{number}")
    data = bytearray(state.read_bytes())
    # The middle of a page of users.
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    state.write_bytes(data)
    with pytest.raises(StateError):
        backup_state(state, copy)
    assert not copy.exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "no such file"), (b"x" * 9000, "not a provider's file"), (b"", "not a provider's file")],
)
def test_what_is_not_a_state_is_not_copied(tmp_path, copy, content, problem):
    source = tmp_path / "other"
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(StateError, match=problem):
        backup_state(source, copy)
    with pytest.raises(StateError, match=problem):
        restore_state(source, copy)
    assert not copy.exists()
    assert source.exists() == (content is not None)
    assert content is None or source.read_bytes() == content


@pytest.mark.parametrize("name", [".", "..", "folder"])
def test_a_folder_is_neither_a_state_nor_a_copy(state, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    for command in (backup_state, restore_state):
        for paths in ((state, Path(name)), (Path(name), state)):
            with pytest.raises(StateError, match=re.escape(f"not a file: {name}")):
                command(*paths)
    with pytest.raises(StateError, match="not a file"):
        backup_state(state, Path(name), force=True)
    assert names(tmp_path) == {"provider.sqlite", "folder"}


def test_a_missing_folder_is_one_clear_error(state, tmp_path):
    with pytest.raises(StateError, match=r"a\.sqlite.*: No such file or directory$"):
        backup_state(state, tmp_path / "missing" / "a.sqlite")


def test_a_copy_during_heavy_writes_of_another_process_is_one_moment(state, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(state)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as writer:
        try:
            assert writer.stdout
            copies, copied = [], -1
            for number in range(6):
                # The pipe has lines from before the copy: at least one transaction is to be committed after it.
                while 3 * (before := int(writer.stdout.readline())) <= copied:
                    pass
                copies.append(tmp_path / f"copy{number}.sqlite")
                summary = backup_state(state, copies[-1])
                assert summary.users >= 3 * before
                copied = summary.users
                assert writer.poll() is None
        finally:
            writer.kill()
    counts = []
    for path in copies:
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            users = db.execute("SELECT count(*) FROM users WHERE login != 'anna'").fetchone()[0]
            tokens = db.execute("SELECT count(*) FROM tokens").fetchone()[0]
            # Transactions are whole, and none is missing before the last one.
            assert users == tokens
            assert users % 3 == 0
            newest = db.execute("SELECT login FROM users ORDER BY id DESC LIMIT 1").fetchone()[0]
            assert newest == f"user{users // 3 - 1}c"
            counts.append(users)
    assert counts == sorted(set(counts))


def test_inspecting_a_file_of_an_older_version_does_not_upgrade_it(state, monkeypatch):
    monkeypatch.setattr(state_copy, "VERSION", VERSION + 1)
    before = state.read_bytes()
    assert inspect_state(state) == Summary(VERSION, 1)
    assert state.read_bytes() == before


def test_a_file_of_a_newer_version_is_refused(state, copy):
    with closing(sqlite3.connect(state)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(StateError, match=f"has version {VERSION + 1}; .*use a newer program"):
        inspect_state(state)
    with pytest.raises(StateError, match="use a newer program"):
        backup_state(state, copy)


# ---- restore


def test_a_restored_file_has_the_users_of_the_backup_and_keeps_the_former_file(state, copy):
    backup_state(state, copy)
    with closing(StateFile(state)) as file:
        add_user_to(file, "bob")
    restored = restore_state(copy, state)
    assert restored.summary == Summary(VERSION, 1)
    assert restored.former == state.with_name("provider.sqlite.old")
    assert [user.login for user in opened(state).users.all()] == ["anna"]
    assert [user.login for user in opened(restored.former).users.all()] == ["anna", "bob"]
    assert inspect_state(copy).users == 1


def test_a_missing_state_is_restored(state, copy):
    backup_state(state, copy)
    state.unlink()
    restored = restore_state(copy, state)
    assert (restored.former, restored.compared) == (None, False)
    assert names(state.parent) == {"provider.sqlite", "backup.sqlite"}
    assert code(log_in(opened(state), "anna", NOW)) == "granted"


def test_a_damaged_state_is_replaced(state, copy):
    backup_state(state, copy)
    state.write_bytes(b"x" * 9000)
    restored = restore_state(copy, state)
    assert (restored.summary.users, restored.compared) == (1, False)
    assert state.with_name("provider.sqlite.old").read_bytes() == b"x" * 9000
    assert code(log_in(opened(state), "anna", NOW)) == "granted"


def test_what_a_killed_provider_left_in_its_log_is_not_added_to_the_restored_file(state, copy, monkeypatch):
    backup_state(state, copy)
    log = state.with_name(state.name + "-wal")
    provider = opened(state)
    main = state.read_bytes()
    add_user(provider, "bob")
    written = log.read_bytes()
    provider.state.close()
    state.write_bytes(main)
    log.write_bytes(written)
    # As if the file could not be opened any more.
    monkeypatch.setattr(state_copy, "_leave_wal_mode", lambda path: None)
    restored = restore_state(copy, state)
    assert restored.logins == []
    assert [user.login for user in opened(state).users.all()] == ["anna"]
    assert [user.login for user in opened(restored.former).users.all()] == ["anna", "bob"]


def test_a_state_that_is_in_use_is_not_replaced(state, copy):
    backup_state(state, copy)
    provider = opened(state)
    with pytest.raises(StateBusy, match="is in use: stop the provider first"):
        restore_state(copy, state)
    add_user(provider, "bob")
    assert [user.login for user in provider.users.all()] == ["anna", "bob"]
    assert not state.with_name("provider.sqlite.old").exists()
    assert not state.with_name("provider.sqlite.part").exists()


@pytest.mark.parametrize("name", ["provider.sqlite", "provider.sqlite-wal", "provider.sqlite.old"])
def test_a_file_of_the_state_is_no_backup_to_restore(state, name):
    path = state.with_name(name)
    with pytest.raises(StateError, match=r"give the name of a backup|rename it first"):
        restore_state(path, state)
    assert inspect_state(state).users == 1


def test_a_restore_reports_what_is_valid_again(state, copy):
    provider = opened(state)
    for login in ("bob", "carl", "dora"):
        add_user(provider, login)
    provider.users.add_token("anna", "copier", NOW)
    provider.users.add_token("anna", "kept", NOW)
    backup_state(state, copy)
    provider.users.remove("bob")
    provider.users.set_disabled("carl", True)
    provider.users.set_password("dora", new_password("another password"))
    provider.users.remove_token("anna", "copier")
    provider.state.close()
    restored = restore_state(copy, state)
    assert restored.compared
    assert (restored.logins, restored.passwords, restored.tokens) == (["bob", "carl"], ["dora"], ["anna/copier"])
