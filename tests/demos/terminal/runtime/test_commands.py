"""The registry of commands, and the thread that reads them from standard input."""

from __future__ import annotations

import os
from collections.abc import Sequence

from demos.terminal.runtime.commands import (
    Command,
    CommandError,
    CommandRegistry,
    help_lines,
    read_commands,
    start_reading,
)


def _double(context: list[str], arguments: str) -> Sequence[str]:
    if not arguments.isdigit():
        raise CommandError("double needs a number")
    context.append(arguments)
    return [f"done: {2 * int(arguments)}"]


COMMANDS = (
    Command("double", "NUMBER", "twice a number, as in: double 7", _double),
    Command("show", "", "show all numbers", lambda context, arguments: list(context)),
)


def registry(stopped: list[None] | None = None) -> CommandRegistry:
    stopped = [] if stopped is None else stopped
    made = CommandRegistry(lambda: stopped.append(None))
    made.register(COMMANDS, ["first"])
    return made


def test_a_command_gets_its_context_and_the_text_after_its_name():
    commands = registry()
    assert commands.execute("  DOUBLE   21 ") == ["done: 42"]
    assert commands.execute("show") == ["first", "21"]
    assert commands.execute("  ") == ()


def test_a_command_error_is_answered_after_the_word_error():
    assert registry().execute("double x") == ["error: double needs a number"]
    assert registry().execute("show x") == ["error: show takes no arguments, not 'x'"]
    assert registry().execute("other") == ["error: unknown command 'other'; help lists the commands"]


def test_help_lists_only_the_registered_commands_and_then_help_and_quit():
    expected = [
        "double NUMBER                    twice a number, as in: double 7",
        "show                             show all numbers",
        "help                             show this",
        "quit                             end the program",
    ]
    assert registry().execute("help") == expected
    assert help_lines(COMMANDS) == expected
    assert CommandRegistry(list).execute("help") == expected[2:]


def test_quit_stops_the_event_loop():
    stopped: list[None] = []
    assert registry(stopped).execute("quit") == ()
    assert stopped == [None]


def feed(tmp_path, data: bytes) -> list[str]:
    """The lines that are posted for these bytes."""
    path = tmp_path / "input"
    path.write_bytes(data)
    posted: list[str] = []
    with path.open("rb") as file:
        read_commands(file.fileno(), posted.append)
    return posted


def test_lines_end_with_LF_or_CRLF_and_the_last_line_needs_no_end(tmp_path):
    assert feed(tmp_path, b"buy 1\r\nsell 2\n\nclose") == ["buy 1", "sell 2", "", "close"]


def test_the_end_of_the_input_posts_only_an_empty_line(tmp_path):
    assert feed(tmp_path, b"") == [""]
    assert feed(tmp_path, b"help\n") == ["help", ""]


def test_an_endless_line_takes_bounded_memory(tmp_path):
    (line, *rest) = feed(tmp_path, b"x" * 60_000 + b"\nhelp\n")
    assert 4096 < len(line) <= 8192
    assert rest == ["help", ""]


def test_invalid_utf_8_is_replaced(tmp_path):
    assert feed(tmp_path, b"\xff\xfe\n")[0] == "\ufffd\ufffd"


def test_a_descriptor_that_cannot_be_read_counts_as_ended():
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    posted: list[str] = []
    read_commands(reader, posted.append)
    assert posted == [""]


def test_commands_are_read_in_a_separate_daemon_thread():
    reader, writer = os.pipe()
    posted: list[str] = []
    thread = start_reading(posted.append, reader)
    os.write(writer, b"help\n")
    os.close(writer)
    thread.join()
    os.close(reader)
    assert thread.daemon
    assert posted == ["help", ""]
