"""Random programs of calls keep the contract, and end as they do under Wine: see tests/properties."""

from __future__ import annotations

import pytest

from tests.properties.comparing import Program, shown
from tests.properties.generating import smallest
from tests.properties.interpreter import run
from winsock import BACKEND

# Batches of ten programs. Where a moment is waited for what one socket does to another, time allows fewer.
BATCHES = {"compat": 220, "ws2_32": 20}[BACKEND]


@pytest.mark.wine_differs(reason="getnameinfo and getaddrinfo give some of Linux' own codes")
def test_no_program_crashes_hangs_leaks_raises_or_leaves_a_strange_error(unstarted: None) -> None:
    count = 0

    def breach(program: Program) -> str | None:
        nonlocal count
        count += 1
        breaches = run(program).breaches
        return breaches[0] if breaches else None

    for number in range(BATCHES):
        broken = smallest(breach, number)
        assert broken is None, f"{broken[0]}\n{shown(broken[1], run(broken[1]).trace)}"
    assert count >= 9 * BATCHES
