"""The last line of a process whose streams may be gone."""

from __future__ import annotations

import os
import sys


def last_words(line: str) -> None:
    """Write a line to standard error, and point a stream that nobody reads at the null device.

    Else Python's own last flush of such a stream would fail as well, with a message and an exit code of its own.
    """
    for stream, text in ((sys.stdout, ""), (sys.stderr, line)):
        if stream is None:
            continue
        try:
            stream.write(text)
            stream.flush()
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
