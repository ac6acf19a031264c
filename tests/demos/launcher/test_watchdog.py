"""How a child process learns that its parent has ended."""

from __future__ import annotations

import os

from demos.launcher.watchdog import forward_commands


def test_the_end_of_the_parents_input_becomes_the_command_quit():
    parent, to_child = os.pipe()
    commands, relayed = os.pipe()
    os.write(to_child, b"buy 0.10\npositions")
    os.close(to_child)
    forward_commands(parent, relayed)
    os.close(parent)
    assert os.read(commands, 100) == b"buy 0.10\npositions\nquit\n"
    # An input that cannot be read has ended as well.
    forward_commands(parent, relayed)
    assert os.read(commands, 100) == b"\nquit\n"
    os.close(commands)
    os.close(relayed)
