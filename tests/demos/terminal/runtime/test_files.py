"""Files that are written whole or not at all."""

from __future__ import annotations

import os

import pytest

from demos.terminal.runtime.files import write_whole


def test_a_file_is_replaced_by_the_whole_new_one(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"old")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_no_part_of_a_file(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    with pytest.raises(OSError, match="folder"):
        write_whole(path, b"new")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.posix_only("symbolic links need a privilege on Windows")
@pytest.mark.parametrize("is_present", [True, False])
def test_a_symbolic_link_stays_and_its_file_is_written(tmp_path, is_present):
    (tmp_path / "data").mkdir()
    target = tmp_path / "data" / "t.csv"
    if is_present:
        target.write_bytes(b"old")
    link = tmp_path / "link.csv"
    link.symlink_to(target)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert list((tmp_path / "data").iterdir()) == [target]


@pytest.mark.posix_only("named pipes")
@pytest.mark.parametrize("through_link", [True, False])
def test_a_pipe_is_refused_and_stays(tmp_path, through_link):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    path = tmp_path / "link" if through_link else pipe
    if through_link:
        path.symlink_to(pipe)
    with pytest.raises(OSError, match="not a regular file") as caught:
        write_whole(path, b"new")
    assert caught.value.strerror == "not a regular file"
    assert pipe.is_fifo()
    assert {each.name for each in tmp_path.iterdir()} <= {"pipe", "link"}


@pytest.mark.posix_only("modes of files")
def test_a_private_file_stays_private(tmp_path):
    path = tmp_path / "t.csv"
    path.touch(mode=0o600)
    write_whole(path, b"new")
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_file_with_the_suffix_part_is_not_touched(tmp_path):
    other = tmp_path / "t.csv.part"
    other.write_bytes(b"mine")
    write_whole(tmp_path / "t.csv", b"new")
    assert other.read_bytes() == b"mine"
