"""Random programs of calls violate no rule, and have the same traces as on Wine: see tests/properties."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.properties.comparing import Program, shown
from tests.properties.generating import smallest
from tests.properties.known import known
from tests.properties.running import run
from tests.properties.wine import Wine, examined
from winsock import BACKEND

# Batches of ten programs. On ws2_32 each step waits a moment, so there is time for fewer.
BATCHES = {"compat": 210, "ws2_32": 20}[BACKEND]
COMPARED_BATCHES = 32


@pytest.mark.wine_differs("getnameinfo and getaddrinfo return some error codes of Linux")
@pytest.mark.timeout(600)  # many programs, perhaps on a busy machine
def test_no_program_crashes_hangs_leaks_raises_or_sets_an_unknown_error(unstarted: None) -> None:
    count = 0

    def breach(program: Program) -> str | None:
        nonlocal count
        count += 1
        breaches = run(program).breaches
        return breaches[0] if breaches else None

    for number in range(BATCHES):
        broken = smallest(breach, number)
        assert broken is None, f"{broken[0]}\n{shown(broken[1], run(broken[1]).trace)}"
    assert count >= 2000 or BACKEND != "compat"


@pytest.fixture(scope="module")
def wine() -> Iterator[Wine]:
    with Wine() as started:
        if not started.available():
            pytest.skip("Wine is not built: run tests/wine/build.py")
        yield started


@pytest.mark.posix_only("it compares compat with Wine, which it starts itself")
@pytest.mark.timeout(600)  # many programs, perhaps on a busy machine
def test_programs_have_the_same_traces_on_compat_and_wine_except_for_known_differences(
    unstarted: None, wine: Wine
) -> None:
    agreed = compared = 0

    def differs(program: Program) -> str | None:
        nonlocal agreed, compared
        found, _ = examined(wine, program)
        compared += 1
        agreed += found is None
        return None if found is None or known(found) else found.kind()

    for number in range(COMPARED_BATCHES):
        different = smallest(differs, number)
        if different is not None:
            _, (ours, theirs) = examined(wine, different[1])
            pytest.fail(f"{different[0]}\n{shown(different[1], ours.trace, theirs.trace)}")
    assert compared >= 300
    assert agreed > compared / 2, "too many programs end early at a known difference"
