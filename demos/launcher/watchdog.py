"""Runs ``python -m demos ...`` for a parent process, and ends when the parent does.

`run` ignores the end of its standard input. Here that end becomes the command ``quit``. The operating system closes the
parent's end of the pipe however the parent ends, on Windows as well, so no child process outlives its parent.
"""

from __future__ import annotations

import os
import sys
import threading

from demos.__main__ import main


def forward_commands(parent: int, commands: int) -> None:
    """Copy what the parent writes to the descriptor ``commands``; at the end of the input write ``quit``."""
    while True:
        try:
            chunk = os.read(parent, 4096)
        except OSError:
            # A broken pipe is the end of the input as well.
            chunk = b""
        if not chunk:
            os.write(commands, b"\nquit\n")
            return
        os.write(commands, chunk)


def replace_standard_input() -> None:
    """Put a pipe in the place of standard input, and start the thread that fills it."""
    parent = os.dup(0)
    reading, writing = os.pipe()
    os.dup2(reading, 0)
    os.close(reading)
    threading.Thread(target=forward_commands, args=(parent, writing), name="parent", daemon=True).start()


if __name__ == "__main__":
    replace_standard_input()
    sys.exit(main())
