"""A test cannot leave a database open unnoticed."""

from __future__ import annotations

import sqlite3

import pytest
from cleanup_kit import close_forgotten_databases


def test_a_database_that_is_left_open_is_reported_and_closed():
    left_open = sqlite3.connect(":memory:")
    sqlite3.connect(":memory:").close()
    assert close_forgotten_databases() == [":memory:"]
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        left_open.execute("SELECT 1")
