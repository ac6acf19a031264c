"""The pauses between attempts."""

from __future__ import annotations

from demos.wire.backoff import Backoff


def test_pauses_double_up_to_the_limit_and_start_again_after_a_success():
    backoff = Backoff(500, 3000)
    pauses = []
    for _ in range(5):
        backoff.failed(0)
        pauses.append(backoff.pause_ms)
    assert pauses == [500, 1000, 2000, 3000, 3000]
    assert backoff.succeeded()
    assert not backoff.succeeded()
    backoff.failed(0)
    assert backoff.pause_ms == 500


def test_the_next_attempt_is_due_after_the_pause():
    backoff = Backoff(500, 3000)
    assert backoff.is_due(0)
    backoff.failed(10_000)
    assert not backoff.is_due(10_499)
    assert backoff.is_due(10_500)
    backoff.succeeded()
    assert backoff.is_due(0)


def test_only_the_first_failure_in_a_row_is_to_be_reported():
    backoff = Backoff(1, 10)
    assert [backoff.failed(0) for _ in range(1000)] == [True] + [False] * 999
    backoff.succeeded()
    assert backoff.failed(0)


def test_the_text_for_the_log_has_the_pause_in_seconds():
    backoff = Backoff(500, 8000)
    backoff.failed(0)
    assert backoff.retry_text() == "Next attempt in 0.5 s, then after growing pauses."
    backoff.failed(500)
    assert backoff.retry_text() == "Next attempt in 1 s, then after growing pauses."
