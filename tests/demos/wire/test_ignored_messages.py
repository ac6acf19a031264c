"""The log of ignored messages is limited in lines and in the length of a line."""

from __future__ import annotations

from demos.wire.ignored_messages import AGAIN_MS, MOST_SHOWN, IgnoredMessages


def test_the_first_ignored_message_is_logged_and_the_next_ones_are_counted():
    ignored = IgnoredMessages()
    assert ignored.line("one", 5) == "a message is ignored: one"
    assert [ignored.line(f"number {number}", 6 + number) for number in range(100)] == [""] * 100
    assert ignored.line("two", 5 + AGAIN_MS) == (
        "a message is ignored: two (and 100 more messages since the last such line)"
    )
    assert ignored.line("three", 5 + 2 * AGAIN_MS) == "a message is ignored: three"


def test_a_long_reason_is_cut():
    assert len(IgnoredMessages().line("x" * 100_000, 0)) < MOST_SHOWN + 50
