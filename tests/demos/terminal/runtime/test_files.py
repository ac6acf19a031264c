"""Files that are written whole or not at all."""

from __future__ import annotations

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
