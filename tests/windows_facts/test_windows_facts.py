"""Checks every fact about Windows on this backend, and that each has a source."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.windows_facts import report
from tests.windows_facts.facts import Certainty, collect
from tests.windows_facts.runner import holds, reason_to_skip
from winsock import BACKEND, CALLS

FACTS = collect()


@pytest.mark.usefixtures("unstarted")
@pytest.mark.parametrize("name", FACTS)
def test_the_backend_behaves_as_windows_does(name: str) -> None:
    fact = FACTS[name]
    reason = reason_to_skip(fact)
    if reason:
        pytest.skip(reason)
    same, seen = holds(fact)
    if fact.compat and BACKEND == "compat":
        assert not same, f"compat behaves like Windows here now: {fact.windows}; remove the remark {fact.compat!r}"
    else:
        assert same, f"{fact.situation}: Windows {fact.windows}, here {seen!r}; {fact.source}"


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_names_a_call_a_situation_a_result_and_a_source(name: str) -> None:
    fact = FACTS[name]
    assert fact.call in CALLS
    assert fact.situation
    assert fact.windows
    assert isinstance(fact.certainty, Certainty)
    assert fact.source.startswith("https://")


def test_the_documents_have_the_figures_of_the_facts() -> None:
    """To update the documents: python -m tests.windows_facts --notes"""
    generated = report.generated()
    assert {path: report.in_document(path) for path in generated} == generated


def test_there_are_300_facts_and_20_where_linux_decides_otherwise() -> None:
    counts = Counter(fact.topic for fact in FACTS.values())
    assert counts.total() >= 300
    topics = ("delivery", "addresses", "queues", "threads", "names")
    assert {topic: counts[topic] for topic in topics if counts[topic] < 20} == {}


# test_power.py breaks the call of each fact. A fact about a constant or a layout would still hold.
def test_no_fact_is_about_a_constant_or_a_layout() -> None:
    computing = {"htons", "htonl", "ntohs", "ntohl"}
    assert [name for name, fact in FACTS.items() if fact.call in computing] == []
    words = ("sizeof", "offset", "layout", "constant")
    assert [name for name, fact in FACTS.items() if any(word in fact.situation for word in words)] == []
