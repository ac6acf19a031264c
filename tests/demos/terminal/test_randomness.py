"""Random numbers and threads: the system's by default, and replaced in one context only."""

from __future__ import annotations

import threading
from random import Random

import pytest
from winsock_kit import LIMIT_SECONDS

from demos.terminal.runtime.randomness import random_source, token_bytes, token_hex, token_urlsafe, use
from demos.terminal.runtime.threads import SystemThreads, present_threads
from demos.terminal.runtime.threads import use as use_threads


def test_tokens_have_the_size_and_the_characters_that_they_promise():
    assert len(token_bytes(7)) == 7
    assert len(bytes.fromhex(token_hex(16))) == 16
    assert set(token_urlsafe(300)) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
    assert len(token_urlsafe(32)) == 43
    assert token_hex(16) != token_hex(16)


def test_a_source_with_a_seed_gives_the_same_tokens_until_it_is_not_used_any_more():
    def tokens() -> tuple[str, str, float]:
        return token_hex(8), token_urlsafe(8), random_source().random()

    with use(Random(7)):
        first = tokens()
    with use(Random(7)):
        assert tokens() == first
    assert tokens() != first


def test_a_replaced_source_is_not_used_by_another_thread():
    source, seen = Random(7), []
    with use(source):
        thread = threading.Thread(target=lambda: seen.append(random_source()))
        thread.start()
        thread.join(LIMIT_SECONDS)
        assert random_source() is source
    assert seen[0] is not source


def test_a_signal_that_was_set_before_the_wait_ends_it():
    signal = SystemThreads().signal()
    signal.set()
    signal.wait(LIMIT_SECONDS)
    done = threading.Event()

    def work() -> None:
        signal.wait(LIMIT_SECONDS)
        done.set()

    join = SystemThreads().start("waiting", work)
    signal.set()
    join()
    assert done.is_set()


def test_a_pool_passes_on_the_result_or_the_exception_of_its_work():
    pool, signal = SystemThreads().pool("test", 1), SystemThreads().signal()
    results: list[object] = []

    def fails() -> int:
        raise ZeroDivisionError("a defect")

    def done(result: object) -> None:
        results.append(result)
        signal.set()

    for work in (lambda: 5, fails):
        pool.submit(work, done)
        signal.wait(LIMIT_SECONDS)
    pool.close()
    assert results[0]() == 5
    with pytest.raises(ZeroDivisionError):
        results[1]()


def test_threads_can_be_replaced_in_a_context():
    other = SystemThreads()
    with use_threads(other):
        assert present_threads() is other
    assert present_threads() is not other
