"""Mutation tests: each breaks one call on purpose, which the facts must notice."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import pytest

from tests.conformance import kit, mutations
from tests.conformance import runner as time_limit
from tests.conformance.scenarios import addresses
from tests.windows_facts.facts import Fact, collect
from tests.windows_facts.runner import holds, reason_to_skip

pytestmark = pytest.mark.posix_only("whether a fact can fail does not depend on the backend")

# The facts that compat, and this system, behave as.
FACTS = {name: fact for name, fact in collect().items() if not fact.compat and not reason_to_skip(fact)}
# Helpers of the kit that observe. The others prepare a situation, and keep the calls that work.
OBSERVERS = (kit.look, kit.name_of, kit.option, kit.polled, kit.port_of)


def replace_call(monkeypatch: pytest.MonkeyPatch, call: str, broken: mutations.Call) -> None:
    """Replaces a call in the facts alone. A fact that hangs then counts as having noticed it."""
    monkeypatch.setattr(time_limit, "WATCHDOG_SECONDS", 2)
    replaced: dict[str, Any] = {**vars(kit), call: broken}
    for helper in OBSERVERS:
        code, defaults = helper.__code__, helper.__defaults__
        replaced[helper.__name__] = FunctionType(code, replaced, helper.__name__, defaults)
    for name, module in list(sys.modules.items()):
        if name == addresses.__name__ or (name.startswith("tests.windows_facts.") and name != __name__):
            for word in (call, *(helper.__name__ for helper in OBSERVERS)):
                if hasattr(module, word):
                    monkeypatch.setattr(module, word, replaced[word])


def noticing(call: str) -> Iterator[Fact]:
    """The facts about a call that still come to a result, and to another one than Windows."""
    for fact in FACTS.values():
        if fact.call == call:
            same, seen = holds(fact)
            if not same and not (isinstance(seen, list) and seen[0] in ("hangs", "stopped")):
                yield fact


def errors_of(fact: Fact) -> bool:
    return all("WSA" in str(result) for result in fact.windows)


@pytest.mark.parametrize("call", sorted({fact.call for fact in FACTS.values()}))
def test_a_call_that_does_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    replace_call(monkeypatch, call, mutations.refusing(call))
    assert next(noticing(call), None) is not None


@pytest.mark.parametrize(
    "call", sorted({fact.call for fact in FACTS.values() if errors_of(fact)} - mutations.NUMBERS)
)  # the numbers never fail
def test_a_wrong_error_is_noticed(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    replace_call(monkeypatch, call, mutations.mistaken(call))
    assert next(noticing(call), None) is not None


@pytest.mark.parametrize(
    ("call", "broken", "fact"),
    [
        ("recv", mutations.reset_as_end, "a_hard_close_resets_the_connection"),
        ("recv", mutations.cut_silently, "the_end_of_a_long_datagram_is_lost"),
        ("accept", mutations.without_mode, "an_accepted_socket_inherits_nonblocking_mode"),
        ("select", mutations.without_exceptions, "a_refused_socket_is_in_exceptfds_only"),
        ("getsockopt", mutations.with_four_bytes, "a_byte_is_read_as_one_byte"),
        ("bind", mutations.shared, "a_udp_port_has_one_socket"),
        ("send", mutations.half, "data_before_the_end_arrives"),
    ],
)
def test_a_small_mistake_is_noticed(
    monkeypatch: pytest.MonkeyPatch, call: str, broken: mutations.Call, fact: str
) -> None:
    assert holds(FACTS[fact])[0]
    replace_call(monkeypatch, call, broken)
    assert not holds(FACTS[fact])[0]


# Without the facts whose source states that a call fails, but not how.
@pytest.mark.parametrize("name", [name for name, fact in FACTS.items() if list(fact.windows) != [-1]])
def test_a_fact_is_about_its_call(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    fact = FACTS[name]
    replace_call(monkeypatch, fact.call, mutations.refusing(fact.call))
    same, seen = holds(fact)
    assert not same, f"{fact.call} is broken, and the fact still observes {seen!r}"
