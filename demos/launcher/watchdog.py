"""Runs ``python -m demos ...`` for a parent process, and ends when the parent does.

The end of standard input, which is nothing to ``run``, is passed on as the command ``quit`` here. The system closes the
parent's end of that pipe however the parent ends, on Windows as well, so no child is ever left behind.
"""

from __future__ import annotations

import os
import sys
import threading

from demos.__main__ import main


def relay(parent: int, commands: int) -> None:
    """Pass on what comes from the parent, and its end as a command."""
    while True:
        try:
            chunk = os.read(parent, 4096)
        except OSError:
            # A pipe that breaks has ended.
            chunk = b""
        if not chunk:
            os.write(commands, b"\nquit\n")
            return
        os.write(commands, chunk)


def tether() -> None:
    """Put a pipe of our own in the place of standard input, and a thread that fills it."""
    parent = os.dup(0)
    reading, writing = os.pipe()
    os.dup2(reading, 0)
    os.close(reading)
    threading.Thread(target=relay, args=(parent, writing), name="parent", daemon=True).start()


if __name__ == "__main__":
    tether()
    sys.exit(main())
